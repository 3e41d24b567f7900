"""The messages: plain, short, harmless. Whatever came from a node, a log or a model is cleaned here, and nowhere else. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gizzi.alerts.message import Message, MessageChange
from gizzi.clock import duration_text, iso
from gizzi.engine.tell.news import Case, IncidentNow, News, NewsKind, Note
from gizzi.kinds import SEVERITIES
from gizzi.readers.text import harmless

LONGEST_TITLE, LONGEST_LINE, LONGEST_BODY = 200, 300, 1800
"""In characters. Discord takes 2,000."""
DATA = 20
"""Messages that one message of several carries as data."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

_ORDER: tuple[NewsKind, ...] = (
    "approval", "opened", "reopened", "escalated", "worse", "decided", "action", "resolved", "merged", "grew", "acknowledged", "reminder"
)  # fmt: skip
"""The weightiest first: it gives the title."""
_CHANGES: Mapping[NewsKind, MessageChange] = {
    "opened": "opened",
    "reopened": "opened",
    "escalated": "escalated",
    "acknowledged": "acknowledged",
    "reminder": "reminder",
}


def message(case: Case, news: Sequence[News], network: str, now: float) -> Message:
    """What one channel hears of one incident."""
    incident = case.incident
    kinds = {item.kind for item in news}
    first = min(news, key=lambda item: _ORDER.index(item.kind))
    change: MessageChange = "resolved" if case.over else _change(kinds)
    said = [line for item in news if (line := _line(item, incident))]
    lines = [_where(incident, network), *said]
    if not case.over:
        lines = [_where(incident, network), *_needed(news, now), *said, *_decision(incident), *_next(incident)]
    return Message(
        title=_title(first, case, now),
        body=_fitting(lines, "\n"),
        severity=incident.severity,
        incident=f"inc-{incident.id}",
        change=change,
        over=case.over,
        at=iso(now) or "",
        details=details(incident),
    )


def of_note(note: Note, network: str, now: float) -> Message:
    """What a channel hears of an approval, or an action, that belongs to no incident; or of what was said, as of then."""
    if note.kind == "said":
        said = note.detail
        return Message(said["title"][:LONGEST_TITLE], said["body"], "medium", said["about"], "opened", False, iso(note.at) or "")
    what = _what(note.detail)
    if note.kind == "approval":
        title, lines = f"Your yes is needed: {what}", _needed([News("approval", note=note)], now)
    else:
        title, lines = _done(note.detail), [_action(note.detail)]
    where = f"On {harmless(network, 60)}; asked for by a person."
    return Message(title[:LONGEST_TITLE], _fitting([where, *lines], "\n"), "medium", None, "changed", False, iso(now) or "")


def _change(kinds: set[NewsKind]) -> MessageChange:
    """Of an open incident. What begins it counts most: a pager must be told so, whatever else there is to say."""
    return next((_CHANGES[kind] for kind in ("opened", "reopened", "escalated") if kind in kinds), None) or (
        _CHANGES.get(next(iter(kinds)), "changed") if len(kinds) == 1 else "changed"
    )


def _title(first: News, case: Case, now: float) -> str:
    incident = case.incident
    name, summary = f"{incident.severity.upper()} inc-{incident.id}", harmless(incident.summary, 150)
    match first.kind:
        case "opened" if case.over:
            title = f"Over already: inc-{incident.id}, {summary}"
        case "opened":
            title = f"{name}: {summary}"
        case "reopened":
            title = f"Back: {name}, {summary}"
        case "escalated":
            title = f"Nobody has answered: {name}, {summary}"
        case "worse":
            title = f"Now {name}: {summary}"
        case "approval":
            title = f"Your yes is needed: {name}, {summary}"
        case "decided":
            title = f"A person is needed: {name}, {summary}"
        case "action":
            title = f"{_done(first.note.detail if first.note else {})}; inc-{incident.id}, {summary}"
        case "resolved" | "merged":
            title = f"Over: inc-{incident.id}, {summary}"
        case "grew":
            title = f"More validators: {name}, {summary}"
        case "acknowledged":
            title = f"Acknowledged: {name}, {summary}"
        case _:
            title = f"Still open: {name}, {summary}"
    return title[:LONGEST_TITLE]


def _where(incident: IncidentNow, network: str) -> str:
    place = harmless(network, 60) + (f", chain {harmless(incident.chain, 60)}" if incident.chain else "")
    return f"On {place}; since {_time(incident.opened_at)}; rule {harmless(incident.rule, 60)}, {incident.severity}."


def _line(item: News, incident: IncidentNow) -> str | None:
    match item.kind:
        case "worse":
            return f"Severity: {incident.severity}, {item.text}."
        case "grew":
            return f"Also validator {item.text}." if item.text.isdigit() else f"Also validators {item.text}."
        case "acknowledged":
            return f"Looked after by {harmless(item.text, 60)}."
        case "resolved":
            return f"It is over {item.text}." + (
                f" Looked after by {harmless(incident.acknowledged_by, 60)}." if incident.acknowledged_by else ""
            )
        case "merged":
            return f"It goes on there: {item.text}."
        case "reminder":
            return f"Nobody has acknowledged it for {item.text}."
        case "escalated":
            return "Nobody has acknowledged it; you are the next to be called."
        case "action":
            return _action(item.note.detail if item.note else {})
        case _:
            return None


