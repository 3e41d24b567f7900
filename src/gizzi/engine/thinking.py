"""Decisions on their way: a model may think for a minute, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gizzi.alerts.incident import Incident
from gizzi.engine import reflex
from gizzi.engine.decide.decider import Decider, Thought


class Thinking:
    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._running: dict[int, tuple[asyncio.Task[Thought], float | None]] = {}

    def begin(self, incident: Incident, situation: reflex.Situation) -> None:
        """Unless it is being thought about already."""
        if incident.id not in self._running:
            task = asyncio.ensure_future(self._decider.decide(incident, situation))
            self._running[incident.id] = (task, incident.decide_at)

    def about(self, incident: int) -> bool:
        return incident in self._running

    def take(self) -> list[tuple[int, Thought, float | None]]:
        """What has been thought since the last call: the incident, the thought, and when it had been due."""
        done = {number: (task, due) for number, (task, due) in self._running.items() if task.done()}
        for number in done:
            del self._running[number]
        return [(number, task.result(), due) for number, (task, due) in done.items()]

    async def stop(self) -> None:
        for task, _ in self._running.values():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._running.clear()
