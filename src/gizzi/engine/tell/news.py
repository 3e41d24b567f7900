"""What there is to tell: the difference between an incident and what people know of it. Pure.

So a burst of changes is one message, nothing is told twice, and whatever a crash cut off is found again by comparing once more.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from gizzi.alerts.alert import Alert
from gizzi.alerts.incident import Decision, IncidentState
from gizzi.alerts.mute import Maintenance, Silence, muted_by
from gizzi.clock import duration_text
from gizzi.kinds import SEVERITIES, Severity

NewsKind = Literal[
    "opened", "reopened", "worse", "grew", "decided", "approval", "action", "acknowledged", "resolved", "merged", "reminder", "escalated"
]
GROW_S = 300.0
"""More validators of an incident are told at the latest after this time, and at once where they have doubled."""
STAYS_RESOLVED_S = (30.0, 300.0, 900.0)
"""An end is told once it has lasted this long: what comes back at once was not over. Longer for what has come back once, and oftener."""
NEEDS_A_PERSON = frozenset({"escalate", "investigate"})


@dataclass(frozen=True, slots=True)
class IncidentNow:
    """An incident as it is kept. One that was merged into another has no alerts any more, but what it was is known still."""

    id: int
    rule: str
    severity: Severity
    chain: str | None
    validators: tuple[int, ...]
    state: IncidentState
    summary: str
    opened_at: float
    resolved_at: float | None = None
    acknowledged_by: str | None = None
    decision: Decision | None = None
    merged_into: int | None = None
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """What the incident itself does not show. kind: approval, action, or said: told as it stands, of no incident.

    detail: as the caller gave it, untrusted; what is said is a message's `about, title, body`, harmless already.
    """

    key: str
    incident: int
    kind: Literal["approval", "action", "said"]
    at: float
    expires_at: float | None
    detail: Mapping[str, Any]
    said: bool = False

    def is_late(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def is_moot(self, over: bool, now: float) -> bool:
        """Whether nobody needs to hear of it any more. over: its incident is."""
        return self.kind != "action" and (over or self.is_late(now))


@dataclass(frozen=True, slots=True)
class Told:
    """What people know of an incident.

    since: when they were first told that it is open, the latest time it opened. at: when the latest message was made. channels: the ids
    of those that were told that it is open. reminded: how often since its severity was told. reminded_at: when they
    last heard of it. backs: how often they were told that it is back.
    """

    over: bool = False
    since: float = 0.0
    at: float = 0.0
    severity: Severity = "low"
    reminded_at: float = 0.0
    validators: tuple[int, ...] = ()
    decision: str | None = None
    acknowledged: bool = False
    reminded: int = 0
    backs: int = 0
    channels: tuple[str, ...] = ()

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> Told:
        raw = json.loads(text)
        return cls(**{**raw, "validators": tuple(raw["validators"]), "channels": tuple(raw["channels"])})


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that telling of one incident depends on. told: None where nobody has been told anything."""

    incident: IncidentNow
    told: Told | None = None
    notes: Sequence[Note] = ()
    mutes: Sequence[Silence | Maintenance] = ()

    @property
    def over(self) -> bool:
        return self.incident.state == "resolved"

    @property
    def is_acknowledged(self) -> bool:
        return self.incident.state == "acknowledged"

    def approvals(self, now: float) -> list[Note]:
        """Those that still wait for a yes."""
        return [note for note in self.notes if note.kind == "approval" and not note.is_late(now) and not self.over]

    def is_silenced(self, now: float) -> bool:
        """Whether people muted, since it opened, everything of it that still fires for itself."""
        firing = [a for a in self.incident.alerts if a.state == "firing" and a.muted is None]
        return bool(firing) and all(muted_by(alert, self.mutes, now) is not None for alert in firing)


@dataclass(frozen=True, slots=True)
class News:
    kind: NewsKind
    text: str = ""
    note: Note | None = None


@dataclass
class Found:
    """What there is to tell now, and when to look again (epoch seconds), None where only a change could bring something."""

    news: list[News] = field(default_factory=list)
    look_at: float | None = None

    def later(self, at: float) -> None:
        self.look_at = at if self.look_at is None else min(self.look_at, at)


