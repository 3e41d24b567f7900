"""One simulated chain: slots, blocks, GRANDPA rounds and sessions. Only slots change it, so what it shows is exact at every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gizzi.sim.node import SimNode

SESSION_SLOTS = 2400
"""Slots of a session: 4 hours at 6 s, as on Polkadot. The first change comes after a quarter of that."""
SESSION_WINDOW_S = 60.0
"""For so long after a change of session it counts as under way."""
SESSION_PAUSE_S = 8.0
"""For so long nobody votes when the authority set changes."""

_MASK64 = (1 << 64) - 1
_MASK256 = (1 << 256) - 1
_ODD = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95
_ODD_INVERSE = pow(_ODD, -1, 1 << 256)
_FORK_SALT = 0xB7E151628AED2A6ABF7158809CF4F3C762E7160F38B4DA56A784D9045190CFEF
_KEPT_HEADERS = 64


def mix(value: int) -> int:
    """A well-spread 32-bit number from a whole number: seeded chance without a generator's state."""
    value = (value * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & _MASK64
    value = ((value ^ (value >> 29)) * 0xBF58476D1CE4E5B9) & _MASK64
    return value >> 32


class SimChain:
    """Times are epoch seconds. `voters` are the authorities' SS58 ids, watched or not; watched ones come first."""

    def __init__(
        self,
        chain_id: str,
        voters: Sequence[str],
        *,
        seed: int,
        block_time_s: float,
        start_at: float,
        parent: SimChain | None = None,
    ) -> None:
        self.id = chain_id
        self.voters = list(voters)
        self.block_time_s = block_time_s
        self.parent = parent
        self.nodes: list[SimNode] = []
        self.needed = len(self.voters) - (len(self.voters) - 1) // 3
        """Votes that finality needs."""
        self._seed = mix(seed * 1_000_003 + sum(chain_id.encode()) * 7919)
        self.slot = 0
        self.next_slot_at = start_at + block_time_s
        self.height = 1_000_000 + self._seed % 1_000_000
        self.block_at = start_at - 1.0
        self.finalized = self.height - 2
        self.finalized_before = self.finalized
        self.finalized_at = start_at - 1.0
        self.set_id = 1 + self._seed % 900
        self.set_changed_at: float | None = None
        self.next_session_slot = SESSION_SLOTS // 4
        self.round = 1 + self._seed % 2000
        self.rounds = self.round
        """Rounds completed since the chain began, over all sets."""
        self.round_at = start_at
        self.pause_until = 0.0
        self.finality_stalls = 0
        self.absent: dict[str, float] = {}
        """SS58 ids that cast no votes now, and since when."""
        self.idle: set[SimNode] = set()
        """Nodes whose own vote counters stand still."""
        self._absent_version = 0
        self._headers: dict[int, dict[str, Any]] = {}
        self._hashes: dict[int, str] = {}
        self._states: tuple[Any, dict[str, Any]] = (None, {})
        self._pace = min(1.0, block_time_s / 6.0)

    # what happens

    def tick(self, at: float) -> None:
        """Go through the slot that begins at `next_slot_at`; nothing where a gap has put it off."""
        if at < self.next_slot_at:
            return
        self.slot += 1
        self.next_slot_at = at + self.block_time_s
        parent = self.parent
        if not (parent is not None and parent.stands(at)) and self._author():
            self.height += 1
            self.block_at = at
        self._vote(at)
        if self.slot >= self.next_session_slot:
            self.change_session(at)

    def _author(self) -> bool:
        """Whether someone authors a block in this slot. Each has one author, one in four a second one, as with BABE."""
        chance = mix(self._seed + self.slot * 3)
        size = max(1, len(self.voters))
        return self._authors(chance % size) or (mix(chance) & 3 == 0 and self._authors(mix(chance + 1) % size))

    def _authors(self, index: int) -> bool:
        if index >= len(self.nodes):
            return True
        node = self.nodes[index]
        if node.authoring:
            node.authored += 1
        return node.authoring

    def _vote(self, at: float) -> None:
        if at < self.pause_until or len(self.voters) - len(self.absent) < self.needed:
            return
        self.round += 1
        self.rounds += 1
        chance = mix(self._seed + self.slot)
        self.round_at = at + (chance & 15) / 32 * self.block_time_s
        for node in self.idle:
            node.rounds_missed += 1
        parent = self.parent
        if self.finality_stalls or (parent is not None and parent.finality_stands(at)):
            return
        finalized = self.height - 2 - (chance >> 4 & 1)
        if finalized > self.finalized:
            self.finalized_before, self.finalized = self.finalized, finalized
            self.finalized_at = at

    def change_session(self, at: float) -> None:
        """A new authority set begins: its number rises, its rounds count from 1, and for a moment nobody votes."""
        self.set_id += 1
        self.set_changed_at = at
        self.next_session_slot = self.slot + SESSION_SLOTS
        self.round = 1
        self.pause_until = at + SESSION_PAUSE_S * self._pace
        self.round_at = self.pause_until

    def pause(self, at: float, for_s: float) -> None:
        """No slot for so long; everything after is late by as much."""
        self.next_slot_at = max(self.next_slot_at, at) + for_s

    def stalls(self, by: int) -> None:
        """One more (or one fewer) reason why finality stands still."""
        self.finality_stalls += by

    def set_voting(self, ss58: str, votes: bool, at: float) -> None:
        if (ss58 in self.absent) == votes:
            if votes:
                del self.absent[ss58]
            else:
                self.absent[ss58] = at
            self._absent_version += 1

    # what it shows

    def stands(self, at: float) -> bool:
        """Whether it made no block for several slots: what hangs on it stands too."""
        return at - self.block_at > 4 * self.block_time_s

    def finality_stands(self, at: float) -> bool:
        return at - self.finalized_at > 6 * self.block_time_s

    def in_session_change(self, at: float) -> bool:
        return self.set_changed_at is not None and at - self.set_changed_at < SESSION_WINDOW_S

    def round_state(self, at: float) -> dict[str, Any]:
        """The result of grandpa_roundState. Votes come in within some two seconds of a round's beginning; who is absent stays missing."""
        since = (at - self.round_at) / self._pace
        if since < 0 and self.round > 1:
            number, stage = self.round - 1, 3
        else:
            number, stage = self.round, 0 if since < 0.3 else 1 if since < 0.9 else 2 if since < 1.5 else 3
        key = (self.set_id, number, stage, self._absent_version)
        if self._states[0] != key:
            self._states = (key, self._round_state(number, stage))
        return self._states[1]

    def _round_state(self, number: int, stage: int) -> dict[str, Any]:
        gone = [voter for voter in self.voters if voter in self.absent]
        late = [voter for i, voter in enumerate(self.voters) if voter in self.absent or (i * 7 + number) % 3 == 0]
        prevotes = self.voters if stage == 0 else late if stage == 1 else gone
        precommits = self.voters if stage <= 1 else late if stage == 2 else gone
        best = self._round(number, prevotes, precommits)
        return {"setId": self.set_id, "best": best, "background": [self._round(number - 1, gone, gone)] if number > 1 else []}

    def _round(self, number: int, prevotes: list[str], precommits: list[str]) -> dict[str, Any]:
        total = len(self.voters)
        return {
            "round": number,
            "totalWeight": total,
            "thresholdWeight": self.needed,
            "prevotes": {"currentWeight": total - len(prevotes), "missing": prevotes},
            "precommits": {"currentWeight": total - len(precommits), "missing": precommits},
        }

    # blocks

    def hash_at(self, height: int, forked: bool = False) -> str:
        """The hash of a block, as a function of its height that can be turned round."""
        key = -1 - height if forked else height
        found = self._hashes.get(key)
        if found is None:
            found = f"0x{self._number_of(height, forked):064x}"
            _remember(self._hashes, key, found)
        return found

    def _number_of(self, height: int, forked: bool) -> int:
        salt = self._seed * _FORK_SALT if forked else self._seed
        return ((height + 1) * _ODD + salt) & _MASK256

    def height_of(self, block_hash: str, up_to: int) -> tuple[int, bool] | None:
        """Height of a block by its hash, and whether it lies on the fork; None for the hash of no block up to that height."""
        try:
            number = int(block_hash, 16)
        except ValueError:
            return None
        for forked in (False, True):
            salt = self._seed * _FORK_SALT if forked else self._seed
            height = ((number - salt) * _ODD_INVERSE - 1) & _MASK256
            if height <= up_to:
                return height, forked
        return None

    def header(self, height: int, forked: bool, hash_at: Callable[[int], str]) -> dict[str, Any]:
        """The result of chain_getHeader. hash_at: how the node that asks sees its blocks."""
        key = -1 - height if forked else height
        found = self._headers.get(key)
        if found is None:
            own = self.hash_at(height, forked)
            found = {
                "parentHash": hash_at(height - 1) if height else "0x" + "0" * 64,
                "number": hex(height),
                "stateRoot": "0x" + own[:1:-1],
                "extrinsicsRoot": "0x" + own[34:] + own[2:34],
                "digest": {"logs": []},
            }
            _remember(self._headers, key, found)
        return found


def _remember(cache: dict[int, Any], key: int, value: Any) -> None:
    if len(cache) >= _KEPT_HEADERS:
        cache.clear()
    cache[key] = value
