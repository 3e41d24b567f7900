"""Tokens of a decision about an incident that has happened before, against the first time, everything counted: instructions, prompt, tool
schemas, each look-up and its answer, and the whole history again at every turn. Bytes on the wire / 3.5.

The incidents are real ones of a simulated fleet; the model is a scripted provider on loopback that, the first time, makes the look-ups
listed below. How many a model makes is its own affair, so the share is shown for each number of them; the floor holds for one.
Run: python benchmarks/recall_tokens.py
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _live import finish, say

from gizzi.clock import run_simulated
from gizzi.engine.decide.decider import Decider, Thought
from gizzi.engine.decide.recall import Case
from gizzi.engine.decide.router_mind import RouterMind
from gizzi.engine.reflex import Situation
from gizzi.engine.watch import Watch
from gizzi.models.hard import BYTES_PER_TOKEN
from gizzi.models.router import Router
from tools.deciding import ROLE, situation_in
from tools.models import settings_for
from tools.providers import chat, provider
from tools.simulated import fault
from tools.watching import Watched

FLOOR = 0.25
FLOOR_LOOKUPS = 1
FAULTS = {"peers_low": ("peers_drop", {"peers": 1}), "node_down": ("node_down", {}), "best_stalled": ("best_stall", {})}
LOOKUPS: list[tuple[str, dict[str, Any]]] = [
    ("history", {"validator": 6, "observation": "metrics_up", "minutes": 30}),
    ("logs", {"validator": 6, "lines": 50}),
    ("status", {"validator": 7}),
    ("rpc", {"validator": 7, "method": "grandpa_roundState"}),
    ("status", {"validator": 6}),
]


@dataclass
class Standing:
    """The fleet at one moment: the watch, with a clock that stands."""

    watch: Watch
    at: float

    def __post_init__(self) -> None:
        self.settings, self.reach, self.fleet, self.clock = self.watch.settings, self.watch.reach, self.watch.fleet, self

    def now(self) -> float:
        return self.at

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(0)


def incident_of(kind: str, more: dict[str, Any]) -> tuple[Standing, Situation]:
    """The moment at which a fleet's first incident is to be decided."""

    async def play() -> tuple[Standing, Situation]:
        watched = Watched(fault(kind, **more), validators=21)
        app = await watched.start()
        await watched.until(260)
        incident = next(iter(app.watch.correlator.open.values()))
        found = Standing(app.watch, watched.clock.now()), situation_in(app.watch, incident)
        await watched.kill()
        return found

    return run_simulated(play())


def answer_for(situation: Situation) -> str:
    observation, text = next(iter(situation.incident.cause().evidence))
    cited = [{"observation": observation, "quote": text}]
    reasoning = "It alone is affected, the others are well, its database is intact and no second signer is known; a restart is the remedy."
    return json.dumps({"action": "restart", "reasoning": reasoning, "confidence": 0.9, "evidence": cited, "estimated_downtime_min": 2})


async def tokens_of(standing: Standing, situation: Situation, lookups: int, cases: list[Case]) -> tuple[int, int, Thought]:
    """(tokens, requests, the decision)."""

    async def recall(_: Any) -> list[Case]:
        return cases

    said = answer_for(situation)
    replies = [chat(tool=LOOKUPS[i]) for i in range(lookups)]
    with tempfile.TemporaryDirectory() as folder:
        async with provider(*replies, chat(said)) as fake:
            rows = {"mine/m": {"tier": "frontier", "price": {"input": 1, "output": 2}}}
            settings = settings_for(fake.url, Path(folder), models=rows, tiers={"frontier": ["mine/m"], "standard": []})
            async with Router(settings) as router:
                decider = Decider(standing, ROLE, RouterMind(router), recall=recall)
                thought = await decider.decide(situation.incident, situation)
            sent = sum(len(json.dumps(asked, ensure_ascii=False).encode()) for asked in fake.asked)
            got = len(said.encode()) + sum(len(json.dumps(arguments)) + len(name) for name, arguments in LOOKUPS[:lookups])
            return round((sent + got) / BYTES_PER_TOKEN), fake.calls, thought


async def main() -> None:
    shares: dict[str, Any] = {}
    ok = True
    for rule, (kind, more) in FAULTS.items():
        standing, situation = await asyncio.to_thread(incident_of, kind, more)
        assert situation.incident.rule == rule
        first = {n: await tokens_of(standing, situation, n, []) for n in range(len(LOOKUPS) + 1)}
        thought = first[FLOOR_LOOKUPS][2]
        case = Case("inc-1", standing.at - 86_400, rule, (9,), "the same", "restart", "resolved", thought.decision.reasoning)
        again = await tokens_of(standing, situation, 0, [case])
        assert all(found[2].decision.action == "restart" and found[2].decision.tier == "frontier" for found in (*first.values(), again))
        assert [found[1] for found in first.values()] == [n + 1 for n in first] and again[1] == 1
        share = {n: round(again[0] / tokens, 3) for n, (tokens, _, _) in first.items()}
        shares[rule] = {"again": again[0], "first_by_lookups": {n: found[0] for n, found in first.items()}, "share_by_lookups": share}
        ok = ok and share[FLOOR_LOOKUPS] <= FLOOR
        say(f"{rule}: {shares[rule]}")
    finish({"benchmark": "recall_tokens", "incidents": shares, "floor": f"<= {FLOOR} with {FLOOR_LOOKUPS} look-up or more", "ok": ok})


if __name__ == "__main__":
    asyncio.run(main())
