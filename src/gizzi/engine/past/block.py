"""Samples of one validator on an even grid of time, and how they are packed into one row. PURE."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

NAMES = (
    "block_height",
    "finalization_lag",
    "peers",
    "disk_free_bytes",
    "memory_available_bytes",
    "prevotes_total",
    "precommits_total",
    "approvals_produced_total",
)
"""The columns of a block. A packed one says how many it has: add new names at the end, never change the order."""
COUNTERS = frozenset({"block_height", "prevotes_total", "precommits_total", "approvals_produced_total"})
"""Of a longer span these keep their last value, the others their median."""
UNKNOWN = -1
LARGEST = 2**62
"""Pages may claim anything: what is larger is not known. So a difference of two samples fits into 64 bits."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One sample every step_s, `length` of them in a block, blocks kept for kept_s."""

    step_s: int
    length: int
    kept_s: float

    @property
    def block_s(self) -> int:
        return self.step_s * self.length

    def begin(self, at: float) -> int:
        """When the block that holds that time begins."""
        return int(at // self.block_s) * self.block_s


MINUTES = Tier(60, 60, 26 * 3600.0)
QUARTERS = Tier(900, 96, 31 * 86400.0)


class Block:
    """changed: whether it holds more than the store does."""

    __slots__ = ("begins_at", "changed", "columns", "number", "tier")

    def __init__(self, number: int, tier: Tier, begins_at: int) -> None:
        self.number, self.tier, self.begins_at = number, tier, begins_at
        self.columns = [array("q", [UNKNOWN]) * tier.length for _ in NAMES]
        self.changed = False

    def put(self, at: float, values: Sequence[float | None]) -> None:
        """values: in the order of NAMES. What is not known takes nothing away."""
        slot = int(at - self.begins_at) // self.tier.step_s
        for column, value in zip(self.columns, values, strict=True):
            if value is not None and 0 <= value < LARGEST:
                column[slot] = int(value)
                self.changed = True

    def pack(self) -> bytes:
        """Differences of neighbours, compressed: 0.4 KB an hour."""
        steps = array("q")
        for column in self.columns:
            steps.append(column[0])
            steps.extend(later - value for value, later in pairwise(column))
        return bytes([len(self.columns)]) + zlib.compress(_little(steps).tobytes(), 1)

    def take_up(self, packed: bytes) -> None:
        """What an earlier `pack` gave, in place of what is here; nothing where it cannot be read."""
        try:
            steps = array("q", zlib.decompress(packed[1:]))
        except (zlib.error, ValueError):
            return
        steps = _little(steps)
        length = self.tier.length
        if len(steps) != packed[0] * length:
            return
        for at in range(min(packed[0], len(self.columns))):
            self.columns[at] = array("q", accumulate(steps[at * length : (at + 1) * length]))

    def fold(self, into: Block) -> None:
        """Its samples as those of the coarser block that holds it."""
        each = into.tier.step_s // self.tier.step_s
        first = (self.begins_at - into.begins_at) // into.tier.step_s
        for name, column, coarse in zip(NAMES, self.columns, into.columns, strict=True):
            for slot in range(self.tier.length // each):
                known = [value for value in column[slot * each : (slot + 1) * each] if value != UNKNOWN]
                if known:
                    coarse[first + slot] = known[-1] if name in COUNTERS else int(median(known))
                    into.changed = True


@dataclass(frozen=True, slots=True)
class Stretch:
    """A validator's past: columns by name, a value for each step_s from begins_at on, None where nothing was known."""

    begins_at: int
    step_s: int
    columns: Mapping[str, Sequence[int | None]]

    def points(self, name: str) -> list[tuple[float, float]]:
        """(epoch seconds, value) of what is known, oldest first; a sample stands for the middle of its span."""
        return [(at, value) for at, value in self.over(name) if value is not None]

    def over(self, name: str) -> Iterator[tuple[float, int | None]]:
        first = self.begins_at + self.step_s / 2
        return ((first + self.step_s * slot, value) for slot, value in enumerate(self.columns[name]))


def stretch_of(blocks: Sequence[Block], tier: Tier, since: float, until: float) -> Stretch:
    """What the blocks of one validator hold of that time, which begins and ends at full steps."""
    first, last = int(since // tier.step_s), int(until // tier.step_s) + 1
    columns: dict[str, list[int | None]] = {name: [None] * max(0, last - first) for name in NAMES}
    for block in blocks:
        offset = block.begins_at // tier.step_s - first
        begin, end = max(0, -offset), min(tier.length, last - first - offset)
        for name, column in zip(NAMES, block.columns, strict=True):
            if begin < end:
                columns[name][begin + offset : end + offset] = [None if value == UNKNOWN else value for value in column[begin:end]]
    return Stretch(first * tier.step_s, tier.step_s, columns)


def _little(steps: array[int]) -> array[int]:
    """The same, where this machine's bytes are in another order."""
    if sys.byteorder == "big":
        steps.byteswap()
    return steps
