"""What rules about ourselves look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from gizzi.config import Settings
from gizzi.kinds import Source


@dataclass
class OwnView:
    """What rules about ourselves see."""

    now: float
    settings: Settings
    rules: Iterable[Any]
    seen: AbstractSet[str]
    reporting: AbstractSet[str]
    gives: Mapping[str, AbstractSet[str]]
    watched_s: float
    lateness_s: float
    broken: Mapping[str, str]


def gives_of(sources: Mapping[str, Source]) -> dict[str, set[str]]:
    """By observation, as which sources those report that can give it."""
    gives: dict[str, set[str]] = {}
    for source in sources.values():
        for name in (*source.gives, f"{source.reports}_up"):
            gives.setdefault(name, set()).add(source.reports)
    return gives
