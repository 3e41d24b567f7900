"""Where the live screen gets what it shows: the daemon that watches on this store, or an app of its own where none does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from gizzi.app import App, open_app
from gizzi.clock import Clock, LiveClock
from gizzi.config import Settings
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.desk import Desk
from gizzi.engine.detail import detail
from gizzi.engine.known import store_exists
from gizzi.engine.link import Link, find_daemon
from gizzi.errors import GizziError, NotFound
from gizzi.screen.words import HEALTHS
from gizzi.store import open_store
from gizzi.tui.trend import KEPT, PERIOD_S, Trends

MOST_INCIDENTS = 200
KEPT_WITHIN_S = 5.0
PAST_S = int(KEPT * PERIOD_S)
NEEDED = frozenset(
    {
        "number",
        "name",
        "chain",
        "block_height",
        "finalized_height",
        "finalization_lag",
        "peers",
        "health",
        "reasons",
        "version",
        "observed_at",
    }
)


class Feed(Protocol):
    """desk, actions: what is kept. words: where the fleet is seen from. Each call raises GizziError where it cannot be had."""

    clock: Clock
    desk: Desk
    actions: ActionDesk

    @property
    def words(self) -> str: ...

    async def statuses(self) -> Sequence[Mapping[str, Any]]: ...

    async def validator(self, number: int) -> Mapping[str, Any]: ...

    async def panels(self) -> Sequence[Mapping[str, Any]]: ...

    async def trend(self) -> Mapping[str, Any]: ...


class DaemonFeed:
    """Live from a daemon's API."""

    def __init__(self, link: Link, clock: Clock, desk: Desk, actions: ActionDesk) -> None:
        self._link = link
        self.clock, self.desk, self.actions = clock, desk, actions

    @property
    def words(self) -> str:
        return f"live from the daemon at {self._link.url}"

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        found = await self._link.get("/api/network/status")
        statuses = found.get("validators") if isinstance(found, dict) else None
        return [status for status in statuses or () if isinstance(status, dict) and status.keys() >= NEEDED and status["health"] in HEALTHS]

    async def validator(self, number: int) -> Mapping[str, Any]:
        found = await self._link.get(f"/api/validator/{number}")
        return found if isinstance(found, dict) else {}

    async def panels(self) -> Sequence[Mapping[str, Any]]:
        found = await self._link.get("/api/panels")
        return found if isinstance(found, list) else []

    async def trend(self) -> Mapping[str, Any]:
        found = await self._link.get(f"/api/network/trend?span_s={PAST_S}")
        return found if isinstance(found, dict) else {}


class OwnFeed:
    """From an app that watches in this process. running: its loop."""

    def __init__(self, app: App, running: asyncio.Task[None]) -> None:
        self._app = app
        self._running = running
        self.clock, self.desk, self.actions = app.clock, app.desk, app.actions

    words = "no daemon watches this fleet: watching it here, until you quit"

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        if self._running.done() and not self._running.cancelled():
            self._running.result()
            raise GizziError("the watch has ended")
        return self._app.watch.statuses()

    async def validator(self, number: int) -> Mapping[str, Any]:
        return detail(self._app.watch, number)

    async def panels(self) -> Sequence[Mapping[str, Any]]:
        return await self._app.panels.shown()

    async def trend(self) -> Mapping[str, Any]:
        async with asyncio.timeout(KEPT_WITHIN_S):
            await self._app.live.taken_up.wait()
        return self._app.live.trend.as_json(self.clock.now() - PAST_S)


@asynccontextmanager
async def open_feed(settings: Settings) -> AsyncIterator[Feed]:
    """A daemon's where one watches with this store, else one of our own, which then is the only loop on it. Raises GizziError."""
    clock = LiveClock()
    if store_exists(settings.store.url):
        store = open_store(settings.store.url)
        try:
            if await find_daemon(store, clock) is not None:
                async with Link(settings, store, clock) as link:
                    yield DaemonFeed(link, clock, Desk(store, clock), ActionDesk(store, clock))
                return
        finally:
            store.close()
    async with open_app(settings) as app:
        await app.claim()
        running = asyncio.create_task(app.run())
        try:
            yield OwnFeed(app, running)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError, GizziError):
                await running


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found; of what could not be had, what was seen last. at, seen_at: of this look, and of the last that saw the fleet,
    epoch seconds. panels: None until somebody looks at them. detail, incident: what was asked for. trouble: why something is old."""

    at: float = 0.0
    seen_at: float | None = None
    statuses: Sequence[Mapping[str, Any]] = ()
    incidents: Sequence[Mapping[str, Any]] = ()
    approvals: Sequence[Mapping[str, Any]] = ()
    panels: Sequence[Mapping[str, Any]] | None = None
    detail: Mapping[str, Any] | None = None
    incident: Mapping[str, Any] | None = None
    trouble: Sequence[str] = ()


class Looker:
    """Looks again and again. wanted: the validator's number or the incident's id whose details are shown, None for neither."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.trends = Trends()
        self._took_up = False
        self.seen = Seen()
        self.wanted: int | str | None = None
        self.wants_panels = False

    async def look(self) -> Seen:
        """Never raises what GizziError covers: that is `trouble`."""
        now = self.feed.clock.now()
        seen, trouble = replace(self.seen, at=now), []
        try:
            seen = replace(seen, statuses=await self.feed.statuses(), seen_at=now)
            await self._take_up(now, seen.statuses)
            self.trends.add(now, seen.statuses)
            if self.wants_panels:
                seen = replace(seen, panels=await self.feed.panels())
        except GizziError as error:
            trouble.append(str(error))
        try:
            incidents = await self.feed.desk.incidents(limit=MOST_INCIDENTS)
            incidents.sort(key=lambda incident: incident["state"] == "resolved")
            seen = replace(seen, incidents=incidents, approvals=await self.feed.actions.approvals())
        except GizziError as error:
            trouble.append(str(error))
        seen = await self._details(seen, trouble)
        self.seen = replace(seen, trouble=tuple(dict.fromkeys(trouble)))
        return self.seen

    async def _take_up(self, now: float, statuses: Sequence[Mapping[str, Any]]) -> None:
        """Once: what the watch has kept of the last minutes. Without it the lines begin empty."""
        if self._took_up:
            return
        self._took_up = True
        with suppress(GizziError, TimeoutError, KeyError, TypeError, ValueError, IndexError):
            past = await self.feed.trend()
            self.trends.take_up(now, past["at"], past["validators"], statuses)

    async def _details(self, seen: Seen, trouble: list[str]) -> Seen:
        try:
            if isinstance(self.wanted, int):
                return replace(seen, detail=await self.feed.validator(self.wanted))
            if isinstance(self.wanted, str):
                return replace(seen, incident=await self.feed.desk.incident(self.wanted))
        except NotFound:
            return replace(seen, detail=None, incident=None)
        except GizziError as error:
            trouble.append(str(error))
        return seen
