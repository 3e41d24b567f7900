"""A teller over a store, with channels that keep what they are told, or fail, or hang; without a fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from gizzi.alerts.correlate import Change
from gizzi.alerts.incident import Incident
from gizzi.alerts.message import Message
from gizzi.clock import Clock, LiveClock
from gizzi.config import Settings, parse
from gizzi.engine import records
from gizzi.engine.tell.channels import Channel
from gizzi.engine.tell.routes import addresses
from gizzi.engine.tell.teller import Teller
from gizzi.kinds import Notifier
from gizzi.store import Store, open_store
from tools.incidents import alert


class Box:
    """One channel: `got` is what it was told. fails: it raises. hangs: it never answers."""

    def __init__(self, url: str, nth: int, *, one_by_one: bool = False) -> None:
        self.got: list[Message] = []
        self.tries = 0
        self.fails = self.hangs = False

        async def take(message: Message) -> None:
            self.tries += 1
            if self.hangs:
                await asyncio.Event().wait()
            if self.fails:
                raise ConnectionError(f"no way to {url}")
            self.got.append(message)

        notifier = Notifier(url, take, one_by_one, ("message",), True, "", "")
        self.channel = Channel(url, nth, notifier, {}, threads=False)

    @property
    def titles(self) -> list[str]:
        return [message.title for message in self.got]


class Telling:
    """boxes: the channels by their addresses; those whose address begins with `pager` keep incidents of their own."""

    def __init__(self, notify: Mapping[str, Any], *, clock: Clock | None = None, store: Store | None = None, live: bool = False) -> None:
        self.clock = clock or LiveClock()
        self.store = store or open_store("sqlite://")
        self.settings: Settings = parse({"network": {"name": "net"}, "notify": notify}, "test")
        self.boxes = {url: Box(url, nth, one_by_one=url.startswith("pager")) for nth, url in enumerate(addresses(self.settings), 1)}
        self.incidents: dict[int, Incident] = {}
        self.mutes: list[Any] = []
        self.trouble: str | None = None
        self.live = live
        self.teller = self._teller()
        self._task: asyncio.Task[None] | None = None

    def _teller(self) -> Teller:
        channels = {box.channel.id: box.channel for box in self.boxes.values()}
        return Teller(
            self.settings,
            self.store,
            self.clock,
            channels,
            mutes=lambda: self.mutes,
            store_trouble=lambda: self.trouble,
            live=self.live,
        )

    def start(self) -> None:
        self._task = asyncio.create_task(self.teller.run())

    async def kill(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if not self._task.cancelled():
            self._task.result()

    async def restart(self) -> None:
        await self.kill()
        self.teller = self._teller()
        self.start()

    async def change(self, number: int, kind: str = "opened", *, tell: bool = True, **fields: Any) -> Incident:
        """Make or change an incident, and store it as the loop does. tell: whether the teller hears of it."""
        now = self.clock.now()
        incident = self.incidents.setdefault(number, Incident(number, "flare", now))
        if not incident.alerts:
            found = alert(number)
            found.incident = number
            incident.alerts[found.key] = found
        for name, value in fields.items():
            setattr(incident, name, value)
        if incident.state == "resolved":
            incident.resolved_at = now
            for found in incident.alerts.values():
                found.state = "resolved"
        rows = [records.alert_row(found) for found in incident.alerts.values()]
        told = Change(incident, now, kind, "")  # type: ignore[arg-type]
        await self.store.record([(records.incident_row(incident), True)], rows, [records.event_row(told)])
        if tell:
            self.teller.heard(told)
        return incident
