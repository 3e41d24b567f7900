"""What rules see: a validator now, and the chain it is on.

A view holds only what is fresh; everything else reads as None. It is rebuilt whenever something new is observed or something expires.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from gizzi.config import Chain, Validator
from gizzi.fleet.history import ChainHistory, History, Track
from gizzi.fleet.names import OBSERVATIONS

if TYPE_CHECKING:
    from gizzi.analysis.forecast import Outlook

SECOND_CHOICE = {
    "block_height": "rpc_block_height",
    "finalized_height": "rpc_finalized_height",
    "peers": "rpc_peers",
    "syncing": "rpc_syncing",
    "version": "rpc_version",
}
"""Where the first is not fresh, the second stands for it. They have names of their own, so that two clocks never mix in one track."""


class ValidatorView:
    """Fresh observations as attributes (`v.peers`); None where nothing fresh is known, whatever the name."""

    config: Validator
    number: int
    now: float
    up: bool | None
    _history: History
    _tracks: dict[str, Track]
    _expires_at: float
    _dropped: int

    def __init__(self, validator: Validator, history: History, now: float) -> None:
        values: dict[str, Any] = self.__dict__
        soonest = history.fresh(now)
        values.update(history.current)
        for name, other in SECOND_CHOICE.items():
            if name not in values and other in values:
                values[name] = values[other]
        if "finalized_height" in values and "block_height" in values:
            values["finalization_lag"] = max(0, values["block_height"] - values["finalized_height"])
        values["config"] = validator
        values["number"] = validator.number
        values["now"] = now
        values["up"] = True if values.get("metrics_up") or values.get("rpc_up") else _not_up(values, history.tracks)
        values["_history"] = history
        values["_tracks"] = history.tracks
        values["_expires_at"] = soonest
        values["_dropped"] = history.dropped

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None

    def _track(self, name: str) -> Track | None:
        track = self._tracks.get(name)
        if track is not None and track.expires_at >= self.now:
            return track
        other = self._tracks.get(SECOND_CHOICE.get(name, ""))
        return other if other is not None and other.expires_at >= self.now else None

    def fresh_at(self, name: str) -> float | None:
        """When its value as shown here was observed (epoch seconds); None where nothing fresh is known."""
        track = self._track(name)
        return None if track is None else track.at

    def still_s(self, name: str) -> float | None:
        """Seconds for which it was seen not to change, up to its latest observation; None where nothing fresh is known.

        It starts at zero when first seen: what was before is unknown.
        """
        track = self._tracks.get(name)
        if track is None or track.expires_at < self.now:
            track = self._track(name)
            if track is None:
                return None
        return track.at - track.moved_at

    def stands_s(self, name: str) -> float | None:
        """Like `still_s`, but only what was watched: since it was last out of sight, and up to a Prometheus server's latest scrape."""
        track = self._track(name)
        if track is None:
            return None
        return max(0.0, track.at - max(track.moved_at, track.since_at) - (self.sample_age_s or 0.0))

    def fresh_s(self, name: str) -> float:
        """For how long one observation of it is believed, some three periods of its source; 0 where nothing fresh is known."""
        track = self._track(name)
        return 0.0 if track is None else track.expires_at - track.at

    def moving(self, name: str, within_s: float) -> bool | None:
        """True: it changed within that time. False: it was watched for so long and stood. None: not known, or not watched for so long.

        Not watched means before the first observation of it, and while it was out of sight.
        """
        track = self._tracks.get(name)
        if track is None or track.expires_at < self.now:
            track = self._track(name)
            if track is None:
                return None
        stood_s = track.at - track.moved_at
        if stood_s < within_s:
            return True if track.moves else None
        return False if track.at - track.since_at >= within_s else None

    def moved(self, name: str) -> bool:
        """Whether it was ever seen to change."""
        track = self._track(name)
        return track is not None and track.moves > 0

    def seen_at(self, name: str) -> float | None:
        """When it was last observed (epoch seconds), fresh or not."""
        track = self._tracks.get(name)
        return None if track is None else track.at

    def stands_since(self, name: str) -> float | None:
        """Since when its latest value was seen without a gap (epoch seconds), fresh or not."""
        track = self._tracks.get(name)
        return None if track is None else max(track.moved_at, track.since_at)

    def last(self, name: str) -> Any:
        """Its latest value, fresh or not: for what must not be forgotten because nobody has looked again."""
        track = self._tracks.get(name)
        return None if track is None else track.value

    def watched_s(self, name: str) -> float:
        """Seconds between its first and its latest observation; 0 where it was never seen."""
        track = self._tracks.get(name)
        return 0.0 if track is None else track.at - track.first_at

    def window(self, name: str, span_s: float) -> list[tuple[float, float]]:
        """Its recent past as (epoch seconds, value), oldest first; needs `series=` on the rule.

        About one sample every 15 s, fewer while it stands. Where it was watched for that long, the first is of the span's beginning,
        drawn between its neighbours.
        """
        track = self._tracks.get(name)
        if track is None or track.samples is None:
            return []
        times, values = track.samples
        first = bisect_left(times, self.now - span_s)
        begin = [_between(times, values, first, self.now - span_s)] if 0 < first < len(times) else []
        return [*begin, *zip(times[first:], values[first:], strict=True)]

    def change(self, name: str, span_s: float) -> tuple[float, float]:
        """(seconds, difference) from the first to the last sample of `window`, without building it; (0, 0) with fewer than two."""
        track = self._tracks.get(name)
        if track is None or track.samples is None:
            return 0.0, 0.0
        times, values = track.samples
        since = self.now - span_s
        first = bisect_left(times, since)
        if first == len(times):
            return 0.0, 0.0
        at, value = _between(times, values, first, since) if first else (times[0], values[0])
        return times[-1] - at, values[-1] - value

    def outlook(self, what: str) -> Outlook | None:
        """The latest forecast of that ("disk", "peers", "lag"), made every hour from what was kept; None where there is none yet."""
        return self._history.outlooks.get(what)

    @property
    def watermark(self) -> int | None:
        """The highest finalized block it ever reported, also before a restart of ours."""
        return self._history.watermark

    def failure(self, source: str) -> str | None:
        """The kind of the source's present failure (`refused`, `timeout`, `unreadable` …); None where it works or is not used."""
        failure = self._history.failures.get(source)
        return None if failure is None else failure.kind

    def failure_text(self, source: str) -> str:
        failure = self._history.failures.get(source)
        return "" if failure is None else failure.text


