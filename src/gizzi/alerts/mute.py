"""Why people are not told of an alert: they silenced it, or its validator is under maintenance. Inhibition by a cause is correlation's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gizzi.alerts.alert import GIZZI, Alert
from gizzi.clock import iso

NEVER_BY_MAINTENANCE = frozenset({"equivocation", "twin_signer", "database_lost"})
"""What can cost stake is told even while somebody works on the machine."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Mutes one rule, on one validator or everywhere, until a time (epoch seconds)."""

    id: int
    rule: str
    validator: int | None
    until: float
    why: str
    by: str
    created_at: float

    def covers(self, alert: Alert, now: float) -> bool:
        return now < self.until and alert.rule == self.rule and (self.validator is None or self.validator in alert.validators)

    def reason(self) -> str:
        return f"silenced until {iso(self.until)} by {self.by}: {self.why}"


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Somebody works on one validator, or on a whole chain, until a time (epoch seconds)."""

    id: int
    validator: int | None
    chain: str | None
    until: float
    why: str
    by: str
    created_at: float

    def holds_for(self, validator: int, chain: str, now: float) -> bool:
        return now < self.until and (self.validator == validator if self.validator is not None else self.chain == chain)

    def covers(self, alert: Alert, now: float) -> bool:
        if now >= self.until or alert.rule in NEVER_BY_MAINTENANCE or alert.subject == GIZZI:
            return False
        return self.chain == alert.chain if self.validator is None else alert.validators == (self.validator,)

    def reason(self) -> str:
        return f"under maintenance until {iso(self.until)} by {self.by}: {self.why}"


def muted_by(alert: Alert, mutes: Iterable[Silence | Maintenance], now: float) -> str | None:
    """The reason of the first that covers it, None where people should hear of it."""
    return next((mute.reason() for mute in mutes if mute.covers(alert, now)), None)
