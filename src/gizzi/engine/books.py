"""What must be kept, on its way into the store, and what people said, on its way out of it.

Evaluations never wait for the store: what happened is written in order, told once it is written, and waits here while the store fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import Connection

from gizzi.alerts.book import Turn
from gizzi.alerts.correlate import REOPEN_S, Change
from gizzi.alerts.mute import Maintenance, Silence
from gizzi.clock import Clock
from gizzi.engine import records
from gizzi.engine.act import rows
from gizzi.errors import StoreError
from gizzi.store import Store, acknowledged, mutes

log = structlog.get_logger("gizzi.store")

CONTROL_EVERY_S = 2.0
"""How often what other processes wrote is looked for."""
SAY_AGAIN_S = 60.0
"""A store that goes on failing is told this often."""
RESTARTS_OF_S = 1800.0
"""For so long it counts which restarts were ours, and which of them did not help."""
STATE_NEWS = {"opened", "reopened", "resolved", "merged"}
"""Changes that set an incident's state; with any other, a person's acknowledgement in the store stands."""


class Books:
    """on_change: who hears of every change once it is stored. trouble: why the store cannot be used now."""

    def __init__(self, store: Store, clock: Clock, on_change: Sequence[Callable[[Change], None]]) -> None:
        self._store = store
        self._clock = clock
        self._on_change = on_change
        self._unsaved: list[tuple[Turn, list[Change]]] = []
        self._marks: dict[int, int] = {}
        self._news = asyncio.Event()
        self._said_at = 0.0
        self._read_version = -1
        self.mutes: list[Silence | Maintenance] = []
        self._acknowledged: dict[int, str] = {}
        self.tried: dict[int, str] = {}
        self.restarted: dict[int, float] = {}
        self.unhelped: list[tuple[str | None, str, int]] = []
        self._newly_tried: set[int] = set()
        self.trouble: str | None = None

    @property
    def waiting(self) -> int:
        """How many evaluations wait for the store."""
        return len(self._unsaved)

    def add(self, turn: Turn, changes: list[Change]) -> None:
        """One evaluation's changes, to be written and then told."""
        if changes or turn.fired or turn.resolved:
            self._unsaved.append((turn, changes))
            self._news.set()

    def add_marks(self, marks: Mapping[int, int]) -> None:
        """The highest finalized blocks, to be written."""
        self._marks.update(marks)
        self._news.set()

    async def keep(self) -> None:
        """Write and read without end, beside the evaluations."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CONTROL_EVERY_S):
                    await self._news.wait()
            self._news.clear()
            await self.save()
            await self.read()

    async def save(self) -> None:
        """Write what waits, then tell it. Where the store fails, it waits on."""
        try:
            await self._write_changes()
            await self._write_marks()
        except StoreError as error:
            self.failed(error)

    async def _write_changes(self) -> None:
        batch = list(self._unsaved)
        if not batch:
            return
        turns = [turn for turn, _ in batch]
        everything = [change for _, changes in batch for change in changes]
        incidents = {change.incident.id: change.incident for change in everything}
        news = {change.incident.id for change in everything if change.kind in STATE_NEWS}
        alerts = {(*a.key, a.since): a for turn in turns for a in (*turn.fired, *turn.resolved, *turn.changed)}
        alerts |= {(*a.key, a.since): a for incident in incidents.values() for a in incident.alerts.values()}
        await self._store.record(
            [(records.incident_row(incident), incident.id in news) for incident in incidents.values()],
            [records.alert_row(alert) for alert in alerts.values()],
            [records.event_row(change) for change in everything],
        )
        del self._unsaved[: len(batch)]
        self.works()
        for change in everything:
            for listener in self._on_change:
                listener(change)

    async def _write_marks(self) -> None:
        marks = dict(self._marks)
        if marks:
            await self._store.set_watermarks(marks)
            self._marks = {number: height for number, height in self._marks.items() if height != marks.get(number)}

    async def read(self) -> None:
        """Silences, maintenance and acknowledgements, as they stand now. Where the store fails, those known so far stay."""
        try:
            await self.load()
        except StoreError as error:
            self.failed(error)

    async def load(self) -> None:
        """The same. Raises StoreError."""
        version = self._store.version
        now = self._clock.now()

        def work(connection: Connection) -> tuple[Any, ...]:
            said = mutes(connection, now), acknowledged(connection), rows.tried(connection, now - REOPEN_S)
            return *said, rows.restarted(connection, now, RESTARTS_OF_S), rows.unhelped(connection, now, RESTARTS_OF_S)

        (silences, windows), self._acknowledged, tried, self.restarted, self.unhelped = await self._store.run(work)
        self._newly_tried |= {incident for incident, how in tried.items() if self.tried.get(incident) != how}
        self.tried = tried
        self.mutes = [*(Silence(**row) for row in silences), *(Maintenance(**row) for row in windows)]
        self._read_version = version

    def take_acknowledged(self) -> dict[int, str]:
        """The open incidents that a person has acknowledged, and who, by the latest reading; nothing until the next one."""
        taken, self._acknowledged = self._acknowledged, {}
        return taken

    def take_tried(self) -> set[int]:
        """The incidents for which something has been done since the last call that did not help."""
        taken, self._newly_tried = self._newly_tried, set()
        return taken

    @property
    def is_read(self) -> bool:
        """Whether everything that was said through this store object has been read."""
        return self._store.version == self._read_version

    def failed(self, error: StoreError) -> None:
        """Say so, at once and then every minute. Nothing is lost: what waits is written once it can be."""
        now = self._clock.now()
        if self.trouble is None or now - self._said_at >= SAY_AGAIN_S:
            self._said_at = now
            log.error("store_failed", error=str(error), waiting=self.waiting)
        self.trouble = str(error)

    def works(self) -> None:
        """Whoever has just written to it says so."""
        if self.trouble is not None:
            self.trouble = None
            log.info("store_works_again")
