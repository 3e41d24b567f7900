"""An alert: a machine's claim about one subject, by one rule. Its identity is (subject, rule), never its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gizzi.kinds import SEVERITIES, Severity

AlertState = Literal["pending", "firing", "resolved"]
Key = tuple[str, str]
"""(subject, rule)."""

GIZZI = "gizzi"
"""The subject of alerts about ourselves."""


def validator_subject(number: int) -> str:
    return f"validator/{number}"


def chain_subject(chain: str) -> str:
    return f"chain/{chain}"


@dataclass(slots=True)
class Alert:
    """Times are epoch seconds.

    since: when the condition was first seen. fired_at, resolved_at: when it became an alert, when it ceased. clear_since: since when the
    condition has been seen not to hold, while the alert still stands. answered_at: when its rule last said that the condition holds.
    flaps: how often it came back soon after it had resolved. muted: why people are not told ("silenced until …", "explained by …"),
    None while they are. incident: the incident it belongs to.
    """

    subject: str
    rule: str
    chain: str | None
    severity: Severity
    text: str
    validators: tuple[int, ...]
    evidence: tuple[tuple[str, str], ...]
    since: float
    state: AlertState = "pending"
    fired_at: float | None = None
    resolved_at: float | None = None
    clear_since: float | None = None
    answered_at: float = 0.0
    flaps: int = 0
    muted: str | None = None
    incident: int | None = None

    @property
    def key(self) -> Key:
        return (self.subject, self.rule)

    @property
    def of_chain(self) -> bool:
        """Whether it concerns a whole chain rather than one validator."""
        return self.subject.startswith("chain/")


def worst(severities: list[Severity]) -> Severity:
    return max(severities, key=SEVERITIES.index, default="low")
