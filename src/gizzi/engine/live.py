"""What faces show while the loop runs: the statuses, made once however many ask, the last two hours, and what happens."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from itertools import groupby
from typing import Any

from gizzi.alerts.correlate import Change
from gizzi.clock import iso
from gizzi.engine.act.response import News
from gizzi.engine.events import Events
from gizzi.engine.past.block import MINUTES, stretch_of
from gizzi.engine.past.rows import read
from gizzi.engine.trend import NAMES, Trend
from gizzi.engine.watch import STEP_S, Watch
from gizzi.errors import StoreError

LOOK_S = 1.0
MOST_AT_ONCE = 200
"""Validators named in one event; where more change at once, the event says how many."""
LONGEST = 500
TREND_S = 7200.0
AT_ONCE = 100


class Live:
    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.events = Events(watch.clock)
        self.trend = Trend()
        self.taken_up = asyncio.Event()
        """Set once what was kept is in `trend`, or could not be read."""
        self._made_at = -math.inf
        self._statuses: list[dict[str, Any]] = []
        self._healths: dict[int, str] = {}
        self._seen_by: dict[int, str | None] = {}
        watch.on_change.append(self._hear)

    def statuses(self) -> list[dict[str, Any]]:
        """Of every validator, made at most once an evaluation."""
        now = self._watch.clock.now()
        if not 0 <= now - self._made_at < STEP_S:
            self._statuses, self._made_at = self._watch.statuses(), now
        return self._statuses

    def network(self) -> dict[str, Any]:
        """The network's status as every face shows it."""
        statuses = self.statuses()
        return {"network": self._watch.settings.network.name, "at": iso(self._made_at), "validators": statuses}

    async def keep(self) -> None:
        """Look every second, without end."""
        with suppress(StoreError):  # the watch tells of it
            await self.take_up()
        self.taken_up.set()
        while True:
            self.look()
            await self._watch.clock.sleep(LOOK_S)

    async def take_up(self) -> None:
        """The last two hours as an earlier process kept them. Raises StoreError."""
        now = self._watch.clock.now()
        numbers = sorted(self._watch.fleet.validators)
        columns, times = {}, [at for at, _ in stretch_of([], MINUTES, now - TREND_S, now - MINUTES.step_s).over(NAMES[0])]
        for first in range(0, len(numbers), AT_ONCE):
            part = numbers[first : first + AT_ONCE]
            found = await self._watch.store.run(lambda c, of=part: read(c, MINUTES, of, MINUTES.begin(now - TREND_S), int(now)))  # type: ignore[misc]
            for number, blocks in groupby(found, key=lambda block: block.number):
                kept = stretch_of(list(blocks), MINUTES, now - TREND_S, now - MINUTES.step_s)
                columns[number] = [kept.columns[name] for name in NAMES]
        if columns:
            begin = min(at for of in columns.values() for at, value in enumerate(of[0]) if value is not None or at == len(of[0]) - 1)
            self.trend.take_up(times[begin:], {number: [column[begin:] for column in of] for number, of in columns.items()})

    def look(self) -> None:
        """Tell whose health has changed, and who looks after what; take a sample where one is due."""
        now = self._watch.clock.now()
        if self.events.followers or self.trend.is_due(now):
            self._tell_healths()
        if self.trend.is_due(now):
            self.trend.add(now, self._statuses)
        for incident in self._watch.correlator.open.values():
            by = incident.acknowledged_by
            if by is not None and self._seen_by.get(incident.id) != by:
                self._seen_by[incident.id] = by
                self._hear(Change(incident, now, "acknowledged", f"acknowledged by {by}"))
        self._seen_by = {number: by for number, by in self._seen_by.items() if number in self._watch.correlator.open}

    def _tell_healths(self) -> None:
        healths = {status["number"]: status["health"] for status in self.statuses()}
        before, self._healths = self._healths, healths
        changed = [number for number, health in healths.items() if before and before.get(number) != health]
        if changed:
            named = [{"number": number, "health": healths[number], "was": before.get(number)} for number in changed[:MOST_AT_ONCE]]
            self.events.publish("status", {"at": iso(self._made_at), "changed": len(changed), "validators": named})

    def _hear(self, change: Change) -> None:
        incident = change.incident
        told = {
            "at": iso(change.at),
            "change": change.kind,
            "incident": f"inc-{incident.id}",
            "state": incident.state,
            "severity": incident.severity,
            "rule": incident.rule,
            "text": change.text[:LONGEST],
        }
        self.events.publish("incident", told)

    async def hear_news(self, news: News) -> None:
        """Of actions and of approvals that are asked for."""
        action = news.action
        told = {
            "at": iso(news.at),
            "change": news.kind,
            "action": action["id"],
            "incident": action["incident"],
            "validator": action["validator"],
            "approval": None if news.approval is None else news.approval["id"],
            "needs_person": news.needs_person,
            "text": news.text[:LONGEST],
        }
        self.events.publish("action", told)

    def answered(self, approval: dict[str, Any]) -> None:
        """A person said yes or no, in this process."""
        told = {name: approval[name] for name in ("incident", "validator", "decided_by")}
        self.events.publish("action", {"at": approval["decided_at"], "change": approval["state"], "approval": approval["id"], **told})
