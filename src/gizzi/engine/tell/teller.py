"""Hears of changes, works out what is new, fills the outbox, and sees to it that it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from gizzi.alerts.correlate import Change
from gizzi.alerts.message import Message
from gizzi.alerts.mute import Maintenance, Silence
from gizzi.clock import Clock, duration_text, iso
from gizzi.config import Settings
from gizzi.engine.desk import incident_number
from gizzi.engine.tell import words
from gizzi.engine.tell.channels import Channel
from gizzi.engine.tell.delivery import GIVE_UP_S, STORE_RETRY_S, Delivery
from gizzi.engine.tell.news import Case, Note
from gizzi.engine.tell.outbox import NO_INCIDENT, Known, Letter, Outbox
from gizzi.engine.tell.plan import plan
from gizzi.engine.tell.routes import ways_of
from gizzi.errors import StoreError
from gizzi.readers.text import harmless
from gizzi.store import Store

log = structlog.get_logger("gizzi.tell")

OTHERS_EVERY_S = 2.0
"""How often what other processes wrote (acknowledgements, approvals asked for) is looked for, live."""
STORM_S = 300.0
LONGEST_PAUSE_S = 120.0
SAY_AGAIN_S = 60.0
STORE_DOWN_S = 60.0
"""A store that fails for so long is told without it."""
FINISH_LOOK_S = 0.1

Say = Callable[[str, str, str, Callable[[Connection], object]], Awaitable[None]]
"""`Teller.say`, for what writes something and tells people of it."""


class Teller:
    """mutes: what people muted, now. store_trouble: why the store cannot be used, None where it can."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        channels: dict[str, Channel],
        *,
        mutes: Callable[[], Sequence[Silence | Maintenance]] = lambda: (),
        store_trouble: Callable[[], str | None] = lambda: None,
        live: bool = True,
    ) -> None:
        self.channels = channels
        self._settings = settings
        self._store = store
        self._clock = clock
        self._mutes = mutes
        self._store_trouble = store_trouble
        self._live = live
        self._ways = ways_of(settings)
        self._outbox = Outbox(store)
        self._delivery = Delivery(self._outbox, channels, clock, live)
        self._look_at: dict[int, float] = {}
        self._acknowledged: set[int] = set()
        self._others_at = 0.0
        self._said_at = 0.0
        self._version = -1  # so that what was written before is noticed at the first step
        self._told_at: list[float] = []
        self._urgent: set[int] = set()
        self._trouble_since: float | None = None
        self._trouble_told = False

    def heard(self, change: Change) -> None:
        """An incident changed, and that is stored. It is looked at once the changes of one burst have come in."""
        if not self.channels:
            return
        if change.incident.severity == "critical":
            self._urgent.add(change.incident.id)
        self._look(change.incident.id, self._clock.now() + self._settings.notify.group_s)

    async def approval_asked(self, approval: Mapping[str, Any]) -> None:
        """A person's yes is needed: `id, incident, action, validator, reasons, expires_at`. Told once for each id.

        incident: such as inc-3, or None where a person asked for it. expires_at: epoch seconds, ISO 8601, or None. Raises StoreError.
        """
        await self._note("approval", str(approval["id"]), approval)

    async def approval_ended(self, approval_id: str) -> None:
        """It was answered, or needs none any more: nobody is asked from now on. Raises StoreError."""
        await self._outbox.end_notes([f"approval/{approval_id}"], self._clock.now())

    async def action_done(self, action: Mapping[str, Any]) -> None:
        """An action of an incident was judged: `id, incident, action, validator, outcome, verdict`.

        Told once for each id. Raises StoreError.
        """
        await self._note("action", str(action["id"]), action)

    async def say(self, about: str, title: str, body: str, work: Callable[[Connection], object]) -> None:
        """Something that a person should know, to the channels that are called first. What is untrusted in it must be harmless already.

        about: its own key, such as a run's id: told once, and each key pages by itself. work: writes what has happened; in one transaction
        with what is to be told of it, so that neither is kept without the other. Raises StoreError.
        """
        now = self._clock.now()
        if not self.channels:
            await self._store.run(work)
            return
        said = {"about": about, "title": title, "body": body}
        await self._outbox.add_note(Note(f"said/{about}"[:160], NO_INCIDENT, "said", now, now + GIVE_UP_S, said), work)
        self._look(NO_INCIDENT, now)

    async def finish(self, within_s: float) -> None:
        """Wait until all that was said has gone out: for a process that is about to end. What is left then is told by the next one."""
        self._urgent.add(NO_INCIDENT)
        self._look(NO_INCIDENT, self._clock.now())
        with suppress(TimeoutError, StoreError):
            async with asyncio.timeout(within_s):
                while self.channels and (await self._outbox.loose_notes() or await self._outbox.due()):
                    await self._clock.sleep(FINISH_LOOK_S)

    async def _note(self, kind: Any, name: str, detail: Mapping[str, Any]) -> None:
        if not self.channels:
            return
        now, named, expires = self._clock.now(), detail.get("incident"), detail.get("expires_at")
        incident = NO_INCIDENT if named is None else incident_number(str(named))
        expires_at = datetime.fromisoformat(expires).timestamp() if isinstance(expires, str) else expires
        await self._outbox.add_note(Note(f"{kind}/{name}"[:160], incident, kind, now, expires_at, detail))
        self._urgent.add(incident)
        self._look(incident, now + self._settings.notify.group_s)

    async def run(self) -> None:
        """Tell until cancelled. Without channels there is nothing to do."""
        if not self.channels:
            return
        try:
            while not await self._started():
                await self._clock.sleep(STORE_RETRY_S)
            while True:
                await self._step()
                await self._wait()
        finally:
            await self._delivery.close()

    async def _started(self) -> bool:
        """Take up what an earlier process left."""
        now = self._clock.now()
        try:
            for incident, opened_at in (await self._outbox.unfinished(now)).items():
                self._look(incident, max(now, opened_at + self._settings.notify.group_s))
            await self._delivery.load()
        except StoreError as error:
            self._waits(error, now)
            self._tell_of_the_store(now)
            return False
        return True

    async def _step(self) -> None:
        now = self._clock.now()
        try:
            await self._notice_others(now)
            if any(at <= now for at in self._times()):
                await self._tell(now)
        except StoreError as error:
            self._waits(error, now)
            self._others_at = now + STORE_RETRY_S
        self._tell_of_the_store(now)
        await self._delivery.go(now)

    async def _wait(self) -> None:
        """Until something is due, is heard, or another process may have written something."""
        times = [*self._times(), *([self._delivery.due] if self._delivery.due is not None else [])]
        if self._live:
            times.append(self._clock.now() + OTHERS_EVERY_S)
        left_s = max(0.0, min(times) - self._clock.now()) if times else None
        with suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                await self._delivery.wake.wait()
        self._delivery.wake.clear()

    def _times(self) -> list[float]:
        """When something is to be looked at. In a storm, what is not urgent is collected, and then told together."""
        pause_until = self._told_at[-1] + pause_s(self._settings.notify.group_s, len(self._told_at)) if self._told_at else 0.0
        return [at if incident in self._urgent else max(at, pause_until) for incident, at in self._look_at.items()]

    def _look(self, incident: int, at: float) -> None:
        self._look_at[incident] = min(at, self._look_at.get(incident, at))
        self._delivery.wake.set()

    async def _notice_others(self, now: float) -> None:
        """What was written beside us: notes of other processes, acknowledgements."""
        if now < self._others_at or not (self._live or self._store.version != self._version):
            return
        self._others_at, self._version = now + OTHERS_EVERY_S, self._store.version
        acknowledged = set(await self._store.acknowledged())
        for incident in await self._outbox.with_news() | (acknowledged - self._acknowledged):
            self._look(incident, now + self._settings.notify.group_s)
        self._acknowledged = acknowledged

    async def _tell(self, now: float) -> None:
        """Work out what is new about what is due, and put it into the outbox; what is due soon goes with it where all is known already."""
        group_s = self._settings.notify.group_s
        looked = {incident: at for incident, at in self._look_at.items() if at <= now + group_s}
        for number in looked:
            del self._look_at[number]
        self._urgent.difference_update(looked)
        try:
            if NO_INCIDENT in looked:
                await self._tell_loose(now)
            for known in await self._outbox.known(list(looked)):
                incident = known.case.incident
                if looked[incident.id] > now and known.version == 0 and incident.decision is None:
                    self._look(incident.id, looked[incident.id])
                else:
                    await self._tell_one(Known(replace(known.case, mutes=self._mutes()), known.version), now)
            if self._delivery.due is not None and self._delivery.due <= now:
                self._told_at = [*(at for at in self._told_at if now - at < STORM_S), now]
        except StoreError:
            for number in looked:
                self._look(number, now + STORE_RETRY_S)
            raise

    async def _tell_one(self, known: Known, now: float) -> None:
        case = known.case
        one_by_one = {channel.id: channel.one_by_one for channel in self.channels.values()}
        planned = plan(case, self._ways, one_by_one, self._settings.notify.remind, now)
        if planned.told is not None:
            letters = [self._letter(case, channel, news, now) for channel, news in planned.to.items()]
            if await self._outbox.tell(known, planned.told, letters, now):
                for letter in letters:
                    self._delivery.expect(letter.channel, now)
            self._look(case.incident.id, now + self._settings.notify.group_s)
            return
        if planned.look_at is not None:
            self._look(case.incident.id, planned.look_at)
        if stale := [note.key for note in case.notes if not note.said and note.is_moot(case.over, now)]:
            await self._outbox.end_notes(stale, now)

    async def _tell_loose(self, now: float) -> None:
        """What belongs to no incident: what was said, and approvals; of those pagers, which know incidents only, are not told."""
        called = self._ways.wanted("medium", now, 0.0)
        for note in await self._outbox.loose_notes():
            told = [channel for channel in called if note.kind == "said" or not self.channels[channel].one_by_one]
            if note.is_moot(False, now):
                told = []
                if note.kind == "said":
                    log.error("message_lost", title=note.detail["title"], why=f"nobody told it within {duration_text(GIVE_UP_S)}")
            message = words.of_note(note, self._settings.network.name, now)
            letters = [Letter(NO_INCIDENT, channel, self.channels[channel].label, message) for channel in told]
            if await self._outbox.tell_note(note, letters, now):
                for letter in letters:
                    self._delivery.expect(letter.channel, now)

    def _letter(self, case: Case, channel: str, news: Sequence[Any], now: float) -> Letter:
        message = words.message(case, news, self._settings.network.name, now)
        return Letter(case.incident.id, channel, self.channels[channel].label, message)

    def _waits(self, error: StoreError, now: float) -> None:
        """Say so, at once and then every minute."""
        if now - self._said_at >= SAY_AGAIN_S:
            self._said_at = now
            log.error("telling_waits", error=str(error))

    def _tell_of_the_store(self, now: float) -> None:
        """A store that goes on failing cannot be told through the outbox: the channels that are called first hear it at once, once."""
        trouble = self._store_trouble()
        if trouble is None:
            if self._trouble_told:
                self._say_to_all("Over: the store works again", "What happened meanwhile is being kept and told.", now, over=True)
            self._trouble_since, self._trouble_told = None, False
            return
        self._trouble_since = now if self._trouble_since is None else self._trouble_since
        if not self._trouble_told and now - self._trouble_since >= STORE_DOWN_S:
            self._trouble_told = True
            body = f"{harmless(trouble)}\nGizzi goes on watching, but cannot keep or tell what happens. Look: gizzi doctor"
            self._say_to_all("CRITICAL: Gizzi cannot use its store", body, now, over=False)

    def _say_to_all(self, title: str, body: str, now: float, *, over: bool) -> None:
        message = Message(title, body, "critical", "gizzi-store", "resolved" if over else "opened", over, iso(now) or "")
        called = [self.channels[channel] for channel in self._ways.wanted("critical", now, 0.0)]
        self._delivery.at_once(called, message)


def pause_s(group_s: float, lately: int) -> float:
    """How long after the latest message the next one waits: twice as long for each that went out in the last 5 min, up to 2 min."""
    return max(group_s, min(LONGEST_PAUSE_S, group_s * 2.0 ** min(max(lately - 1, 0), 10)))
