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
        finalized = seen.values.get("finalized_height")
        if isinstance(finalized, int) and finalized > (self.watermark or -1):
            self.watermark = finalized
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


class ChainHistory:
    """Who votes, as the nodes' GRANDPA round states tell it. Keys are authority ids (public keys, hex).

    A voter that has not voted yet in a round that has just begun is not absent: only one that every answer named missing, for some
    time, is.
    An id counts as a voter once a round named it missing; before that, not being named means nothing.
    """

    STEP_S = 1.0

    def __init__(self) -> None:
        self.set_id: int | None = None
        self.set_changed_at: float | None = None
        self.voters: set[str] = set()
        self.missing_since: dict[str, float] = {}
        self.voted_at: dict[str, float] = {}
        self._at = 0.0

    def observe(self, set_id: int, missing: tuple[str, ...], at: float) -> None:
        """Fold in one answer. `missing` are the voters whose vote of the current round has not been seen."""
        if set_id != self.set_id:
            if self.set_id is not None and set_id < self.set_id:
                return
            self.set_changed_at = at if self.set_id is not None else None
            self.set_id = set_id
            self.voters.clear()
            self.missing_since.clear()
        elif at - self._at < self.STEP_S:
            return
        self._at = at
        still = set(missing)
        for voter in self.voters - still:
            self.missing_since.pop(voter, None)
            self.voted_at[voter] = at
        for voter in still:
            self.missing_since.setdefault(voter, at)
        self.voters |= still

    def absent(self, now: float, for_s: float) -> frozenset[str]:
        """Voters that nobody has seen vote for at least `for_s`."""
        return frozenset(voter for voter, since in self.missing_since.items() if now - since >= for_s)
