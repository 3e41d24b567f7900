"""Takes a sample of every validator each minute, keeps them in the store, and reads back what was kept.

An hour's samples of a validator are one row, written every five minutes; the loop itself only fills arrays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from gizzi.engine.past import rows
from gizzi.engine.past.block import MINUTES, NAMES, QUARTERS, Block, Stretch, Tier
from gizzi.errors import StoreError

if TYPE_CHECKING:
    from gizzi.engine.watch import Watch

T = TypeVar("T")
SAVE_EVERY_S = 300.0
PRUNE_EVERY_S = 3600.0
AT_ONCE = 100
"""Validators in one transaction, so that what matters more never waits for long."""
LAST_S = 3.0
"""How long the last save may take before the process ends."""
MOST_WAITING = 4
"""So many ended hours of each validator wait for a store that fails."""
LONGEST_MINUTES_S = 26 * 3600.0
"""A longer span is told by quarters of an hour."""


class Past:
    """Since a restart it holds what earlier processes kept."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._running: dict[int, Block] = {}
        self._ended: list[Block] = []
        self._saving = asyncio.Lock()

    async def keep(self) -> None:
        """Without end: sample in the middle of each minute, save now and then."""
        clock = self._watch.clock
        await self.take_up()
        save_at, prune_at = clock.now() + SAVE_EVERY_S, clock.now()
        try:
            while True:
                await clock.sleep(MINUTES.step_s - (clock.now() - MINUTES.step_s / 2) % MINUTES.step_s)
                now = clock.now()
                await self.sample()
                if not 0 < save_at - now <= SAVE_EVERY_S:
                    save_at = now + SAVE_EVERY_S
                    await self.save()
                if not 0 < prune_at - now <= PRUNE_EVERY_S:
                    prune_at = now + PRUNE_EVERY_S
                    await self._prune()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_S):
                    await self.save()

    async def take_up(self) -> None:
        """The hour that an earlier process began. Where the store fails, it is not taken up, and what this one sees replaces it."""
        begins_at = MINUTES.begin(self._watch.clock.now())
        store = self._watch.store
        try:
            last_at = await store.run(lambda c: rows.last_hour(c, begins_at))
            for numbers in _parts([validator.number for validator in self._watch.validators]):
                found = await store.run(partial(rows.read, tier=MINUTES, numbers=numbers, first=begins_at, last=begins_at))
                self._running.update({block.number: block for block in found})
                if last_at is not None:  # it may not have joined its day
                    self._ended += await store.run(partial(rows.read, tier=MINUTES, numbers=numbers, first=last_at, last=last_at))
        except StoreError as error:
            self._watch.books.failed(error)

    async def sample(self) -> None:
        """What is known of every validator now. The loop has its turn between a hundred and the next."""
        now = self._watch.clock.now()
        begins_at = MINUTES.begin(now)
        fleet = self._watch.fleet
        for place, number in enumerate(fleet.validators):
            if place % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            block = self._running.get(number)
            if block is None or block.begins_at != begins_at:
                if block is not None:
                    self._ended.append(block)
                block = self._running[number] = Block(number, MINUTES, begins_at)
            view = fleet.view(number, now)
            block.put(now, [getattr(view, name) for name in NAMES])

    async def save(self) -> None:
        """Write what is new. Where the store fails, it waits."""
        async with self._saving:
            for part in _parts([*self._ended, *(block for block in self._running.values() if block.changed)]):
                try:
                    await self._watch.store.run(partial(rows.write, changed=part, now=self._watch.clock.now()))
                except StoreError as error:
                    for block in part:
                        block.changed = True
                    del self._ended[: max(0, len(self._ended) - MOST_WAITING * len(self._running))]
                    self._watch.books.failed(error)
                    return
                kept = {id(block) for block in part}
                self._ended = [block for block in self._ended if id(block) not in kept]

    async def stretch(self, number: int, span_s: float) -> Stretch:
        """The last span_s of one validator: by minutes up to a day, by quarters of an hour up to a month. Raises StoreError."""
        now = self._watch.clock.now()
        tier = tier_of(span_s)
        running = self._running.get(number)
        return await self._watch.store.run(lambda c: rows.stretch(c, number, tier, now - min(span_s, tier.kept_s), now, running))

    async def _prune(self) -> None:
        with suppress(StoreError):
            await self._watch.store.run(lambda c: rows.prune(c, self._watch.clock.now()))


def tier_of(span_s: float) -> Tier:
    return MINUTES if span_s <= LONGEST_MINUTES_S else QUARTERS


def _parts(items: Collection[T]) -> list[list[T]]:
    listed = list(items)
    return [listed[at : at + AT_ONCE] for at in range(0, len(listed), AT_ONCE)]
