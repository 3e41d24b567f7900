"""The whole fleet: folds collections into histories, and gives fresh views of validators and chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gizzi.config import Chain, Validator
from gizzi.fleet.history import ChainHistory, History
from gizzi.fleet.observation import Collected
from gizzi.fleet.view import ChainView, ValidatorView

CHECK_EVERY_BLOCKS = 4
"""Block hashes are compared at finalized heights divisible by this, so that all nodes are asked about the same one for a while."""


class Fleet:
    """chains: every chain of the validators, by id. watermarks: highest finalized block each validator ever reported."""

    def __init__(
        self,
        validators: Sequence[Validator],
        chains: Mapping[str, Chain],
        series: Iterable[str] = (),
        watermarks: Mapping[int, int] | None = None,
    ) -> None:
        series = frozenset(series)
        marks = watermarks or {}
        self.validators = {v.number: v for v in validators}
        self.chains = chains
        self.histories = {v.number: History(series, marks.get(v.number)) for v in validators}
        self.votes = {chain: ChainHistory() for chain in chains}
        self._seen: tuple[int, set[str]] = (0, set())
        self._views: dict[int, ValidatorView] = {}
        self._chain_views: dict[str, ChainView] = {}
        self._soonest = float("inf")
        """No view holds anything that expires before this."""
        self._members = {chain: [v.number for v in validators if v.chain == chain] for chain in chains}

    def fold(self, collections: Iterable[Collected], now: float) -> tuple[list[int], list[str]]:
        """Take in what was collected. Returns the numbers and chains about which something new is known, or something has gone stale."""
        touched: dict[int, None] = {}
        for seen in collections:
            history = self.histories.get(seen.validator)
            if history is None:
                continue
            news = history.observe(seen)
            if news or seen.by in ("", seen.source):
                touched[seen.validator] = None
            missing = seen.values.get("grandpa_missing")
            set_id = seen.values.get("grandpa_set_id")
            if isinstance(missing, tuple) and isinstance(set_id, int):
                round_number = seen.values.get("rpc_grandpa_round")
                self.votes[self.validators[seen.validator].chain].observe(
                    set_id, missing, seen.at, round_number if isinstance(round_number, int) else None
                )
        if now > self._soonest:
            touched.update(dict.fromkeys(self._expired(now)))
        for number in touched:
            self._look(number, now)
        chains = sorted({self.validators[number].chain for number in touched})
        for chain in chains:
            self._chain_views.pop(chain, None)
        return list(touched), chains

    def seen(self) -> set[str]:
        """Names of all that was ever observed, of any validator."""
        known = sum([len(history.tracks) for history in self.histories.values()])
        if known != self._seen[0]:
            self._seen = (known, {name for history in self.histories.values() for name in history.tracks})
        return self._seen[1]

    def ever_answered(self, up_name: str) -> bool:
        """Whether the source of which `<source>_up` tells has ever answered, for any validator."""
        tracks = (history.tracks.get(up_name) for history in self.histories.values())
        return any(track is not None and (track.value or track.moves > 0) for track in tracks)

    def view(self, number: int, now: float) -> ValidatorView:
        """The validator as of its latest change, without what has gone stale since; empty where nothing was ever seen."""
        view = self._views.get(number)
        if view is None:
            view = self._look(number, now)
        elif view._expires_at < now:
            return ValidatorView(self.validators[number], self.histories[number], now)  # not kept: `fold` is still to tell of it
        return view

    def _look(self, number: int, now: float) -> ValidatorView:
        view = self._views[number] = ValidatorView(self.validators[number], self.histories[number], now)
        if view._expires_at < self._soonest:
            self._soonest = view._expires_at
        return view

    def _expired(self, now: float) -> list[int]:
        """The validators of which something has gone stale since their view was made."""
        expired, soonest = [], float("inf")
        for number, view in self._views.items():
            if view._expires_at < now:
                history = self.histories[number]
                view._expires_at = history.fresh(now)
                if view._dropped != history.dropped:
                    expired.append(number)
            soonest = min(soonest, view._expires_at)
        self._soonest = soonest
        return expired

    def chain_view(self, chain: str, now: float) -> ChainView:
        view = self._chain_views.get(chain)
        if view is None:
            about = self.chains[chain]
            parent = self.chain_view(about.parent, now) if about.parent is not None and about.parent in self.chains else None
            members = [self.view(number, now) for number in self._members[chain]]
            view = self._chain_views[chain] = ChainView(about, members, self.votes[chain], now, parent)
        return view

    def check_height(self, chain: str) -> int | None:
        """The height at which block hashes of this chain's nodes are compared now; None while no finalized height is known."""
        view = self._chain_views.get(chain)
        if view is None or view.median_finalized is None:
            return None
        return view.median_finalized // CHECK_EVERY_BLOCKS * CHECK_EVERY_BLOCKS
