"""Sources that a test makes up, and a collector that runs them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from gizzi.clock import Clock
from gizzi.config import Settings, Validator
from gizzi.engine.collect import Collector
from gizzi.fleet.fleet import Fleet
from gizzi.fleet.observation import Collected
from gizzi.kinds import Source
from gizzi.marks import source
from gizzi.reach import Reach


class Nowhere:
    """A way in that leads nowhere; for sources that do not use it."""

    async def metrics(self, *_: Any) -> Any:
        raise AssertionError("nobody should ask")

    rpc = get = get_json = run = metrics


NO_REACH = Reach(Nowhere(), Nowhere(), Nowhere())  # type: ignore[arg-type]


def a_source(name: str, collect: Callable[..., Any], **marks: Any) -> Source:
    """What `@source(name, …)` makes of a function."""
    found: Source = getattr(source(name, **marks)(collect), "__gizzi__")  # noqa: B009 - the mark is no attribute a checker knows
    return found


class Bench:
    """A collector of made-up sources, and everything it filed, with the time since it began."""

    def __init__(self, sources: Iterable[Source], clock: Clock, *, validators: int = 3, threads: bool = False, **collect: Any) -> None:
        settings = Settings.model_validate({"collect": collect, "plugins": {"folder": "/nonexistent"}})
        self.validators = [Validator(number=n, chain="main") for n in range(1, validators + 1)]
        self.clock = clock
        self.began_at = clock.now()
        self.fleet = Fleet(self.validators, {"main": settings.chain("main")})
        self.collector = Collector(list(sources), settings, self.validators, NO_REACH, clock, self.fleet, threads=threads)
        self.filed: list[Collected] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Bench]:
        tasks = [asyncio.create_task(loop) for loop in self.collector.loops()]
        try:
            yield self
        finally:
            self.take()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self, for_s: float) -> Bench:
        async with self.running():
            await self.clock.sleep(for_s)
        return self

    def take(self) -> list[Collected]:
        taken = self.collector.take()
        self.filed += taken
        return taken

    def of(self, number: int, by: str) -> list[Collected]:
        self.take()
        return [c for c in self.filed if c.validator == number and c.by == by]

    def times(self, number: int, by: str) -> list[float]:
        """Seconds since the start at which that source of that validator was filed."""
        return [round(c.at - self.began_at, 3) for c in self.of(number, by)]