for _name in (*OBSERVATIONS, "finalization_lag"):
    setattr(ValidatorView, _name, None)  # an observation that is not known is found at once, not after __getattr__ was asked
del _name


def _between(times: array[float], values: array[float], first: int, at: float) -> tuple[float, float]:
    """The value at a time between the samples before and at `first`."""
    before, after = times[first - 1], times[first]
    part = (at - before) / (after - before)
    return at, values[first - 1] + part * (values[first] - values[first - 1])


def _not_up(values: Mapping[str, Any], tracks: Mapping[str, Track]) -> bool | None:
    """Of one that nothing answers. Every way in that was ever tried fails: down. Nothing fresh of one of them, as while the Prometheus
    server that tells of it is gone: unknown.
    """
    ways = [values.get(name) for name in ("metrics_up", "rpc_up") if name in tracks]
    return False if ways and None not in ways else None


class ChainView:
    """One chain's validators now, and the figures that rules compare with. Heights are None where nobody knows one.

    Medians are the higher of the middle two: where half of the validators stand still, they are compared with the half that goes on.
    """

    ABSENT_AFTER_S = 30.0
    """A voter is absent once nobody saw it vote for this long: several rounds at the usual one round a block."""

    def __init__(
        self,
        chain: Chain,
        validators: Iterable[ValidatorView],
        votes: ChainHistory,
        now: float,
        parent: ChainView | None = None,
    ) -> None:
        self.chain = chain
        self.validators = tuple(validators)
        self.votes = votes
        self.now = now
        self.parent = parent
        heights = sorted([v.block_height for v in self.validators if v.block_height is not None])
        finalized = sorted([v.finalized_height for v in self.validators if v.finalized_height is not None])
        self.median_height: int | None = heights[len(heights) // 2] if heights else None
        self.max_height: int | None = heights[-1] if heights else None
        self.median_finalized: int | None = finalized[len(finalized) // 2] if finalized else None
        self.max_finalized: int | None = finalized[-1] if finalized else None
        weights = [v.grandpa_total_weight for v in self.validators if v.grandpa_total_weight is not None]
        self.authorities: int | None = max(weights, default=None) or chain.authorities
        self.absent_ids = votes.absent(now, self.ABSENT_AFTER_S)

    def __iter__(self) -> Any:
        return iter(self.validators)

    def where(self, test: Callable[[ValidatorView], bool]) -> list[int]:
        """Numbers of the validators for which the test holds, ascending."""
        return sorted(v.number for v in self.validators if test(v))

    def share(self, numbers: list[int]) -> float:
        """What part of the chain's validators these are, 0 to 1."""
        return len(numbers) / len(self.validators) if self.validators else 0.0

    @cached_property
    def usual_version(self) -> str | None:
        """The version that more than half of the validators run; None where fewer than three are known or no version has a majority."""
        return _majority(tuple([v.version for v in self.validators if v.version is not None]))

    @cached_property
    def usual_hashes(self) -> Mapping[int, str]:
        """Of each compared height the hash that more than half of the nodes asked there gave; only where at least three were asked."""
        return _majorities(tuple([(v.checked_height, v.checked_hash) for v in self.validators if v.checked_hash is not None]))

    @cached_property
    def equivocators(self) -> frozenset[str]:
        """Authority ids that log lines of this chain's nodes name in an equivocation."""
        return frozenset([name for v in self.validators if v.equivocation_ids for name in v.equivocation_ids])

    @property
    def can_lose(self) -> int | None:
        """How many authorities may be missing before finality stops: floor((n - 1) / 3); None where n is unknown."""
        return None if self.authorities is None else (self.authorities - 1) // 3

    def votes_elsewhere(self, v: ValidatorView, gone_at: float, after_s: float) -> float | None:
        """When its keys voted although its own node was gone: at least `after_s` after it went, and seen before it was last found gone.

        None where no such vote is known. The second bound matters when it comes back: the chain may see its vote before we see it.
        """
        identity = v.config.authority_id or ""
        voted_at, seen_at = self.votes.voted_at.get(identity), self.votes.seen_voting_at.get(identity)
        if voted_at is None or seen_at is None or voted_at <= gone_at + after_s:
            return None
        found_gone_at = max(v.seen_at(way) or 0.0 for way in ("metrics_up", "rpc_up"))
        return voted_at if seen_at < found_gone_at else None

    @property
    def missing(self) -> list[int]:
        """Our authorities that do not vote: nothing of them answers, or the chain has not seen them vote."""
        return self.where(lambda v: v.config.authority and (v.up is False or v.config.authority_id in self.absent_ids))

    @property
    def missing_count(self) -> int:
        """How many of the chain's authorities do not vote, ours or not. At least this many: a closed RPC hides the others.

        One of ours whose authority id nobody told us is taken for one of the strangers whose votes are missing.
        """
        ours = {v.config.authority_id for v in self.validators}
        strangers = len(self.absent_ids - ours)
        missing = set(self.missing)
        nameless = sum(v.config.authority_id is None for v in self.validators if v.number in missing)
        return len(missing) + max(0, strangers - nameless)


@lru_cache(maxsize=64)
def _majorities(told: tuple[tuple[int | None, str], ...]) -> Mapping[int, str]:
    """What the majority says of each number. Kept, like `_majority`: seldom has anybody said anything new."""
    by_number: dict[int, list[str]] = {}
    for number, value in told:
        if number is not None:
            by_number.setdefault(number, []).append(value)
    found = {number: _majority(tuple(values)) for number, values in by_number.items()}
    return {number: usual for number, usual in found.items() if usual is not None}


@lru_cache(maxsize=64)
def _majority(values: tuple[str, ...]) -> str | None:
    """The value that more than half hold, of at least three."""
    if len(values) < 3:
        return None
    value, count = Counter(values).most_common(1)[0]
    return value if count * 2 > len(values) else None
