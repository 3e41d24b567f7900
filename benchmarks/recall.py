"""Recall of similar closed cases, on histories with planted truth: one JSON object, exit 1 where a floor is missed.

Forty causes, two to a rule, each with its usual companions, words, whereabouts and ending. Every case is disturbed: another rule leads,
companions are missing or strange, other words, other validators. The last cases are each asked for before they are added; a recalled one
is right where its hidden cause is the same. Beside it: the newest cases of the same rule, chance, and recall where the summaries say no
more than their rules. `ending_right`: the most frequent ending among the three is the planted one. `first_ms`: the first recall among
10,000 entries, which reads them all; `next_ms`: the median of those that follow.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from gizzi.clock import LiveClock
from gizzi.memory import Case, Entry, Memory, SeededKeys, Situation, entry_of
from gizzi.memory.recall import Recall
from gizzi.store import open_store

SEED, K, CAUSES, HISTORY, ASKED, ENTRIES = 7, 3, 40, 600, 300, 10_000
FLOOR, SLOWEST_NEXT_MS = 0.8, 150.0
DAY_S = 86400.0
RULES = [
    *("node_down", "node_unresponsive", "metrics_down", "rpc_down", "process_down", "peers_low", "best_stalled", "finality_stalled"),
    *("finality_lagging", "syncing", "fork", "not_voting", "not_validating", "tx_queue_high", "disk_filling", "fds_high", "cpu_high"),
    *("memory_high", "channel_clogged", "no_incoming", "version_skew"),
]
WORDS = [
    *("disk", "peers", "firewall", "region", "cloud", "release", "upgrade", "keystore", "session", "snapshot", "runtime", "pvf", "worker"),
    *("memory", "swap", "oom", "network", "route", "packet", "loss", "latency", "relay", "parachain", "candidate", "backing", "approval"),
    *("dispute", "telemetry", "bootnode", "discovery", "database", "prune", "archive", "timer", "clock", "certificate", "proxy", "tunnel"),
    *("kernel", "systemd", "unit", "limit", "descriptor", "socket", "queue", "import", "finality", "justification", "beefy", "mmr"),
]
ENDINGS = [("restart", "resolved"), ("restart", "not_resolved"), ("wait", None), ("investigate", None), ("escalate", None)]


@dataclass(frozen=True)
class Cause:
    number: int
    rule: str
    companions: tuple[str, ...]
    words: tuple[str, ...]
    chain: str
    validators: tuple[int, ...]
    ending: tuple[str, str | None]


def causes(dice: random.Random) -> list[Cause]:
    found: list[Cause] = []
    for number in range(CAUSES):
        rule = found[dice.randrange(len(found))].rule if found and number % 4 == 0 else RULES[number % len(RULES)]
        companions = tuple(dice.sample([name for name in RULES if name != rule], dice.randrange(1, 4)))
        place = (f"chain-{dice.randrange(4)}", tuple(dice.sample(range(1, 22), dice.randrange(1, 4))))
        found.append(Cause(number, rule, companions, tuple(dice.sample(WORDS, 5)), *place, dice.choice(ENDINGS)))
    return found


def happened(cause: Cause, dice: random.Random, telling: bool = True) -> Situation:
    """One incident of that cause, disturbed."""
    companions = {name for name in cause.companions if dice.random() < 0.7}
    companions |= {name for name in RULES if dice.random() < 0.03}
    leads = dice.choice(cause.companions) if dice.random() < 0.2 else cause.rule
    validators = cause.validators if dice.random() < 0.6 else tuple(dice.sample(range(1, 22), dice.randrange(1, 4)))
    words = [word for word in cause.words if dice.random() < 0.6] + dice.sample(WORDS, dice.randrange(1, 5))
    dice.shuffle(words)
    chain = cause.chain if dice.random() < 0.8 else f"chain-{dice.randrange(4)}"
    summary = f"Validator {validators[0]}: {leads.replace('_', ' ')} for {dice.randrange(1, 60)} min, {' '.join(words) if telling else ''}"
    return Situation(leads, dice.choice(["high", "critical"]), chain, validators, summary, (leads, cause.rule, *sorted(companions)))


def measure_precision(seed: int, telling: bool = True) -> dict[str, Any]:
    dice = random.Random(seed)
    all_causes, recall, truth = causes(dice), Recall(), [0]
    hits: dict[str, list[float]] = {"recall": [], "newest_of_the_rule": [], "chance": []}
    endings: list[bool] = []
    cases: list[Case] = []

    def right(found: Sequence[Case], cause: Cause) -> float:
        return sum(truth[case.number] == cause.number for case in found) / K

    for number in range(1, HISTORY + ASKED + 1):
        cause, at = dice.choice(all_causes), number * DAY_S / 3
        situation = happened(cause, dice, telling)
        if number > HISTORY:
            found = [case for case, _ in zip(recall.rank(situation, at), range(K), strict=False)]
            hits["recall"].append(right(found, cause))
            hits["newest_of_the_rule"].append(right([case for case in reversed(cases) if case.situation.rule == situation.rule][:K], cause))
            hits["chance"].append(right(dice.sample(cases, K), cause))
            most = Counter((case.decision, case.verdict) for case in found).most_common(1)
            endings.append(bool(most) and most[0][0] == cause.ending)
        cases.append(Case(situation, cause.ending[0], verdict=cause.ending[1], number=number, closed_at=at))
        truth.append(cause.number)
        recall.add(cases[-1])
    shown = {name: round(mean(values), 3) for name, values in hits.items()}
    return {"precision_at_3": shown, "ending_right": round(mean(endings), 3)}


async def measure_time(url: str, entries: int) -> dict[str, Any]:
    dice, store = random.Random(SEED), open_store(url)
    memory, all_causes = Memory(store, LiveClock(), SeededKeys(SEED)), causes(random.Random(SEED))
    now = LiveClock().now()

    def entry(number: int) -> Entry:
        cause = dice.choice(all_causes)
        return entry_of(Case(happened(cause, dice), cause.ending[0], verdict=cause.ending[1], incident=number), now, "incident-responder")

    def fill(first: int) -> Callable[[Any], None]:
        return lambda connection: [memory.add_in(connection, entry(number)) for number in range(first, first + 500)] and None

    begun = time.perf_counter()
    for first in range(0, entries, 500):
        await store.run(fill(first))
    await memory.witness()
    added_s = time.perf_counter() - begun
    taken: dict[str, list[float]] = {"add": [], "similar": [], "search": []}
    for number in range(30):
        situation = happened(dice.choice(all_causes), dice)
        for name, call in (
            ("add", memory.add(entry(number))),
            ("similar", memory.similar(situation)),
            ("search", memory.search("peers low")),
        ):
            begun = time.perf_counter()
            await call
            taken[name].append((time.perf_counter() - begun) * 1000)
    begun = time.perf_counter()
    verified = await memory.verify()
    verify_s = time.perf_counter() - begun
    store.close()
    return {
        "entries": verified.entries,
        "added_per_s": round(entries / added_s),
        "add_ms": round(median(taken["add"]), 2),
        "first_ms": round(taken["similar"][0], 1),
        "next_ms": round(median(taken["similar"][1:]), 1),
        "search_ms": round(median(taken["search"][1:]), 1),
        "verify_s": round(verify_s, 2),
        "whole": verified.ok,
    }


def main() -> int:
    precision = measure_precision(SEED)
    precision["without_words"] = measure_precision(SEED, telling=False)["precision_at_3"]["recall"]
    with tempfile.TemporaryDirectory() as folder:
        times = asyncio.run(measure_time(f"sqlite:///{Path(folder) / 'gizzi.db'}", ENTRIES))
    ok = precision["precision_at_3"]["recall"] >= FLOOR and times["next_ms"] <= SLOWEST_NEXT_MS and times["whole"]
    print(json.dumps({"benchmark": "recall", **precision, **times, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
