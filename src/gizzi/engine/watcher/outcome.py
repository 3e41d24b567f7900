"""Whether a model was right to open an incident: a rule came to say so too, or a person did. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gizzi.clock import duration_text

HIT_WITHIN_S = 3600.0
"""A rule that opens an incident on the same validator so soon bears the model out."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An incident of a model. Times are epoch seconds; resolved_at is None while it is open."""

    incident: int
    validators: frozenset[int]
    opened_at: float
    resolved_at: float | None = None
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class OwnIncident:
    """One that a rule of ours opened."""

    incident: int
    rule: str
    validators: frozenset[int]
    opened_at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    name: Literal["hit", "false_alarm"]
    why: str


def outcome(opened: Opened, own: Iterable[OwnIncident], now: float) -> Outcome | None:
    """None while nobody can tell: it is open, or a rule may still say so."""
    until = opened.opened_at + HIT_WITHIN_S
    borne_out = (o for o in own if o.validators & opened.validators and opened.opened_at <= o.opened_at <= until)
    first = min(borne_out, key=lambda o: (o.opened_at, o.incident), default=None)
    if first is not None:
        later = duration_text(first.opened_at - opened.opened_at)
        return Outcome("hit", f"{first.rule} opened inc-{first.incident} {later} later")
    if opened.acknowledged_by is not None:
        return Outcome("hit", f"{opened.acknowledged_by} acknowledged it")
    if opened.resolved_at is not None and now > until:
        return Outcome("false_alarm", f"it ended, within {duration_text(HIT_WITHIN_S)} no rule told of the same, and nobody took it up")
    return None
