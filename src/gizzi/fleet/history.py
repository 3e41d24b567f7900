"""What is remembered of one validator: for each observation its latest value and since when it has stood."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from gizzi.fleet.observation import Collected, Failure, Value

SERIES_STEP_S = 15.0
SERIES_LENGTH = 480
"""At most 2 hours of a series, one sample every 15 s: enough for a forecast, 8 KB each."""


class Track:
    """One observation over time. Times are epoch seconds."""

    __slots__ = ("at", "expires_at", "first_at", "moved_at", "moves", "samples", "value")

    def __init__(self, value: Value, at: float) -> None:
        self.value = value
        self.first_at = self.moved_at = self.at = at
        self.expires_at = at
        self.moves = 0
        self.samples: tuple[array[float], array[float]] | None = None

    def observe(self, value: Value, at: float, expires_at: float) -> None:
        if value != self.value:
            self.value = value
            self.moved_at = at
            self.moves += 1
        self.at = at
        self.expires_at = expires_at
        if self.samples is not None:
            self._sample(float(value), at)  # type: ignore[arg-type]

    def _sample(self, value: float, at: float) -> None:
        times, values = self.samples or (array("d"), array("d"))
        if times and at - times[-1] < SERIES_STEP_S:
            return
        times.append(at)
        values.append(value)
        if len(times) > SERIES_LENGTH:
            del times[: SERIES_LENGTH // 4]
            del values[: SERIES_LENGTH // 4]


class History:
    """All tracks of one validator, its sources' failures, and the highest finalized block it ever reported."""

    __slots__ = ("failures", "last_at", "series", "tracks", "watermark")

    def __init__(self, series: Iterable[str] = (), watermark: int | None = None) -> None:
        self.tracks: dict[str, Track] = {}
        self.failures: dict[str, Failure] = {}
        self.series = frozenset(series)
        self.watermark = watermark
        self.last_at: float | None = None

    def observe(self, seen: Collected) -> None:
        """Fold in one collection. `<source>_up` says whether the source answered."""
        expires_at = seen.at + seen.fresh_for_s
        for name, value in seen.values.items():
            self._track(name, value, seen.at, expires_at)
        up_name = f"{seen.source}_up"
        if up_name not in seen.values:
            self._track(up_name, seen.failure is None, seen.at, expires_at)
        if seen.failure is None:
            self.failures.pop(seen.source, None)
            self.last_at = seen.at
        else:
            self.failures[seen.source] = seen.failure

    def _track(self, name: str, value: Value, at: float, expires_at: float) -> None:
        track = self.tracks.get(name)
        if track is None:
            track = self.tracks[name] = Track(value, at)
            if name in self.series:
                track.samples = (array("d"), array("d"))
        track.observe(value, at, expires_at)
