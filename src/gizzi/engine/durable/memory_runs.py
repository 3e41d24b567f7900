"""Runs in memory, on whichever clock: for simulated time, single commands and tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from gizzi.clock import Clock
from gizzi.engine.durable import Procedure

log = structlog.get_logger("gizzi.runs")


class MemoryRun:
    def __init__(self, run_id: str, clock: Clock) -> None:
        self.id = run_id
        self._clock = clock

    async def step(self, name: str, function: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        return await function(*given)

    async def sleep(self, duration_s: float) -> None:
        await self._clock.sleep(duration_s)


class MemoryRuns:
    is_shared = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._procedures: dict[str, Procedure] = {}
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def register(self, name: str, procedure: Procedure) -> None:
        self._procedures[name] = procedure

    async def open(self) -> None:
        pass

    async def start(self, name: str, run_id: str, given: Mapping[str, Any]) -> None:
        if run_id not in self._tasks:
            running = self._procedures[name](MemoryRun(run_id, self._clock), **given)
            self._tasks[run_id] = asyncio.ensure_future(running)
            self._tasks[run_id].add_done_callback(lambda task: _log_failure(run_id, task))

    async def goes_on(self, run_id: str) -> bool:
        return run_id in self._tasks and not self._tasks[run_id].done()

    async def result(self, run_id: str) -> Any:
        return await self._tasks[run_id]

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        for task in self._tasks.values():
            with suppress(asyncio.CancelledError, Exception):
                await task


def _log_failure(run_id: str, task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("run_failed", run=run_id, error=repr(task.exception()))
