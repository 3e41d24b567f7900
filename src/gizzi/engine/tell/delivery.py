"""From the outbox to the channels: each by itself, so that one that hangs or is down holds up no other.

A message is taken by a conditional update, sent, and marked as sent. Who dies between sending and marking leaves it to be taken again
once the claim has run out: a channel may then hear it twice, and never not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from gizzi.alerts.message import Message
from gizzi.clock import Clock, duration_text
from gizzi.engine.tell import words
from gizzi.engine.tell.channels import SEND_S, Channel
from gizzi.engine.tell.outbox import Outbox, Parcel
from gizzi.errors import StoreError

log = structlog.get_logger("gizzi.tell")

CLAIM_S = 3 * SEND_S
"""How long who has taken messages has for the first, and after it for the next; then another may take them."""
FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 300.0
GIVE_UP_S = 86400.0
"""After so long a message is lost, which is logged and shown by `gizzi doctor`: nobody wants yesterday's."""
STORE_RETRY_S = 5.0


class Delivery:
    """`due` is when the next message is due, epoch seconds; None: none waits."""

    def __init__(self, outbox: Outbox, channels: Mapping[str, Channel], clock: Clock, live: bool) -> None:
        self._outbox = outbox
        self._channels = channels
        self._clock = clock
        self._live = live
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._unmarked: dict[str, list[int]] = {}
        self._due: dict[str, float] = {}
        self._down_until: dict[str, float] = {}
        self._aside: set[asyncio.Task[None]] = set()
        self.wake = asyncio.Event()

    @property
    def due(self) -> float | None:
        return min((at for channel, at in self._due.items() if channel not in self._busy), default=None)

    async def load(self) -> None:
        """Take up what an earlier process left. What waits for channels that are configured no more is given up, and logged."""
        self._due = await self._outbox.due()
        for channel in self._due.keys() - self._channels.keys():
            for title in await self._outbox.drop(channel):
                log.error("message_lost", title=title, why="its channel is not configured any more")
            del self._due[channel]

    def expect(self, channel: str, at: float) -> None:
        """There is something for a channel. While it is down, what is new waits with what is old, so that messages come in order."""
        at = max(at, self._down_until.get(channel, at))
        self._due[channel] = min(at, self._due.get(channel, at))

    async def go(self, now: float) -> None:
        """Begin to send whatever is due to channels that are not busy; in simulated time, send it."""
        for channel in [channel for channel, at in self._due.items() if at <= now and channel not in self._busy]:
            if self._live:
                self._busy[channel] = task = asyncio.create_task(self._serve(self._channels[channel]))
                task.add_done_callback(lambda _, channel=channel: self._done(channel))  # type: ignore[misc]
            else:
                await self._serve(self._channels[channel])

    def at_once(self, channels: Sequence[Channel], message: Message) -> None:
        """Send without the outbox, once: for what the store cannot keep."""
        for channel in channels:
            task = asyncio.create_task(self._send_at_once(channel, message))
            self._aside.add(task)
            task.add_done_callback(self._aside.discard)

    async def _send_at_once(self, channel: Channel, message: Message) -> None:
        error = await channel.send(message)
        if error is not None:
            log.error("channel_failed", channel=channel.label, error=error, title=message.title)

    async def close(self) -> None:
        tasks = [*self._busy.values(), *self._aside]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, channel: str) -> None:
        self._busy.pop(channel, None)
        self.wake.set()

    async def _serve(self, channel: Channel) -> None:
        """Send what is due to one channel, until nothing is, or it fails."""
        self._due.pop(channel.id, None)
        try:
            while True:
                await self._mark()
                now = self._clock.now()
                claim, parcels = await self._outbox.claim(channel.id, now, now + CLAIM_S)
                for batch in batches(parcels, channel.one_by_one):
                    if not await self._send(channel, claim, batch):
                        parcels = []
                        break
                if not parcels:
                    break
            next_at = (await self._outbox.due()).get(channel.id)
            if next_at is not None:
                self.expect(channel.id, next_at)
        except StoreError as error:
            log.error("outbox_failed", channel=channel.label, error=str(error))
            self.expect(channel.id, self._clock.now() + STORE_RETRY_S)

    async def _send(self, channel: Channel, claim: str, batch: Batch) -> bool:
        """Whether it went out. Where it did not, whatever was claimed with it waits behind it, so that messages come in order."""
        error = await channel.send(batch.message)
        now = self._clock.now()
        if error is None:
            self._down_until.pop(channel.id, None)
            self._unmarked.setdefault(claim, []).extend(parcel.id for parcel in batch.parcels)
            await self._mark()
            return True
        lost = [parcel for parcel in batch.parcels if now - parcel.at >= GIVE_UP_S]
        for parcel in lost:
            log.error("message_lost", channel=channel.label, title=parcel.message.title, tries=parcel.tries + 1, error=error)
        again_s = retry_s(max(parcel.tries for parcel in batch.parcels))
        self._down_until[channel.id] = now + again_s
        await self._outbox.failed(claim, [p.id for p in batch.parcels], [p.id for p in lost], error, now + again_s)
        log.error("channel_failed", channel=channel.label, error=error, messages=len(batch.parcels), again_in=duration_text(again_s))
        return False

    async def _mark(self) -> None:
        """Note what was sent; again, where the store failed at it before."""
        for claim, ids in list(self._unmarked.items()):
            await self._outbox.sent(claim, ids, self._clock.now())
            self._unmarked.pop(claim, None)


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes out as one message."""

    message: Message
    parcels: Sequence[Parcel]


def batches(parcels: Sequence[Parcel], one_by_one: bool) -> list[Batch]:
    """All as one message; who keeps incidents of its own gets each by itself. Of an incident that is over, only its end is told."""
    by_incident: dict[str | None, list[Parcel]] = {}
    for parcel in parcels:
        by_incident.setdefault(parcel.message.incident, []).append(parcel)
    found: list[Batch] = []
    for several in by_incident.values():
        ended = max((n for n, parcel in enumerate(several, 1) if parcel.message.over), default=0)
        found += [Batch(several[ended - 1].message, several[:ended])] if ended else []
        found += [Batch(parcel.message, [parcel]) for parcel in several[ended:]]
    found.sort(key=lambda batch: batch.parcels[-1].id)
    return found if one_by_one or not found else [Batch(words.together([batch.message for batch in found]), parcels)]


def retry_s(tries: int) -> float:
    """5 s, 10 s, 20 s … 5 min."""
    return float(min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(tries, 16)))
