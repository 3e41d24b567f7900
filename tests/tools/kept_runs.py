"""Durable runs in simulated time, which a test ends at any boundary of a step: what a step returned is kept as JSON, as DBOS does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from gizzi.clock import Clock
from gizzi.engine.durable import Procedure


class Kept:
    """What outlives a process. dies: (number of the step over all runs' first passes, "before" or "after" its effect), once."""

    def __init__(self, dies: tuple[int, str] | None = None) -> None:
        self.dies = dies
        self.died = asyncio.Event()
        self.started: dict[str, tuple[str, dict[str, Any]]] = {}
        self.results: dict[str, Any] = {}
        self.steps: dict[str, list[tuple[str, str]]] = {}
        self.count = 0


class KeptRun:
    def __init__(self, run_id: str, kept: Kept, clock: Clock) -> None:
        self.id = run_id
        self._kept = kept
        self._clock = clock
        self._at = 0

    async def step(self, name: str, function: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        log = self._kept.steps.setdefault(self.id, [])
        self._at += 1
        if self._at <= len(log):
            assert log[self._at - 1][0] == name, "the same steps in the same order"
            return json.loads(log[self._at - 1][1])
        self._kept.count += 1
        number = self._kept.count
        await self._may_die(number, "before")
        result = await function(*given)
        await self._may_die(number, "after")
        log.append((name, json.dumps(result)))
        return json.loads(log[-1][1])

    async def _may_die(self, number: int, when: str) -> None:
        if self._kept.dies == (number, when):
            self._kept.dies = None
            self._kept.died.set()
            await asyncio.get_running_loop().create_future()

    async def sleep(self, duration_s: float) -> None:
        until = await self.step("sleep", self._until, duration_s)
        await self._clock.sleep(max(0.0, until - self._clock.now()))

    async def _until(self, duration_s: float) -> float:
        return self._clock.now() + duration_s


class KeptRuns:
    is_shared = False

    def __init__(self, kept: Kept, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._procedures: dict[str, Procedure] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def register(self, name: str, procedure: Procedure) -> None:
        self._procedures[name] = procedure

    async def open(self) -> None:
        for run_id in self._kept.started.keys() - self._kept.results.keys():
            self._begin(run_id)

    async def start(self, name: str, run_id: str, given: Mapping[str, Any]) -> None:
        if run_id not in self._kept.started:
            self._kept.started[run_id] = (name, dict(given))
            self._begin(run_id)

    def _begin(self, run_id: str) -> None:
        self._tasks.append(asyncio.ensure_future(self._run(run_id)))

    async def _run(self, run_id: str) -> None:
        name, given = self._kept.started[run_id]
        self._kept.results[run_id] = await self._procedures[name](KeptRun(run_id, self._kept, self._clock), **given)

    async def knows(self, run_id: str) -> bool:
        return run_id in self._kept.started

    async def goes_on(self, run_id: str) -> bool:
        return run_id in self._kept.started and run_id not in self._kept.results

    async def result(self, run_id: str) -> Any:
        while run_id not in self._kept.results:
            for task in self._tasks:
                if task.done() and not task.cancelled():
                    task.result()
            await self._clock.sleep(1)
        return self._kept.results[run_id]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
