"""Which validators and incidents are listed, and in what order. PURE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gizzi.screen.words import HEALTHS

Row = Mapping[str, Any]
_RANK = {health: rank for rank, health in enumerate(HEALTHS)}
LAST = float("inf")

SORTS: dict[str, Callable[[Row], Any]] = {
    "number": lambda v: v["number"],
    "health": lambda v: (_RANK.get(v["health"], 0), v["number"]),
    "lag": lambda v: (-(v["finalization_lag"] if v["finalization_lag"] is not None else LAST), v["number"]),
    "peers": lambda v: (v["peers"] if v["peers"] is not None else -1, v["number"]),
    "block": lambda v: (v["block_height"] if v["block_height"] is not None else -1, v["number"]),
    "name": lambda v: (str(v["name"]), v["number"]),
}
"""What needs a look comes first."""


def validators(statuses: Sequence[Row], words: str, sort: str) -> list[Row]:
    """Those that have every word of the filter in their number, name, chain, health, version or reasons."""
    wanted = words.casefold().split()
    found = [status for status in statuses if not wanted or _has(_text(status), wanted)]
    return sorted(found, key=SORTS[sort])


def incidents(rows: Sequence[Row], words: str) -> list[Row]:
    wanted = words.casefold().split()
    return [row for row in rows if not wanted or _has(_incident_text(row), wanted)]


def _has(text: str, wanted: Sequence[str]) -> bool:
    return all(word in text for word in wanted)


def _text(v: Row) -> str:
    return " ".join([str(v["number"]), str(v["name"]), str(v["chain"]), v["health"], str(v["version"]), *v["reasons"]]).casefold()


def _incident_text(row: Row) -> str:
    numbers = map(str, row["validators"])
    return " ".join([row["id"], row["rule"], row["severity"], row["state"], str(row["chain"]), row["summary"], *numbers]).casefold()
