"""Gizzi itself: a rule that can never fire is worse than none, and a watcher that is late sees too little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from gizzi import UNKNOWN, Answer, Settings, duration_text, rule


class Own(Protocol):
    """What is known of ourselves.

    gives: the sources in use that can give an observation. reporting: sources that ever answered. broken: rules that fail, and how.
    """

    settings: Settings
    rules: Iterable[Any]
    seen: AbstractSet[str]
    reporting: AbstractSet[str]
    gives: Mapping[str, AbstractSet[str]]
    watched_s: float
    lateness_s: float
    broken: Mapping[str, str]


def dead_rules(gizzi: Own, *, optional: bool = False) -> list[Any]:
    """Rules of which no observation was ever seen anywhere, though a source in use that can give one of them has answered.

    Where no source in use gives any, as without SSH, the rule is off rather than dead; so is, unless asked for, one whose observations
    are optional.
    """
    dead = []
    for item in gizzi.rules:
        if (item.optional and not optional) or item.scope not in ("validator", "chain") or any(name in gizzi.seen for name in item.needs):
            continue
        if any(source in gizzi.reporting for name in item.needs for source in gizzi.gives.get(name, ())):
            dead.append(item)
    return dead


@rule("rule_dead", severity="low", hold="0s", scope="gizzi")
def rule_dead(gizzi: Own, *, after_s: float = 600.0) -> Answer:
    """A rule can never fire, because nothing it looks at is seen anywhere: the metric has another name, or the node does not have it. Or
    the rule, a plugin's perhaps, itself fails."""
    if gizzi.broken:
        return f"does not work: {'; '.join(f'{name} ({error})' for name, error in list(gizzi.broken.items())[:4])}"
    if gizzi.watched_s <= after_s:
        return UNKNOWN
    dead = dead_rules(gizzi)
    if not dead:
        return None
    told = "; ".join(f"{item.name} (none of {', '.join(item.needs)})" for item in dead[:4])
    return f"can never fire, as what they look at is seen nowhere: {told}" + (f" and {len(dead) - 4} more" if len(dead) > 4 else "")


@rule("collector_late", severity="medium", hold="1m", scope="gizzi")
def collector_late(gizzi: Own) -> Answer:
    """Gizzi asks the validators later than it should: its machine is too busy or its list too long, so it notices trouble late."""
    every_s = gizzi.settings.collect.every_s
    if gizzi.lateness_s <= every_s:
        return None
    return f"a validator was asked {duration_text(gizzi.lateness_s)} late, more than one period of {duration_text(every_s)}"
