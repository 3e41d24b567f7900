"""What is remembered of one validator: for each observation its latest value and since when it has stood."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

from gizzi.fleet.observation import Collected, Failure, Value

SERIES_STEP_S = 15.0
SERIES_LENGTH = 480
"""At least 90 minutes of a series, one sample every 15 s: enough for a forecast, at most 8 KB each."""


_NOTHING = object()


class Look:
    """When a source last saw what it tells of, and until when that is believed; epoch seconds. All its tracks share it."""

    __slots__ = ("at", "expires_at")

    def __init__(self, at: float, expires_at: float) -> None:
        self.at = at
        self.expires_at = expires_at


class Track:
    """One observation over time. Times are epoch seconds; since_at: since when it has been seen without a gap."""

    __slots__ = ("first_at", "look", "moved_at", "moves", "samples", "since_at", "value")

    def __init__(self, value: Value, look: Look, *, series: bool) -> None:
        self.value = value
        self.look = look
        self.first_at = self.since_at = self.moved_at = look.at
        self.moves = 0
        self.samples: tuple[array[float], array[float]] | None = (array("d"), array("d")) if series else None

    @property
    def at(self) -> float:
        return self.look.at

    @property
    def expires_at(self) -> float:
        return self.look.expires_at

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


class _Teller:
    """Who tells: what the latest collection of one source named. series: the tracks that keep samples. shared: those that others tell
    of too."""

    __slots__ = ("look", "names", "series", "shared")

    def __init__(self, look: Look, names: set[str], series: list[Track]) -> None:
        self.look = look
        self.names = names
        self.series = series
        self.shared: list[Track] = []


class History:
    """All tracks of one validator, its sources' failures, and the highest finalized block it ever reported.

    current: the fresh values by name, kept as one dictionary so that a view costs one copy; `fresh` drops from it what has expired.
    dropped: how often it did.
    """

    __slots__ = ("_lagging", "_soonest", "_tellers", "current", "dropped", "failures", "last_at", "series", "tracks", "watermark")

    def __init__(self, series: Iterable[str] = (), watermark: int | None = None) -> None:
        self.tracks: dict[str, Track] = {}
        self.current: dict[str, Value] = {}
        self.dropped = 0
        self.failures: dict[str, Failure] = {}
        self.series = frozenset(series)
        self.watermark = watermark
        self.last_at: float | None = None
        self._tellers: dict[str, _Teller] = {}
        self._lagging: set[str] = set()
        self._soonest = float("inf")

    def observe(self, seen: Collected) -> bool:
        """Fold in one collection. `<source>_up` says whether the source answered. Returns whether anything is new, or back."""
        at, values, up_name = seen.at, seen.values, seen.source + "_up"
        if up_name not in values:
            values = {**values, up_name: seen.failure is None}
        expires_at = at + seen.fresh_for_s
        teller = self._tellers.get(seen.source + seen.by)
        news = False
        if teller is None or teller.look.expires_at < at or values.keys() != teller.names:
            teller, news = self._meet(seen.source + seen.by, values, Look(at, expires_at))
        teller.look.at, teller.look.expires_at = at, expires_at
        if expires_at < self._soonest:
            self._soonest = expires_at
        for track in teller.shared:
            track.look = teller.look
        current = self.current
        for name in [name for name, value in values.items() if current.get(name, _NOTHING) != value]:
            value = current[name] = values[name]
            track = self.tracks[name]
            if value != track.value:
                track.value = value
                track.moved_at = at
                track.moves += 1
                news = True
        for track in teller.series:
            track.sample(float(track.value), at)  # type: ignore[arg-type]
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
        for source, teller in list(self._tellers.items()):
            if teller.look.expires_at < now:
                self._lagging |= teller.names
                del self._tellers[source]
        soonest = min([teller.look.expires_at for teller in self._tellers.values()], default=float("inf"))
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

    def _meet(self, source: str, values: Mapping[str, Value], look: Look) -> tuple[_Teller, bool]:
        """Take in a source that is new, was out of sight, or names other things than before. Returns whether anything is new, or back.

        What had expired before it is seen again was not watched in between. What the source no longer names goes on by its own expiry.
        """
        before = self._tellers.get(source)
        if before is not None:
            self._lagging |= before.names
        self._lagging -= values.keys()
        news = False
        for name, value in values.items():
            track = self.tracks.get(name)
            if track is None:
                track = self.tracks[name] = Track(value, look, series=name in self.series)
                news = True
            elif track.look.expires_at < look.at:
                track.since_at = look.at
                news = True
            track.look = look
        series = [track for name in values if (track := self.tracks[name]).samples is not None]
        teller = self._tellers[source] = _Teller(look, set(values), series)
        self._share()
        return teller, news

    def _share(self) -> None:
        """Find out which tracks no teller has for itself."""
        told: set[str] = set()
        shared: set[str] = set()
        for teller in self._tellers.values():
            shared |= told & teller.names
            told |= teller.names
        for teller in self._tellers.values():
            found = [(name, self.tracks[name]) for name in teller.names]
            teller.shared = [track for name, track in found if name in shared or track.look is not teller.look]


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
