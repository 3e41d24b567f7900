"""A simulated node's metrics page in full: some 240 families, 3,400 samples, half a megabyte, of which a few lines change.

What does not change is written once per chain and shared by its nodes; a page is then put together from some sixty pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import TYPE_CHECKING
from zlib import crc32

from gizzi.sim.chain import mix
from gizzi.sim.families import FAMILIES, LISTS, TASKS

if TYPE_CHECKING:
    from gizzi.sim.node import SimNode

_BUCKETS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
_GENESIS = "/" + "".join(f"{mix(i):08x}" for i in range(8))
_TYPES = {"c": "counter", "g": "gauge", "h": "histogram"}
_QUIET = (
    *("fail", "invalid", "bad_", "equivocation", "stale", "dispute", "error", "dropped", "closed", "retries", "aggression", "blocked"),
    *("no_authority", "no_peer", "no_shows"),
)
"""Families whose names hold one of these stand at 0 on a healthy node."""
_WHOLE = frozenset({"substrate_tasks_ended_total", "substrate_unbounded_channel_size"})
"""Families of which the fast samples hold only a part."""
_BLOCKS = "substrate_proposer_block_constructed"
_BLOCK_TIME_S = 0.004
_BUILD = "substrate_build_info"
"""Its labels are the node's version, which another start may change."""

Labels = tuple[tuple[str, str], ...]


class Family:
    """One family as the page shows it. labels: one entry for each of its series."""

    def __init__(self, kind: str, name: str, labels: list[Labels], buckets: int) -> None:
        self.kind = kind
        self.name = name
        self.labels = labels
        self.buckets = buckets

    def head(self) -> str:
        words = self.name.replace("_", " ").removeprefix("polkadot ").removeprefix("substrate ")
        return f"# HELP {self.name} Simulated: {words}.\n# TYPE {self.name} {_TYPES[self.kind]}\n"

    def lines(self, chain: str) -> Iterator[str]:
        for labels in self.labels:
            shown = "".join(f'{key}="{value}",' for key, value in labels) + f'chain="{chain}"'
            value = self._value(labels)
            if self.kind != "h":
                yield f"{self.name}{{{shown}}} {value}\n"
                continue
            for place, le in enumerate(_bounds(self.buckets)):
                yield f'{self.name}_bucket{{{shown},le="{le}"}} {value * min(place + 4, self.buckets) // self.buckets}\n'
            yield f"{self.name}_sum{{{shown}}} {value * 0.0070964570000000005}\n"
            yield f"{self.name}_count{{{shown}}} {value}\n"

    def _value(self, labels: Labels) -> int:
        task = dict(labels).get("task_name")
        if self.name == "substrate_tasks_ended_total":
            return _runs(task) if task in _brief_tasks() else 0
        if self.name == "substrate_tasks_spawned_total":
            return _runs(task) if task in _brief_tasks() else 1
        if self.name in _WHOLE or any(word in self.name for word in _QUIET):
            return 0
        chance = mix(crc32(repr((self.name, labels)).encode()))
        return chance % 40 if self.kind == "g" else chance % 5_000_000


def _runs(task: str | None) -> int:
    return 1 + crc32(str(task).encode()) % 90_000


def _bounds(count: int) -> tuple[str, ...]:
    return _BUCKETS if count == len(_BUCKETS) else (*(f"{0.001 * 4**i:.6g}" for i in range(count - 1)), "+Inf")


@cache
def families() -> tuple[Family, ...]:
    """All families, in the page's order."""
    found = [_family(prefix, word) for prefix, words in FAMILIES.items() for word in words.split()]
    return tuple(sorted(found, key=lambda family: family.name))


def _family(prefix: str, word: str) -> Family:
    kind, _, rest = word.partition(":")
    name, _, labels = rest.rstrip("}").partition("{")
    sets = [_series(part) for part in labels.split(",")] if labels else []
    combined = [tuple(pair for one in combination for pair in one) for combination in product(*sets)]
    return Family(kind[0], prefix + name, combined, int(kind[1:] or len(_BUCKETS)))


def _series(part: str) -> list[Labels]:
    """ "status=best|finalized", "entity=CHANNELS" or "TASKS" -> what one series each says."""
    if part == "TASKS":
        return [(("kind", kind), ("task_group", group), ("task_name", task)) for kind, group, task, _ in _tasks()]
    key, _, values = part.partition("=")
    words = LISTS[values].split() if values in LISTS else values.split("|")
    return [((key, value.replace("@", _GENESIS)),) for value in words]


@cache
def _tasks() -> tuple[tuple[str, str, str, bool], ...]:
    """(kind, group, name, whether it ends all the time)"""
    found: list[tuple[str, str, str, bool]] = []
    kind = group = ""
    for word in TASKS.split():
        if word.endswith(":"):
            kind, group = word[:-1].split("/")
        else:
            name = f"{group}-subsystem" if word == "+" else word.rstrip("*")
            found.append((kind, group, name, word.endswith("*")))
    return tuple(found)


@cache
def _brief_tasks() -> frozenset[str]:
    return frozenset(name for _, _, name, brief in _tasks() if brief)


@cache
def _template(chain: str, renewed: frozenset[str]) -> tuple[bytes | str, ...]:
    """The page in pieces: text as bytes, and the names of renewed families where their lines go."""
    pieces: list[bytes | str] = []
    text: list[str] = []
    for family in families():
        text.append(family.head())
        if family.name in renewed:
            pieces += ["".join(text).encode(), family.name]
            text = []
        else:
            text += family.lines(chain)
    return (*pieces, "".join(text).encode())


def _shown(labels: Mapping[str, str]) -> str:
    return ",".join(f'{key}="{value}"' for key, value in labels.items())


class PageWriter:
    """Writes one node's page."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        samples = {**node.samples(node.started_at), **node.page.traffic()}
        node.page_due_at = 0.0
        known = {family.name for family in families()}
        renewed = frozenset({name for name in samples if name in known and name not in _WHOLE} | {_BLOCKS})
        self._pieces = _template(node.chain.id, renewed)
        self._prefixes = {name: [f"{name}{{{_shown(labels)}}} ".encode() for labels, _ in samples[name]] for name in renewed - {_BLOCKS}}
        self._version = node.version
        chain = f'chain="{node.chain.id}"'
        self._buckets = [f'{_BLOCKS}_bucket{{{chain},le="{le}"}} '.encode() for le in _BUCKETS]
        self._sum, self._count = (f"{_BLOCKS}_{part}{{{chain}}} ".encode() for part in ("sum", "count"))

    def write(self, now: float) -> bytes:
        """The page, its gauges as of their last renewal."""
        samples = {**self._node.samples(now), **self._node.page.traffic()}
        if self._version != self._node.version:
            self._version = self._node.version
            self._prefixes[_BUILD] = [f"{_BUILD}{{{_shown(labels)}}} ".encode() for labels, _ in samples[_BUILD]]
        parts: list[bytes] = []
        add = parts.append
        for piece in self._pieces:
            if isinstance(piece, bytes):
                add(piece)
            elif piece == _BLOCKS:
                self._add_blocks(parts, int(samples[f"{_BLOCKS}_count"][0][1]))
            else:
                for prefix, (_, value) in zip(self._prefixes[piece], samples[piece], strict=True):
                    add(prefix)
                    add(b"%d\n" % value)
        return b"".join(parts)

    def _add_blocks(self, parts: list[bytes], blocks: int) -> None:
        number = b"%d\n" % blocks
        for prefix in self._buckets:
            parts += (prefix, number)
        parts += (self._sum, f"{blocks * _BLOCK_TIME_S}\n".encode(), self._count, number)
