"""A closed incident, as it is remembered: what it looked like, and what ended it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from gizzi.memory.entry import Entry, Priority, Status, Stored
from gizzi.readers.text import one_line

KIND = "case"
LONGEST_TEXT = 2000
MOST = 200
"""How many validators, alert rules and quotes one case keeps."""
_PRIORITIES: dict[str, Priority] = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "critical": "CRITICAL"}


@dataclass(frozen=True, slots=True)
class Situation:
    """What an incident looks like. alert_rules: the rules of all alerts in it, its own among them."""

    rule: str
    severity: str
    chain: str | None = None
    validators: tuple[int, ...] = ()
    summary: str = ""
    alert_rules: tuple[str, ...] = ()

    def cut(self) -> Situation:
        return replace(
            self,
            rule=one_line(self.rule, 128),
            severity=one_line(self.severity, 16),
            chain=None if self.chain is None else one_line(self.chain, 128),
            validators=tuple(sorted(set(self.validators)))[:MOST],
            summary=one_line(self.summary, LONGEST_TEXT),
            alert_rules=tuple(sorted({one_line(rule, 128) for rule in self.alert_rules}))[:MOST],
        )


@dataclass(frozen=True, slots=True)
class Case:
    """decision: restart, wait, investigate or escalate. action: what was carried out, such as "restart 6"; None where nothing was.
    verdict: resolved, not_resolved, worse or unknown; None without an action. evidence: (observation id, quote). cost_usd: decimal text.
    number, closed_at: of its entry; 0 before it has one."""

    situation: Situation
    decision: str
    reasoning: str = ""
    action: str | None = None
    verdict: str | None = None
    evidence: tuple[tuple[str, str], ...] = ()
    tier: str | None = None
    model: str | None = None
    cost_usd: str | None = None
    lasted_s: float | None = None
    incident: int | None = None
    number: int = 0
    closed_at: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self.situation), **{f.name: getattr(self, f.name) for f in fields(self) if f.name != "situation"}}


def entry_of(case: Case, at: float, author: str, tags: tuple[str, ...] = ()) -> Entry:
    """The entry that remembers it. Its status follows from what ended it: not helped, or escalated, is with a person."""
    situation = case.situation.cut()
    body = {
        **asdict(situation),
        "decision": one_line(case.decision, 32),
        "reasoning": one_line(case.reasoning, LONGEST_TEXT),
        "action": _short(case.action),
        "verdict": _short(case.verdict),
        "evidence": [[one_line(name, 128), one_line(quote, 300)] for name, quote in case.evidence[:20]],
        "tier": _short(case.tier),
        "model": _short(case.model),
        "cost_usd": _short(case.cost_usd),
        "lasted_ms": None if case.lasted_s is None else round(case.lasted_s * 1000),
    }
    return Entry(
        at=at,
        author=author,
        kind=KIND,
        event=situation.summary or situation.rule,
        action=_told(case),
        status=_status(case),
        priority=_PRIORITIES.get(situation.severity, "MEDIUM"),
        tags=tuple(dict.fromkeys((situation.rule, *((situation.chain,) if situation.chain else ()), case.decision, *tags))),
        validators=situation.validators,
        incident=case.incident,
        body=json.dumps(body, ensure_ascii=False, sort_keys=True),
    )


def case_of(stored: Stored) -> Case | None:
    """The case in an entry; None where it holds none."""
    entry = stored.entry
    return read_case(entry.body, stored.number, round(entry.at * 1000), entry.incident) if entry.kind == KIND else None


def read_case(body: str, number: int, at_ms: int, incident: int | None) -> Case | None:
    """The case in the body of an entry; None where it is not what `entry_of` writes."""
    try:
        return _case(json.loads(body), number, at_ms / 1000, incident)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


def _case(body: dict[str, Any], number: int, at: float, incident: int | None) -> Case:
    situation = Situation(
        rule=str(body["rule"]),
        severity=str(body["severity"]),
        chain=_text(body["chain"]),
        validators=tuple(int(number) for number in body["validators"]),
        summary=str(body["summary"]),
        alert_rules=tuple(str(rule) for rule in body["alert_rules"]),
    )
    return Case(
        situation=situation,
        decision=str(body["decision"]),
        reasoning=str(body["reasoning"]),
        action=_text(body["action"]),
        verdict=_text(body["verdict"]),
        evidence=tuple((str(name), str(quote)) for name, quote in body["evidence"]),
        tier=_text(body["tier"]),
        model=_text(body["model"]),
        cost_usd=_text(body["cost_usd"]),
        lasted_s=None if body["lasted_ms"] is None else int(body["lasted_ms"]) / 1000,
        incident=incident,
        number=number,
        closed_at=at,
    )


def _told(case: Case) -> str:
    ended = f": {case.verdict}" if case.verdict else ""
    return f"{case.action or case.decision}{ended}"


def _status(case: Case) -> Status:
    if case.decision == "escalate" or case.verdict in ("not_resolved", "worse", "unknown"):
        return "ESCALATED"
    return "RESOLVED"


def _short(text: str | None) -> str | None:
    return None if text is None else one_line(text, 200)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
