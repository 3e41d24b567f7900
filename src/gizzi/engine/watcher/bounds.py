"""How much a model may open: a few at once, a few an hour, one a validator, and the same not again and again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gizzi.alerts.alert import Key
from gizzi.alerts.external import Said, owner

MOST_OPEN = 5
MOST_AN_HOUR = 6
HOUR_S = 3600.0
AGAIN_AFTER_S: Mapping[str | None, float] = {"hit": HOUR_S, None: 6 * HOUR_S, "false_alarm": 24 * HOUR_S}
"""How long the same finding is not opened again, by what became of it the last time."""
LOOK_BACK_S = 24 * HOUR_S + 12 * HOUR_S
"""Longer than one stays open and the longest of these together."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a model said before. ended_at: None while it fires. outcome: hit, false_alarm, or None while nobody knows."""

    key: Key
    since: float
    ended_at: float | None
    outcome: str | None


def admitted(found: Sequence[Said], earlier: Iterable[Earlier], now: float) -> list[Said]:
    """Those that may be opened now, in the order given. What fires already is none of them."""
    before = list(earlier)
    firing = {owner(one.key[0]) for one in before if one.ended_at is None}
    damped = {one.key for one in before if one.ended_at is None or now < one.ended_at + AGAIN_AFTER_S[one.outcome]}
    open_ = sum(one.ended_at is None for one in before)
    lately = sum(now - HOUR_S < one.since <= now for one in before)
    let: list[Said] = []
    for said in found:
        if len(let) >= min(MOST_OPEN - open_, MOST_AN_HOUR - lately):
            break
        if (said.subject, said.rule) not in damped and owner(said.subject) not in firing:
            firing.add(owner(said.subject))
            let.append(said)
    return let
