"""A watch whose validators show what a test says, minute by minute, so that days are kept in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from gizzi import registry
from gizzi.config import Settings, Validator
from gizzi.engine.foresight.foresight import Foresight
from gizzi.engine.past.block import MINUTES, NAMES, Block
from gizzi.engine.past.past import Past
from gizzi.engine.past.rows import write
from gizzi.fleet.history import History
from gizzi.store import Store
from tools.simulated import START_AT, HandClock

Shows = Callable[[int, float], dict[str, Any]]
"""What a validator shows, by its number and the seconds since the beginning."""


class Kept:
    """past and foresight as in an app. Let time go by with `go`."""

    def __init__(self, store: Store, shows: Shows, numbers: Sequence[int] = (1, 2, 3), clock: HandClock | None = None) -> None:
        self.clock = clock or HandClock()
        self.settings = Settings(validators=tuple(Validator(number=n, rpc_url="http://127.0.0.1:1") for n in numbers))
        self.troubles: list[str] = []
        fleet = SimpleNamespace(
            validators={v.number: v for v in self.settings.validators},
            histories={n: History() for n in numbers},
            view=lambda number, now: _Shown(shows(number, now - START_AT)),
        )
        self.watch: Any = SimpleNamespace(
            clock=self.clock,
            store=store,
            fleet=fleet,
            validators=self.settings.validators,
            registry=registry.load(self.settings),
            settings=self.settings,
            live=False,
            record={},
            books=SimpleNamespace(failed=lambda error: self.troubles.append(str(error))),
        )
        self.past = Past(self.watch)
        self.foresight = Foresight(self.watch)

    async def go(self, hours: float, *, save: bool = True, foresee: bool = False) -> Kept:
        """A sample in the middle of each minute, saved every half an hour."""
        first = int(self.clock.at // 60)
        for minute in range(first, first + round(hours * 60)):
            self.clock.at = minute * 60.0 + 30.0
            await self.past.sample()
            if save and minute % 30 == 29:
                await self.past.save()
            if foresee and minute % 60 == 59:
                await self.foresight.look()
        self.clock.at += 30.0
        return self


class _Shown:
    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> None:
        return None


def keep_hours(store: Store, numbers: Sequence[int], now: float, hours: int, shows: Shows) -> None:
    """What a watch would have kept of the full hours before now. shows: by the seconds since the first of them."""
    end = MINUTES.begin(now)
    for number in numbers:
        blocks = []
        for begins_at in range(end - hours * 3600, end, 3600):
            block = Block(number, MINUTES, begins_at)
            for at in range(begins_at + 30, begins_at + 3600, 60):
                shown = shows(number, at - (end - hours * 3600))
                block.put(at, [shown.get(name) for name in NAMES])
            blocks.append(block)
        store.run_now(partial(write, changed=blocks, now=now))
