"""An incident: what people and models work on. One cause, one incident."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from gizzi.alerts.alert import GIZZI, Alert, Key, worst
from gizzi.alerts.causes import rank
from gizzi.clock import iso
from gizzi.kinds import Severity

IncidentState = Literal["triggered", "acknowledged", "resolved"]
DecisionAction = Literal["restart", "wait", "investigate", "escalate"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about an incident, and on which evidence: (observation id, words that occur in its text)."""

    action: DecisionAction
    reasoning: str
    confidence: float
    evidence: tuple[tuple[str, str], ...]
    estimated_downtime_min: float | None = None
    escalate_to: str | None = None
    tier: str = "reflex"
    model: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "reasoning": self.reasoning,
            "confidence": self.confidence,
            "evidence": [{"observation": observation, "quote": quote} for observation, quote in self.evidence],
            "estimated_downtime_min": self.estimated_downtime_min,
            "escalate_to": self.escalate_to,
            "tier": self.tier,
            "model": self.model,
        }


@dataclass(slots=True)
class Incident:
    """Times are epoch seconds.

    alerts: all that ever joined, by identity, the latest of each. decide_at: when it is to be decided next, None where nothing is due.
    cost_usd: of the models that worked on it.
    """

    id: int
    chain: str | None
    opened_at: float
    alerts: dict[Key, Alert] = field(default_factory=dict)
    state: IncidentState = "triggered"
    resolved_at: float | None = None
    acknowledged_by: str | None = None
    decision: Decision | None = None
    decide_at: float | None = None
    merged_into: int | None = None
    cost_usd: Decimal = Decimal(0)

    def cause(self) -> Alert:
        """The alert of the deepest cause; the earliest among equals. Of those whose cause is not another alert, where there are any."""
        told = [alert for alert in self.alerts.values() if alert.state == "firing"] or list(self.alerts.values())
        return min(told, key=lambda alert: (rank(alert.rule), alert.since, alert.subject))

    @property
    def rule(self) -> str:
        return min(self.alerts.values(), key=lambda alert: (rank(alert.rule), alert.since)).rule

    @property
    def severity(self) -> Severity:
        return worst([alert.severity for alert in self.alerts.values()])

    @property
    def validators(self) -> tuple[int, ...]:
        """Whom the cause concerns."""
        rule = self.rule
        return tuple(sorted({number for alert in self.alerts.values() if alert.rule == rule for number in alert.validators}))

    @property
    def summary(self) -> str:
        """One line: whom, what, and how many symptoms hang on it."""
        rule = self.rule
        causes = [alert for alert in self.alerts.values() if alert.rule == rule]
        first = min(causes, key=lambda alert: (alert.state != "firing", alert.since))
        others = len(self.alerts) - len(causes)
        return f"{whom(self.validators, self.chain, first)}: {first.text}" + (f" (and {others} symptoms)" if others > 1 else "")

    def is_quiet(self) -> bool:
        return all(alert.state == "resolved" for alert in self.alerts.values())


def whom(validators: tuple[int, ...], chain: str | None, alert: Alert) -> str:
    """ "Validator 6", "Validators 3, 7", "21 validators of flare", "Chain flare", "Gizzi"."""
    if alert.of_chain or (not validators and chain):
        return f"Chain {chain}"
    if not validators:
        return "Gizzi" if alert.subject == GIZZI else "The network"
    if len(validators) == 1:
        return f"Validator {validators[0]}"
    if len(validators) <= 6:
        return f"Validators {', '.join(map(str, validators))}"
    return f"{len(validators)} validators of {chain}"


def alert_json(alert: Alert) -> dict[str, Any]:
    return {
        "subject": alert.subject,
        "rule": alert.rule,
        "severity": alert.severity,
        "state": alert.state,
        "text": alert.text,
        "validators": list(alert.validators),
        "since": iso(alert.since),
        "fired_at": iso(alert.fired_at),
        "resolved_at": iso(alert.resolved_at),
        "muted": alert.muted,
        "evidence": [{"observation": observation, "text": text} for observation, text in alert.evidence],
    }
