"""A simulated fleet that is upgraded in virtual time, with a person who says yes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from gizzi.app import App, open_app
from gizzi.clock import SimulatedClock
from gizzi.config import Settings, Validator
from gizzi.engine.workflows.desk import WorkflowDesk
from gizzi.reach import Reach
from gizzi.sections import Policy, Upgrade
from gizzi.sim.faults import Fault
from gizzi.sim.fleet import SimFleet
from gizzi.sim.runner import settings_for
from gizzi.store import open_store

COMMAND = ("sudo", "-n", "/usr/local/bin/upgrade-node", "{version}")
NEW = "1.21.0"
Spoil = Callable[[SimFleet, int], None]


class WatchedSsh:
    """Hears of every upgrade, and may spoil it."""

    def __init__(self, inner: Any, yard: Yard) -> None:
        self._inner = inner
        self._yard = yard

    async def run(self, validator: Validator, command: Sequence[str], **more: Any) -> str:
        said: str = await self._inner.run(validator, command, **more)
        if "/usr/local/bin/upgrade-node" in command:
            self._yard.upgraded.append((self._yard.fleet.clock.now() - self._yard.fleet.start_at, validator.number))
            self._yard.spoil(self._yard.fleet, validator.number)
        return said


class Yard:
    """upgraded: (seconds since the start, validator) of each upgrade command, in order. blind: nobody reads the nodes' metrics."""

    def __init__(self, *faults: Fault, validators: int, spoil: Spoil, blind: bool = False, **policy: Any) -> None:
        self.clock = SimulatedClock()
        self.fleet = SimFleet(self.clock, validators=validators, faults=faults)
        self.upgraded: list[tuple[float, int]] = []
        self.spoil = spoil
        self.said: list[str] = []
        reach = self.fleet.reach()
        self.reach = Reach(reach.node, WatchedSsh(reach.ssh, self), reach.http)
        base = settings_for(self.fleet)
        self.settings = base.model_copy(
            update={"policy": Policy.model_validate(policy), "upgrade": Upgrade.model_validate({"command": COMMAND, "session": "12m"})}
        )
        if blind:
            seen = tuple(v.model_copy(update={"metrics_url": None}) for v in self.settings.validators)
            self.settings = self.settings.model_copy(update={"validators": seen})
        self.app: App | None = None
        self.answers: Callable[[dict[str, Any]], bool | None] = lambda approval: True
        self.asked: list[dict[str, Any]] = []

    async def person(self) -> None:
        """Answers each approval once."""
        assert self.app is not None
        seen: set[str] = set()
        while True:
            await self.clock.sleep(20)
            for approval in await self.app.actions.approvals():
                yes = self.answers(approval)
                if approval["id"] not in seen and yes is not None:
                    seen.add(approval["id"])
                    self.asked.append(approval)
                    await self.app.actions.decide(approval["id"], yes=yes, by="ada", why="no" if not yes else "")

    async def run(self, name: str = "rolling-upgrade", /, **given: str) -> dict[str, Any]:
        """The run, once it has ended."""
        assert self.app is not None
        desk = WorkflowDesk(self.app.store, self.clock)
        run_id = await desk.want(self.app.registry, name, given, "ada")
        await self.app.workflows.start(run_id)
        await self.app.workflows.runs.result(run_id)
        return await desk.run(run_id)


@asynccontextmanager
async def yard(
    *faults: Fault, validators: int = 21, spoil: Spoil = lambda fleet, number: None, blind: bool = False, **policy: Any
) -> AsyncIterator[Yard]:
    here = Yard(*faults, validators=validators, spoil=spoil, blind=blind, **policy)
    store = open_store("sqlite://")
    async with open_app(here.settings, clock=here.clock, reach=here.reach, store=store, live=False) as app:
        here.app = app
        app.workflows.on_say.append(lambda _, text: here.said.append(text))
        tasks = [asyncio.create_task(app.work()), asyncio.create_task(here.person())]
        try:
            yield here
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
    store.close()


def settings_without_upgrade(settings: Settings) -> Settings:
    return settings.model_copy(update={"upgrade": Upgrade()})
