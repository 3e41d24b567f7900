"""How long a decision takes, and how well operators' questions are routed: one JSON object, the confusion table on stderr, exit 1 where a
figure is not met.

The decision is the whole of it (hard rules, the strategy `rules`, the tier's order) over the shipped catalogue with every model reachable;
prompts have 2,000 characters. Questions are routed twice: as they are asked, a critical one with `critical` set, and by their text alone.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from gizzi import registry
from gizzi.config import parse
from gizzi.models.budget import Spent, left_of
from gizzi.models.merge import load_catalogue
from gizzi.models.questions import HALVES, Score, questions, score
from gizzi.models.route import choose, strategies_of
from gizzi.models.task import TIERS, Route, Task

P50_MS, P99_MS = 0.2, 1.0
RIGHT_OR_ABOVE, NEEDLESS = 0.95, 0.10
CHARS, CALLS, ROUNDS = 2000, 2000, 7
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROMPTS = {
    "prose": "Validator 6 lost its peers after the firewall was changed last night, and finality lags since then. Here is what I know. ",
    "log": "2026-11-03 02:11:11 INFO tokio-runtime-worker substrate: Idle (2 peers), best: #1200 (0x9d8f), finalized #1197 (0x8477)\n",
    "code": "fn lag(best: u64, finalized: u64) -> u64 { best.saturating_sub(finalized) } // should never be negative\n",
    "unicode": "Der Validator „Größe“ hat 2 Peers – warum? 验证人 6 的节点在线吗？ ",
}
ASKED = "Should we restart it?"


def main() -> int:
    decide = decider()
    times = {name: timed(decide, (text * 40)[: CHARS - len(ASKED)] + ASKED) for name, text in PROMPTS.items()}
    halves = {half: measured(decide, half) for half in HALVES}
    result = {
        "p50_ms": max(t["p50_ms"] for t in times.values()),
        "p99_ms": max(t["p99_ms"] for t in times.values()),
        "prompts": times,
        "questions": halves,
    }
    print(json.dumps(result, indent=2))
    fast = result["p50_ms"] <= P50_MS and result["p99_ms"] <= P99_MS
    return 0 if fast and all(good(asked["as_asked"]) for asked in halves.values()) else 1


def decider() -> Any:
    settings = parse({"plugins": {"folder": "/nonexistent"}}, "the benchmark")
    catalogue = load_catalogue(settings, today=NOW.date())
    strategies = strategies_of(settings, registry.load(settings))
    left = left_of(settings.budget, Spent(*[settings.budget.day_usd * 0] * 2, {}, {}))

    def decide(task: Task) -> Route:
        return choose(task, catalogue, lambda _: None, left, strategies, NOW)

    return decide


def timed(decide: Any, prompt: str) -> dict[str, float]:
    """CPU time of the thread, so that other work on the machine is not counted; and the wall clock's mean. The best of some rounds."""
    task = Task(prompt)
    rounds, walls = [], []
    for _ in range(ROUNDS):
        times = []
        begun = time.perf_counter()
        for _ in range(CALLS):
            begin = time.thread_time_ns()
            decide(task)
            times.append((time.thread_time_ns() - begin) / 1e6)
        walls.append((time.perf_counter() - begun) * 1e3 / CALLS)
        times.sort()
        rounds.append((times[CALLS // 2], times[CALLS * 99 // 100]))
    return {
        "p50_ms": round(min(p50 for p50, _ in rounds), 4),
        "p99_ms": round(min(p99 for _, p99 in rounds), 4),
        "wall_mean_ms": round(min(walls), 4),
    }


def measured(decide: Any, half: Any) -> dict[str, Any]:
    as_asked = score(questions(half), lambda q: decide(Task(q.text, critical=q.critical)).tier)
    by_text = score(questions(half), lambda q: decide(Task(q.text)).tier)
    show(f"{half}, as asked", as_asked)
    return {"as_asked": as_asked.as_json(), "by_text_alone": by_text.as_json()}


def show(title: str, found: Score) -> None:
    print(f"\n{title}: rows need, columns got", file=sys.stderr)
    print(f"{'':10}" + "".join(f"{tier:>10}" for tier in TIERS), file=sys.stderr)
    for needs, row in found.as_json()["confusion"].items():
        print(f"{needs:10}" + "".join(f"{count:10}" for count in row.values()), file=sys.stderr)


def good(found: dict[str, Any]) -> bool:
    return bool(
        found["right_or_above"] >= RIGHT_OR_ABOVE
        and found["needless_frontier"] <= NEEDLESS
        and found["critical_to_frontier"] == found["critical"]
    )


if __name__ == "__main__":
    sys.exit(main())
