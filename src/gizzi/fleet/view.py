"""What rules see: a validator now, and the chain it is on.

A view holds only what is fresh; everything else reads as None. It is rebuilt whenever something new is observed or something expires.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median_low
from typing import Any

from gizzi.config import Chain, Validator
from gizzi.fleet.history import ChainHistory, History, Track

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

    def __init__(self, validator: Validator, history: History, now: float) -> None:
        values: dict[str, Any] = self.__dict__
        soonest = float("inf")
        for name, track in history.tracks.items():
            if track.expires_at >= now:
                values[name] = track.value
                if track.expires_at < soonest:
                    soonest = track.expires_at
        for name, other in SECOND_CHOICE.items():
            if name not in values and other in values:
                values[name] = values[other]
        if "finalized_height" in values and "block_height" in values:
            values["finalization_lag"] = max(0, values["block_height"] - values["finalized_height"])
        values["config"] = validator
        values["number"] = validator.number
        values["now"] = now
        values["up"] = _up(values.get("metrics_up"), values.get("rpc_up"))
        values["_history"] = history
        values["_expires_at"] = soonest

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None

    def _track(self, name: str) -> Track | None:
        tracks: dict[str, Track] = self.__dict__["_history"].tracks
        track = tracks.get(name)
        if track is not None and track.expires_at >= self.__dict__["now"]:
            return track
        other = tracks.get(SECOND_CHOICE.get(name, ""))
        return other if other is not None and other.expires_at >= self.__dict__["now"] else None

    def still_s(self, name: str) -> float | None:
        """Seconds for which it was seen not to change, up to its latest observation; None where nothing fresh is known.

        It starts at zero when first seen: what was before is unknown.
        """
        track = self._track(name)
        return None if track is None else track.at - track.moved_at

    def moved(self, name: str) -> bool:
        """Whether it was ever seen to change."""
        track = self._track(name)
        return track is not None and track.moves > 0

    def seen_at(self, name: str) -> float | None:
        """When it was last observed (epoch seconds), fresh or not."""
        track: Track | None = self.__dict__["_history"].tracks.get(name)
        return None if track is None else track.at

    def watched_s(self, name: str) -> float:
        """Seconds between its first and its latest observation; 0 where it was never seen."""
        track: Track | None = self.__dict__["_history"].tracks.get(name)
        return 0.0 if track is None else track.at - track.first_at

    def window(self, name: str, span_s: float) -> list[tuple[float, float]]:
        """Its recent past as (epoch seconds, value), oldest first, about one sample every 15 s; needs `series=` on the rule."""
        track: Track | None = self.__dict__["_history"].tracks.get(name)
        if track is None or track.samples is None:
            return []
        since = self.__dict__["now"] - span_s
        return [(at, value) for at, value in zip(*track.samples, strict=True) if at >= since]

    @property
    def watermark(self) -> int | None:
        """The highest finalized block it ever reported, also before a restart of ours."""
        return self.__dict__["_history"].watermark  # type: ignore[no-any-return]

    def failure(self, source: str) -> str | None:
        """The kind of the source's present failure (`refused`, `timeout`, `unreadable` …); None where it works or is not used."""
        failure = self.__dict__["_history"].failures.get(source)
        return None if failure is None else failure.kind

    def failure_text(self, source: str) -> str:
        failure = self.__dict__["_history"].failures.get(source)
        return "" if failure is None else failure.text


def _up(metrics_up: bool | None, rpc_up: bool | None) -> bool | None:
    """Something answers: up. Everything that is read fails: down. Nothing fresh: unknown."""
    if metrics_up or rpc_up:
        return True
    if metrics_up is None and rpc_up is None:
        return None
    return False


class ChainView:
    """One chain's validators now, and the figures that rules compare with. Heights are None where nobody knows one."""

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
        heights = [v.block_height for v in self.validators if v.block_height is not None]
        finalized = [v.finalized_height for v in self.validators if v.finalized_height is not None]
        self.median_height: int | None = median_low(heights) if heights else None
        self.max_height: int | None = max(heights, default=None)
        self.median_finalized: int | None = median_low(finalized) if finalized else None
        self.max_finalized: int | None = max(finalized, default=None)
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

    @property
    def can_lose(self) -> int | None:
        """How many authorities may be missing before finality stops: floor((n - 1) / 3); None where n is unknown."""
        return None if self.authorities is None else (self.authorities - 1) // 3

    @property
    def missing(self) -> list[int]:
        """Our authorities that do not vote: nothing of them answers, or the chain has not seen them vote."""
        return self.where(lambda v: v.config.authority and (v.up is False or v.config.authority_id in self.absent_ids))

    @property
    def missing_count(self) -> int:
        """How many of the chain's authorities do not vote, ours or not. At least this many: a closed RPC hides the others."""
        return max(len(self.absent_ids), len(self.missing))
