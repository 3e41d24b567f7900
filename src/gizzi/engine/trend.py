"""The last two hours of every validator, for charts: one sample every 15 s in memory, some 8 KB a validator. After a restart it begins with
what the store kept, one sample a minute."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EVERY_S = 15.0
LENGTH = 480
NAMES = ("block_height", "finalization_lag", "peers")
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Point:
    """None: not known then."""

    at: float
    block_height: int | None
    finalization_lag: int | None
    peers: int | None


class Trend:
    def __init__(self, length: int = LENGTH) -> None:
        self._length = length
        self._times = array("d")
        self._columns: dict[int, list[array[int]]] = {}

    def is_due(self, now: float) -> bool:
        """Also where the clock was set back."""
        return not self._times or not 0 <= now - self._times[-1] < EVERY_S

    def add(self, at: float, statuses: Iterable[Mapping[str, Any]]) -> None:
        if self._times and at < self._times[-1]:
            self._times, self._columns = array("d"), {}
        for status in statuses:
            columns = self._columns.get(status["number"])
            if columns is None:
                columns = self._columns[status["number"]] = [array("q", [UNKNOWN]) * len(self._times) for _ in NAMES]
            for column, name in zip(columns, NAMES, strict=True):
                column.append(_whole(status[name]))
        self._times.append(at)
        if len(self._times) > self._length:
            self._forget(self._length // 4)

    def take_up(self, times: Sequence[float], columns: Mapping[int, Sequence[Sequence[int | None]]]) -> None:
        """What was kept of the time before the first sample. columns: by validator, those of NAMES, a value for each time."""
        count = sum(at < self._times[0] for at in times) if self._times else len(times)
        for number, mine in self._columns.items():
            for column, old in zip(mine, columns.get(number, [[None] * count] * len(NAMES)), strict=True):
                column[:0] = array("q", [_whole(value) for value in old[:count]])
        for number in columns.keys() - self._columns.keys():
            later = array("q", [UNKNOWN]) * len(self._times)
            self._columns[number] = [array("q", [_whole(value) for value in old[:count]]) + later for old in columns[number]]
        self._times[:0] = array("d", times[:count])

    def of(self, number: int) -> list[Point]:
        """Oldest first."""
        columns = self._columns.get(number)
        if columns is None:
            return []
        rows = zip(self._times, *columns, strict=True)
        return [Point(at, *(None if value == UNKNOWN else value for value in values)) for at, *values in rows]

    def as_json(self, since: float) -> dict[str, Any]:
        """Of every validator, since then. Columns, so that 1,000 validators stay small."""
        first = bisect_left(self._times, since)
        return {
            "at": list(self._times[first:]),
            "validators": {
                number: {
                    name: [None if value == UNKNOWN else value for value in column[first:]]
                    for name, column in zip(NAMES, columns, strict=True)
                }
                for number, columns in self._columns.items()
            },
        }

    def _forget(self, count: int) -> None:
        del self._times[:count]
        for columns in self._columns.values():
            for column in columns:
                del column[:count]


def _whole(value: float | None) -> int:
    """As it is kept. Pages may claim anything: what is no height is not known."""
    return int(value) if value is not None and 0 <= value < 2**63 else UNKNOWN
