"""Alerts and incidents as rows of the store, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from gizzi.alerts.alert import Alert, Key
from gizzi.alerts.correlate import Change
from gizzi.alerts.external import source_of
from gizzi.alerts.incident import Decision, Incident, alert_json
from gizzi.clock import iso


def incident_row(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "rule": incident.rule,
        "severity": incident.severity,
        "chain": incident.chain,
        "validators": json.dumps(incident.validators),
        "state": incident.state,
        "summary": incident.summary,
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "acknowledged_by": incident.acknowledged_by,
        "decision": json.dumps(incident.decision.as_json()) if incident.decision else None,
        "decide_at": incident.decide_at,
        "merged_into": incident.merged_into,
        "cost_usd": str(incident.cost_usd),
    }


def alert_row(alert: Alert) -> dict[str, Any]:
    return {
        "subject": alert.subject,
        "rule": alert.rule,
        "since": alert.since,
        "chain": alert.chain,
        "severity": alert.severity,
        "text": alert.text,
        "validators": json.dumps(alert.validators),
        "evidence": json.dumps(alert.evidence),
        "state": alert.state,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "flaps": alert.flaps,
        "muted": alert.muted,
        "incident": alert.incident,
    }


def event_row(change: Change) -> dict[str, Any]:
    return {"incident": change.incident.id, "at": change.at, "kind": change.kind, "text": change.text}


def alert_of(row: dict[str, Any]) -> Alert:
    fields = {name: row[name] for name in ("subject", "rule", "since", "chain", "severity", "text", "state")}
    return Alert(
        **fields,
        fired_at=row["fired_at"],
        resolved_at=row["resolved_at"],
        flaps=row["flaps"],
        muted=row["muted"],
        incident=row["incident"],
        validators=tuple(json.loads(row["validators"])),
        evidence=tuple((observation, text) for observation, text in json.loads(row["evidence"])),
    )


def decision_of(text: str | None) -> Decision | None:
    if text is None:
        return None
    raw = json.loads(text)
    evidence = tuple((item["observation"], item["quote"]) for item in raw.pop("evidence"))
    return Decision(**raw, evidence=evidence)


def incident_of(row: dict[str, Any], alerts: Iterable[Alert]) -> Incident:
    return Incident(
        id=row["id"],
        chain=row["chain"],
        opened_at=row["opened_at"],
        alerts={alert.key: alert for alert in alerts},
        state=row["state"],
        resolved_at=row["resolved_at"],
        acknowledged_by=row["acknowledged_by"],
        decision=decision_of(row["decision"]),
        decide_at=row["decide_at"],
        merged_into=row["merged_into"],
        cost_usd=Decimal(row["cost_usd"]),
    )


def incidents_of(rows: Sequence[dict[str, Any]], alert_rows: Iterable[dict[str, Any]]) -> list[Incident]:
    """Incidents with their alerts, in the rows' order."""
    alerts = [alert_of(row) for row in alert_rows]
    return [incident_of(row, [alert for alert in alerts if alert.incident == row["id"]]) for row in rows]


def shown(row: dict[str, Any], alerts: Sequence[Alert], actions: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """The incident object that every face shows, from what the store holds. actions: as they are shown."""
    return {
        "id": f"inc-{row['id']}",
        "rule": row["rule"],
        "source": source_of(row["rule"]),
        "severity": row["severity"],
        "chain": row["chain"],
        "validators": json.loads(row["validators"]),
        "state": row["state"],
        "opened_at": iso(row["opened_at"]),
        "resolved_at": iso(row["resolved_at"]),
        "summary": row["summary"],
        "decision": json.loads(row["decision"]) if row["decision"] else None,
        "actions": list(actions),
        "cost_usd": row["cost_usd"],
        "acknowledged_by": row["acknowledged_by"],
        "merged_into": f"inc-{row['merged_into']}" if row["merged_into"] else None,
        "alerts": [alert_json(alert) for alert in alerts],
    }


def superseded(alerts: Iterable[Alert], now: float) -> list[Alert]:
    """Ends all but the latest of those that fire under one key, which no sane store holds; returns what it ended."""
    latest: dict[Key, Alert] = {}
    older: list[Alert] = []
    for alert in sorted((alert for alert in alerts if alert.state == "firing"), key=lambda alert: alert.since):
        if alert.key in latest:
            older.append(latest[alert.key])
        latest[alert.key] = alert
    for alert in older:
        alert.state, alert.resolved_at = "resolved", now
    return older
