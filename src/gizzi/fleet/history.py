"""What is remembered of one validator: for each observation its latest value and since when it has stood."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gizzi.fleet.observation import Collected, Failure, Value

if TYPE_CHECKING:
    from gizzi.analysis.forecast import Outlook

SERIES_STEP_S = 15.0
SERIES_LENGTH = 480
"""At least 90 minutes of a series, one sample every 15 s: enough for a forecast, at most 8 KB each."""


class Track:
    """One observation over time. Times are epoch seconds; since_at: since when it has been seen without a gap."""

    __slots__ = ("at", "expires_at", "first_at", "moved_at", "moves", "samples", "since_at", "value")

    def __init__(self, value: Value, at: float, expires_at: float, *, series: bool) -> None:
        self.value = value
        self.first_at = self.since_at = self.moved_at = self.at = at
        self.expires_at = expires_at
        self.moves = 0
        self.samples: tuple[array[float], array[float]] | None = (array("d"), array("d")) if series else None

    def sample(self, value: float, at: float) -> None:
        times, values = self.samples or (array("d"), array("d"))
        if times and at - times[-1] < SERIES_STEP_S:
            return
        if len(values) > 1 and value == values[-1] == values[-2]:
            times[-1] = at  # of a value that stands only the first and the last sample are kept
            return
        times.append(at)
        values.append(value)
        if len(times) > SERIES_LENGTH:
            del times[: SERIES_LENGTH // 4]
            del values[: SERIES_LENGTH // 4]


class History:
    """All tracks of one validator, its sources' failures, and the highest finalized block it ever reported.

    current: the fresh values by name, kept as one dictionary so that a view costs one copy; `fresh` drops from it what has expired.
    dropped: how often it did. outlooks: the latest forecasts, by what they are of ("disk", "peers", "lag").
    """

    __slots__ = ("_lagging", "_names", "_soonest", "current", "dropped", "failures", "last_at", "outlooks", "series", "tracks", "watermark")

    def __init__(self, series: Iterable[str] = (), watermark: int | None = None) -> None:
        self.tracks: dict[str, Track] = {}
        self.current: dict[str, Value] = {}
        self.dropped = 0
        self.failures: dict[str, Failure] = {}
        self.outlooks: Mapping[str, Outlook] = {}
        self.series = frozenset(series)
        self.watermark = watermark
        self.last_at: float | None = None
        self._names: dict[str, tuple[float, set[str]]] = {}
        self._lagging: set[str] = set()
        self._soonest = float("inf")

    def observe(self, seen: Collected) -> bool:
        """Fold in one collection. `<source>_up` says whether the source answered. Returns whether anything is new, or back."""
        at, values, up_name = seen.at, seen.values, seen.source + "_up"
        expires_at = at + seen.fresh_for_s
        if up_name not in values:
            values = {**values, up_name: seen.failure is None}
        self.current.update(values)
        tracks = self.tracks
        names = self._names.get(seen.source + seen.by)
        same = names is not None and names[0] >= at and values.keys() == names[1]
        news = not same and self._note_gaps(values, at)
        for name, value in values.items():
            track = tracks.get(name)
            if track is None:
                track = tracks[name] = Track(value, at, expires_at, series=name in self.series)
                news = True
            elif value != track.value:
                track.value = value
                track.moved_at = at
                track.moves += 1
                news = True
            track.at = at
            track.expires_at = expires_at
            if track.samples is not None:
                track.sample(float(value), at)  # type: ignore[arg-type]
        self._renew(seen.source + seen.by, values, expires_at, same)
        finalized = values.get("finalized_height") or values.get("rpc_finalized_height")
        if finalized is not None and isinstance(finalized, int) and finalized > (self.watermark or -1):
            self.watermark = finalized
        if seen.failure is None:
            self.failures.pop(seen.source, None)
            self.last_at = at
        else:
            self.failures[seen.source] = seen.failure
        return news

    def fresh(self, now: float) -> float:
        """Drop from `current` what has expired; returns a time before which nothing more expires."""
        if now < self._soonest and not self._lagging:
            return self._soonest
        for source, (expires_at, names) in list(self._names.items()):
            if expires_at < now:
                self._lagging |= names
                del self._names[source]
        soonest = min((expires_at for expires_at, _ in self._names.values()), default=float("inf"))
        for name in list(self._lagging):
            expires_at = self.tracks[name].expires_at
            if expires_at < now:
                self.current.pop(name, None)
                self.dropped += 1
                self._lagging.discard(name)
            else:
                soonest = min(soonest, expires_at)
        self._soonest = soonest
        return soonest

    def _note_gaps(self, values: Mapping[str, Value], at: float) -> bool:
        """What had expired before it is seen again was not watched in between. Returns whether anything had."""
        gaps = False
        for name in values:
            track = self.tracks.get(name)
            if track is not None and track.expires_at < at:
                track.since_at = at
                gaps = True
        return gaps

    def _renew(self, source: str, values: Mapping[str, Value], expires_at: float, same: bool) -> None:
        """Note which names this collection renewed; those of the source's earlier ones that it did not go on by their own expiry.

        same: they are those of its last one.
        """
        before = self._names.get(source)
        if expires_at < self._soonest:
            self._soonest = expires_at
        if before is not None and same:
            self._names[source] = (expires_at, before[1])
            return
        names = set(values)
        if before is not None:
            self._lagging |= before[1] - names
        self._names[source] = (expires_at, names)
        self._lagging -= names


class ChainHistory:
    """Who votes, as the nodes' GRANDPA round states tell it. Keys are authority ids (public keys, hex).

    A voter that has not voted yet in a round that has just begun is not absent: only one that every answer named missing, for some
    time, is.
    An id counts as a voter once a round named it missing; before that, not being named means nothing.
    `voted_at` is the earliest a voter's latest vote can have been cast: when its round was first seen, however long the round lasts;
    `seen_voting_at` the latest: when that vote was last seen.
    Where finality stands still, votes of nodes that have died since stay visible in its last round.
    """

    STEP_S = 1.0
    MOST_ROUNDS_AT_ONCE = 10_000
    """A round further ahead than this is nonsense."""

    def __init__(self) -> None:
        self.set_id: int | None = None
        self.set_changed_at: float | None = None
        self.voters: set[str] = set()
        self.missing_since: dict[str, float] = {}
        self.voted_at: dict[str, float] = {}
        self.seen_voting_at: dict[str, float] = {}
        self._at = 0.0
        self._round: int | None = None
        self._round_at = 0.0

    def observe(self, set_id: int, missing: tuple[str, ...], at: float, round_number: int | None = None) -> None:
        """Fold in one answer. `missing` are the voters whose vote of the current round has not been seen.

        A round older than the newest one known is the news of a node that lags, and left out.
        """
        if set_id != self.set_id:
            if self.set_id is not None and set_id < self.set_id:
                return
            self.set_changed_at = at if self.set_id is not None else None
            self.set_id = set_id
            self.voters.clear()
            self.missing_since.clear()
            self._round = None
        elif at - self._at < self.STEP_S:
            return
        if round_number is not None and round_number != self._round:
            if self._round is not None and not self._round < round_number <= self._round + self.MOST_ROUNDS_AT_ONCE:
                return
            self._round, self._round_at = round_number, at
        self._at = at
        still = set(missing)
        cast_at = at if round_number is None else self._round_at
        for voter in self.voters - still:
            self.missing_since.pop(voter, None)
            self.voted_at[voter] = cast_at
            self.seen_voting_at[voter] = at
        for voter in still:
            self.missing_since.setdefault(voter, at)
        self.voters |= still

    def absent(self, now: float, for_s: float) -> frozenset[str]:
        """Voters that nobody has seen vote for at least `for_s`."""
        return frozenset(voter for voter, since in self.missing_since.items() if now - since >= for_s)
