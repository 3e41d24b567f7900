"""What a rule returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class _Unknown(Enum):
    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown.UNKNOWN
"""The rule cannot tell: an alert that fires goes on firing, one that does not stays silent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that holds.

    text: one line for people. validators: whom it concerns, for rules of a chain. evidence: the observations it rests on, by name or,
    where they are another validator's, by id such as "7/equivocations"; the rule's `needs` where empty. severity: where it differs
    from the rule's own.
    """

    text: str
    validators: tuple[int, ...] = ()
    evidence: tuple[str, ...] = ()
    severity: str | None = field(default=None)


Answer = Finding | str | _Unknown | None
Sound = Finding | _Unknown | None
"""An answer in the form that everything after relies on."""
