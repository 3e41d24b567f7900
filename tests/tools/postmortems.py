"""An incident as faces show it, for tests of its postmortem."""

from __future__ import annotations

from typing import Any

from gizzi.engine.postmortem.facts import Facts


def action(**changed: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": "act-1",
        "incident": "inc-3",
        "action": "restart",
        "validator": 6,
        "permission": "ask",
        "reasons": ["mode suggest asks a person before every write"],
        "why": "peers_low",
        "proposed_by": "reflex",
        "approved_by": "kim",
        "state": "closed",
        "outcome": "done",
        "verdict": "resolved",
        "detail": None,
        "proposed_at": "2026-11-20T10:01:00.000Z",
        "begun_at": "2026-11-20T10:05:00.000Z",
        "ended_at": "2026-11-20T10:05:02.000Z",
        "verdict_at": "2026-11-20T10:07:02.000Z",
    }
    return {**fields, **changed}


def alert(**changed: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "subject": "validator/6",
        "rule": "peers_low",
        "severity": "high",
        "state": "resolved",
        "text": "1 peer; fewer than 3",
        "validators": [6],
        "since": "2026-11-20T09:59:45.000Z",
        "fired_at": "2026-11-20T10:00:00.000Z",
        "resolved_at": "2026-11-20T10:06:30.000Z",
        "muted": None,
        "evidence": [{"observation": "6/peers", "text": "peers = 1"}],
    }
    return {**fields, **changed}


def incident(**changed: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": "inc-3",
        "rule": "peers_low",
        "severity": "high",
        "chain": "flare",
        "validators": [6],
        "state": "resolved",
        "opened_at": "2026-11-20T10:00:00.000Z",
        "resolved_at": "2026-11-20T10:06:30.000Z",
        "summary": "Validator 6: 1 peer; fewer than 3",
        "decision": {
            "action": "restart",
            "reasoning": "a restart usually finds peers again",
            "confidence": 1.0,
            "evidence": [{"observation": "6/peers", "quote": "peers = 1"}],
            "estimated_downtime_min": 1.0,
            "escalate_to": None,
            "tier": "reflex",
            "model": None,
        },
        "actions": [action()],
        "cost_usd": "0.0125",
        "acknowledged_by": "kim",
        "merged_into": None,
        "alerts": [alert()],
        "timeline": [
            {"at": "2026-11-20T10:00:00.000Z", "kind": "opened", "text": "Validator 6: 1 peer; fewer than 3"},
            {"at": "2026-11-20T10:06:30.000Z", "kind": "resolved", "text": "every alert of it is over"},
        ],
    }
    return {**fields, **changed}


def approval(**changed: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": "ap-1",
        "action": "restart",
        "validator": 6,
        "incident": "inc-3",
        "because": "peers_low",
        "reasons": ["mode suggest asks a person before every write"],
        "state": "used",
        "asked_at": "2026-11-20T10:01:00.000Z",
        "expires_at": "2026-11-20T10:31:00.000Z",
        "decided_at": "2026-11-20T10:04:00.000Z",
        "decided_by": "kim",
        "why": None,
        "hash": "0" * 64,
    }
    return {**fields, **changed}


def facts(**changed: Any) -> Facts:
    fields: dict[str, Any] = {"network": "Testnet", "incident": incident(), "approvals": [approval()], "at": "2026-11-20T11:00:00.000Z"}
    return Facts(**{**fields, **changed})
