"""Incidents for tests of telling, without a fleet."""

from __future__ import annotations

from typing import Any

from gizzi.alerts.alert import Alert
from gizzi.alerts.incident import Decision
from gizzi.engine.tell.news import IncidentNow

START = 1_780_000_000.0


def alert(number: int = 6, rule: str = "peers_low", *, state: str = "firing", muted: str | None = None) -> Alert:
    return Alert(
        subject=f"validator/{number}",
        rule=rule,
        chain="flare",
        severity="high",
        text="1 peer; fewer than 3",
        validators=(number,),
        evidence=(),
        since=START - 15,
        state=state,  # type: ignore[arg-type]
        fired_at=START,
        muted=muted,
        incident=1,
    )


def incident(**changed: Any) -> IncidentNow:
    """inc-1 of validator 6, just opened."""
    fields: dict[str, Any] = {
        "id": 1,
        "rule": "peers_low",
        "severity": "high",
        "chain": "flare",
        "validators": (6,),
        "state": "triggered",
        "summary": "Validator 6: 1 peer; fewer than 3",
        "opened_at": START,
        "alerts": (alert(),),
    }
    return IncidentNow(**{**fields, **changed})


def decision(action: str = "escalate", reasoning: str = "no single restart mends this") -> Decision:
    return Decision(action, reasoning, 0.8, (("6/peers", "1"),))  # type: ignore[arg-type]