def _decision(incident: IncidentNow) -> list[str]:
    decision = incident.decision
    if decision is None:
        return []
    lines = [f"Decision: {decision.action} ({harmless(decision.model or decision.tier, 60)}): {harmless(decision.reasoning, 220)}"]
    if decision.escalate_to:
        lines.append(f"To be called: {harmless(decision.escalate_to, 100)}")
    return lines


def _needed(news: Sequence[News], now: float) -> list[str]:
    """The approvals that are asked for, each with the command that gives it."""
    lines = []
    for note in (item.note for item in news if item.kind == "approval" and item.note is not None):
        given = note.detail
        until = f", within {duration_text(note.expires_at - now)}" if note.expires_at is not None else ""
        lines.append(f"Needed: your yes to {_what(given)}{until}.")
        reasons = given.get("reasons")
        if isinstance(reasons, Sequence) and not isinstance(reasons, str) and reasons:
            lines.append(f"Asked because: {'; '.join(harmless(str(reason), 100) for reason in list(reasons)[:3])}")
        name = str(given.get("id"))
        if _NAME.fullmatch(name):
            lines += [f"gizzi approve {name}", f'gizzi deny {name} --why "…"']
    return lines


def _next(incident: IncidentNow) -> list[str]:
    if incident.state == "acknowledged":
        return [f"gizzi incident inc-{incident.id}"]
    return [f"gizzi incident inc-{incident.id}", f"gizzi ack inc-{incident.id}"]


def _action(given: Mapping[str, Any]) -> str:
    verdict, outcome = given.get("verdict"), given.get("outcome")
    if outcome == "in_doubt":
        return f"Nobody knows whether the {_what(given)} was carried out; it is not repeated. Look at it."
    if outcome == "failed":
        return f"The {_what(given)} could not be carried out."
    meanings = {
        "resolved": "it helped",
        "not_resolved": "it did not help",
        "worse": "it is worse since",
        "unknown": "nobody can say whether it helped",
    }
    return f"The {_what(given)} was carried out; {meanings.get(str(verdict), 'its effect is not known yet')}."


def _done(given: Mapping[str, Any]) -> str:
    word = given.get("verdict") if given.get("outcome") in ("done", None) else given.get("outcome")
    return f"After the {_what(given)}: {harmless(str(word or 'done').replace('_', ' '), 20)}"


def _what(given: Mapping[str, Any]) -> str:
    number = given.get("validator")
    of = f" of validator {number}" if isinstance(number, int) else ""
    return f"{harmless(str(given.get('action') or 'action'), 40)}{of}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def details(incident: IncidentNow) -> dict[str, Any]:
    """The incident's fields, for channels that pass on data; text from outside is cleaned here too."""
    return {
        "rule": harmless(incident.rule, 128),
        "chain": harmless(incident.chain, 128) if incident.chain is not None else None,
        "validators": list(incident.validators)[:200],
        "state": incident.state,
        "opened_at": iso(incident.opened_at),
        "resolved_at": iso(incident.resolved_at),
        "acknowledged_by": harmless(incident.acknowledged_by, 128) if incident.acknowledged_by is not None else None,
        "summary": harmless(incident.summary, LONGEST_LINE),
        "decision": incident.decision.action if incident.decision is not None else None,
    }


def together(messages: Sequence[Message]) -> Message:
    """One message of several, the worst first; each keeps its first lines and its commands."""
    if len(messages) == 1:
        return messages[0]
    ordered = sorted(messages, key=lambda m: (m.over, -SEVERITIES.index(m.severity), m.at))
    names = list(dict.fromkeys(m.incident for m in ordered if m.incident and m.incident.startswith("inc-")))
    worst, still = ordered[0], sum(not m.over for m in ordered)
    title = f"{len(messages)} messages" if len(names) < 2 else f"{len(names)} incidents"
    title += f": {worst.title}" if still else ", all over"
    parts = [_part(m) for m in ordered]
    one = names[0] if len(names) == 1 else None
    return Message(
        title=title[:LONGEST_TITLE],
        body=_fitting(parts, "\n\n"),
        severity=worst.severity,
        incident=one,
        change="several",
        over=not still,
        at=max(m.at for m in messages),
        details={"incidents": names, "messages": [m.as_json() for m in ordered[:DATA]]},
        id=hashlib.sha256(" ".join(sorted(m.id for m in messages)).encode()).hexdigest()[:32] if all(m.id for m in messages) else "",
    )


def _part(message: Message) -> str:
    """Its title, where and since when, and its commands."""
    lines = message.body.split("\n")
    commands = [line for line in lines[1:] if line.startswith(("Needed:", "gizzi approve", "Run:"))]
    return "\n".join([message.title, *lines[:1], *commands])


def _fitting(parts: Sequence[str], between: str) -> str:
    """As many of them, whole, as a message may hold: half a command would be worse than none."""
    shown: list[str] = []
    left = LONGEST_BODY - 40
    for part in parts:
        left -= len(part) + len(between)
        if left < 0:
            return between.join([*shown, f"and {len(parts) - len(shown)} more: gizzi incidents"])
        shown.append(part)
    return between.join(shown)
