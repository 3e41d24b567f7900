"""A watched simulated fleet whose watcher can be killed and started again on the same store, all in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from gizzi.app import App, open_app
from gizzi.clock import SimulatedClock, run_simulated
from gizzi.config import Settings
from gizzi.engine.desk import Desk
from gizzi.sim.faults import Fault
from gizzi.sim.fleet import SimFleet
from gizzi.sim.runner import settings_for
from gizzi.store import Store, open_store


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Makes an async test run on a simulated loop."""

    def run() -> None:
        run_simulated(test())

    run.__name__ = test.__name__
    return run


class OffClock(SimulatedClock):
    """A machine's clock that may be wrong, and may be set."""

    off_s = 0.0

    def now(self) -> float:
        return super().now() + self.off_s


class Watched:
    """`start` begins to watch, `kill` ends it as SIGKILL does: nothing is tidied up. The fleet and the store live on."""

    def __init__(self, *faults: Fault, validators: int = 10, store: Store | None = None, **settings: Any) -> None:
        self.clock = OffClock()
        """The watcher's. The fleet has the right time."""
        self.fleet = SimFleet(SimulatedClock(), validators=validators, authorities=21, faults=faults)
        self.store = store or open_store("sqlite://")
        self.settings = settings_for(self.fleet)
        if settings:
            changed = Settings.model_validate({**self.settings.model_dump(by_alias=True, include={"ssh", "plugins"}), **settings})
            self.settings = changed.model_copy(update={"validators": self.settings.validators, "chains": self.settings.chains})
        self.told: list[tuple[float, int, str]] = []
        self.app: App | None = None
        self._opened: Any = None
        self._task: asyncio.Task[None] | None = None

    @property
    def now_s(self) -> float:
        """Seconds since the fleet began."""
        return self.fleet.clock.now() - self.fleet.start_at

    async def start(self) -> App:
        self._opened = open_app(self.settings, clock=self.clock, reach=self.fleet.reach(), store=self.store, live=False)
        self.app = await self._opened.__aenter__()
        self.app.watch.on_change.append(lambda change: self.told.append((self.now_s, change.incident.id, change.kind)))
        self._task = asyncio.create_task(self.app.watch.run())
        return self.app

    async def kill(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if not self._task.cancelled():
            self._task.result()
        await self._opened.__aexit__(None, None, None)
        self.app = None

    async def until(self, at_s: float) -> None:
        """Wait until so many seconds after the fleet began."""
        await self.clock.sleep(max(0.0, at_s - self.now_s))
        assert self._task is None or not self._task.done() or self.app is None, "the loop has ended"

    async def live(self, until_s: float, downs: Iterable[tuple[float, float]] = ()) -> Watched:
        """Watch until then, killed and started again: each (killed at, away for), in order."""
        await self.start()
        for at_s, away_s in downs:
            if at_s + away_s < until_s:
                await self.until(at_s)
                await self.kill()
                await self.clock.sleep(away_s)
                await self.start()
        await self.until(until_s)
        await self.kill()
        return self

    async def incidents(self) -> list[dict[str, Any]]:
        """Every incident, oldest first, as faces show it."""
        return sorted(await Desk(self.store, self.clock).incidents(limit=1000), key=lambda shown: int(shown["id"][4:]))

    async def rows(self) -> list[dict[str, Any]]:
        return await self.store.alert_rows()