def news_of(case: Case, remind: Mapping[Severity, float], now: float) -> Found:
    """What is new about an incident; nothing while it is silenced, but its end."""
    found = Found()
    _state(case, found, now)
    if not case.over and case.is_silenced(now):
        return Found(look_at=min((mute.until for mute in case.mutes if mute.until > now), default=None))
    open_and_known = not case.over and case.told is not None and not case.told.over
    if open_and_known:
        _changes(case, found, now)
    fresh = [note for note in case.notes if not note.said]
    wanted = [note for note in fresh if note.kind == "action" or note in case.approvals(now)]
    found.news += [News("action" if note.kind == "action" else "approval", note=note) for note in wanted]
    if open_and_known and not found.news:
        _reminder(case, found, remind, now)
    return found


def _state(case: Case, found: Found, now: float) -> None:
    incident, told = case.incident, case.told
    if told is None:
        if incident.merged_into is None:
            found.news.append(News("opened"))
    elif case.over and not told.over:
        ended_at = incident.resolved_at or now
        stays_s = STAYS_RESOLVED_S[min(told.backs, len(STAYS_RESOLVED_S) - 1)]
        if incident.merged_into is not None:
            found.news.append(News("merged", f"it has one cause with inc-{incident.merged_into}"))
        elif now - ended_at >= stays_s:
            found.news.append(News("resolved", f"after {duration_text(ended_at - incident.opened_at)}"))
        else:
            found.later(ended_at + stays_s)
    elif told.over and not case.over:
        found.news.append(News("reopened"))


def _changes(case: Case, found: Found, now: float) -> None:
    """What changed while it stays open."""
    incident, told = case.incident, case.told
    assert told is not None
    if SEVERITIES.index(incident.severity) > SEVERITIES.index(told.severity):
        found.news.append(News("worse", f"{told.severity} before"))
    _growth(incident, told, found, now)
    decision = incident.decision
    if decision is not None and decision.action in NEEDS_A_PERSON and decision.action != told.decision:
        found.news.append(News("decided"))
    if case.is_acknowledged and not told.acknowledged:
        found.news.append(News("acknowledged", incident.acknowledged_by or "somebody"))


def _growth(incident: IncidentNow, told: Told, found: Found, now: float) -> None:
    more = set(incident.validators) - set(told.validators)
    if not more or not told.validators:
        return
    if len(incident.validators) >= 2 * len(told.validators) or now - told.at >= GROW_S:
        found.news.append(News("grew", ", ".join(map(str, sorted(more)[:20])) + (" …" if len(more) > 20 else "")))
    else:
        found.later(told.at + GROW_S)


def _reminder(case: Case, found: Found, remind: Mapping[Severity, float], now: float) -> None:
    told = case.told
    assert told is not None
    every_s = remind.get(told.severity, 0.0)
    if case.is_acknowledged or every_s <= 0:
        return
    due_at = told.reminded_at + every_s * 2.0**told.reminded
    if now >= due_at:
        found.news.append(News("reminder", duration_text(now - told.since)))
    else:
        found.later(due_at)


def after(case: Case, news: Collection[News], channels: Collection[str], now: float) -> Told:
    """What people know once they have been told this. channels: those that know that it is open."""
    incident, told = case.incident, case.told or Told()
    kinds = {item.kind for item in news}
    begins = bool(kinds & {"opened", "reopened"})
    worse = begins or "worse" in kinds
    decision = incident.decision
    needs = decision is not None and decision.action in NEEDS_A_PERSON
    heard = bool(kinds - {"reminder", "escalated", "acknowledged"})
    return replace(
        told,
        over=bool(kinds & {"resolved", "merged"}) or (case.over and "opened" in kinds) or (told.over and not begins),
        since=now if begins or not told.channels else told.since,
        at=now if heard else told.at,
        severity=incident.severity if worse else told.severity,
        reminded_at=now if heard or "reminder" in kinds else told.reminded_at,
        validators=incident.validators if begins or "grew" in kinds else told.validators,
        decision=(decision.action if decision is not None else None) if begins or needs else told.decision,
        acknowledged="acknowledged" in kinds or (told.acknowledged and not begins) or (begins and case.is_acknowledged),
        reminded=0 if worse else told.reminded + ("reminder" in kinds),
        backs=told.backs + ("reopened" in kinds),
        channels=tuple(channels),
    )
