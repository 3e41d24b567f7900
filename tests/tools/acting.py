"""The door and the workflow over a scripted world and scripted actions: no fleet, whichever clock and store."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import insert, update

from gizzi import registry as registries
from gizzi.clock import Clock, SimulatedClock
from gizzi.config import Settings, parse
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.act.door import Door
from gizzi.engine.act.response import NAME, News, Response
from gizzi.engine.act.verdict import Look
from gizzi.engine.act.world import World
from gizzi.engine.durable import Runs
from gizzi.engine.durable.memory_runs import MemoryRuns
from gizzi.guard import Answer
from gizzi.reach import Reach
from gizzi.store import Store, open_store, schema

CLEAN: dict[str, bool | None] = {
    "up": False,
    "db_lost": False,
    "twin_running": False,
    "unclean_stop": False,
    "in_session_change": False,
    "maintenance": False,
}


def look_at(number: int, at: float, **more: Any) -> Look:
    """Down, and nothing against a restart."""
    facts = {**CLEAN, **more.pop("facts", {})}
    given = {"missing": [number], "rejoined": False, "seen_at": at, "health": "critical", "alerts": ["node_down"], **more}
    return Look(at=at, number=number, chain=given.pop("chain", "flare"), facts=facts, authorities=given.pop("authorities", 21), **given)


def well(number: int, at: float, **more: Any) -> Look:
    return look_at(number, at, **{"facts": {"up": True}, "missing": [], "rejoined": True, "health": "healthy", "alerts": [], **more})


class ScriptedWorld:
    """Every validator is down until `does` says that it was restarted; `says` overrides, by number."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.mended: set[int] = set()
        self.says: dict[int, Callable[[float], Look | None]] = {}

    async def look(self, number: int) -> Look | None:
        now = self.clock.now()
        if number in self.says:
            return self.says[number](now)
        return well(number, now) if number in self.mended else look_at(number, now)

    async def freshen(self, number: int) -> None:
        """What it says is always of this moment."""


def settings_of(*numbers: int, **policy: Any) -> Settings:
    raw = {
        "validators": [{"number": number, "name": f"v{number}", "chain": "flare", "host": "h", "unit": "u"} for number in numbers],
        "policy": {"mode": "auto", **policy},
        "plugins": {"folder": "/nonexistent"},
    }
    return parse(raw, "the test")


def door_of(settings: Settings, store: Store, clock: Clock, world: World, does: Callable[..., Awaitable[Any]], worker: str) -> Door:
    """Every write is carried out by `does(validator)`."""
    registry = registries.load(settings)
    for action in [action for action in registry.actions if action.writes]:
        registry.actions.replace(dataclasses.replace(action, run=does, wants=("validator",), awaits=True))
    return Door(settings, store, clock, registry, Reach(node=None, ssh=None, http=None), world, worker)  # type: ignore[arg-type]


def add_incident(store: Store, number: int, validator: int, *, decision: str = "restart", at: float, rule: str = "node_down") -> None:
    """Open, and decided."""
    decided = {"action": decision, "reasoning": "it is down", "confidence": 1.0, "evidence": [], "tier": "reflex", "model": None}
    row = {
        "id": number,
        "rule": rule,
        "severity": "high",
        "chain": "flare",
        "validators": json.dumps([validator]),
        "state": "triggered",
        "summary": f"Validator {validator} is down",
        "opened_at": at,
        "decision": json.dumps({**decided, "estimated_downtime_min": 1, "escalate_to": None}),
    }
    alert = {
        "subject": f"validator/{validator}",
        "rule": rule,
        "since": at,
        "severity": "high",
        "text": "down",
        "validators": json.dumps([validator]),
        "evidence": "[]",
        "state": "firing",
        "flaps": 0,
        "incident": number,
    }
    event = {"incident": number, "at": at, "kind": "decided", "text": decision}
    for table, values in ((schema.incidents, row), (schema.alerts, alert), (schema.events, event)):
        store.run_now(lambda c, table=table, values=values: c.execute(insert(table).values(**values)))  # type: ignore[misc]


def change_incident(store: Store, number: int, **values: Any) -> None:
    store.run_now(lambda c: c.execute(update(schema.incidents).where(schema.incidents.c.id == number).values(**values)))


class Scene:
    """Incident 1 is validator 6, down; what is done to it is in `done`."""

    def __init__(self, store: Store | None = None, clock: Clock | None = None, runs: Runs | None = None, **policy: Any) -> None:
        self.clock = clock or SimulatedClock()
        self.store = store or open_store("sqlite://")
        self.world = ScriptedWorld(self.clock)
        self.settings = settings_of(5, 6, 7, **policy)
        self.done: list[int] = []
        self.does: Callable[[Any], Awaitable[Any]] = self._mend
        self.door = door_of(self.settings, self.store, self.clock, self.world, self._do, "host:1")
        self.news: list[News] = []
        self.response = Response(self.door, [self._hear])
        self.runs = runs or MemoryRuns(self.clock)
        self.runs.register(NAME, self.response.respond)
        self.desk = ActionDesk(self.store, self.clock)
        add_incident(self.store, 1, 6, at=self.clock.now())

    async def _do(self, validator: Any) -> Any:
        self.done.append(validator.number)
        return await self.does(validator)

    async def _mend(self, validator: Any) -> str:
        self.world.mended.add(validator.number)
        return "restarted"

    async def _hear(self, news: News) -> None:
        self.news.append(news)

    @property
    def kinds(self) -> list[str]:
        return [news.kind for news in self.news]

    async def begin(self, incident: int | None = 1, validator: int = 6, run: str = "inc-1-1", action: str = "restart") -> None:
        given = {"incident": incident, "action": action, "validator": validator, "why": "it is down", "by": "the reflex tier"}
        await self.runs.start(NAME, run, given)

    async def end(self, run: str = "inc-1-1") -> dict[str, Any]:
        found: dict[str, Any] = await self.runs.result(run)
        return found

    async def until(self, condition: Callable[[], Any]) -> None:
        for _ in range(20_000):
            if condition():
                return
            await self.clock.sleep(1.0)
            await asyncio.sleep(0)
        raise AssertionError(f"never; told: {[(n.kind, n.text) for n in self.news]}")

    async def asked(self, count: int = 1) -> str:
        """The latest approval, once so many were asked for."""
        await self.until(lambda: self.kinds.count("asked") >= count)
        (approval, *_) = await self.desk.approvals()
        return str(approval["id"])

    async def guard(self, number: int = 1) -> Answer:
        return await self.door.ask_guard(number)
