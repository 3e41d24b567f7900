"""Alerts with one cause become one incident.

An alert joins, in this order: the incident of a firing alert that explains it; the incidents it explains itself (as their cause);
the incident of the same rule on the same chain, if both began within 30 s or 30 % of the chain is affected; an incident of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gizzi.alerts.alert import Alert, Key
from gizzi.alerts.book import Turn
from gizzi.alerts.causes import rank
from gizzi.alerts.external import EXPLAINED_BY, is_external, is_model, owner, whose
from gizzi.alerts.incident import Incident, whom
from gizzi.alerts.mute import Maintenance, Silence, muted_by
from gizzi.config import Chain
from gizzi.kinds import Rule

TOGETHER_S = 30.0
CHAIN_SHARE = 0.3
REOPEN_S = 300.0
"""An alert that comes back within this time reopens its incident instead of opening another."""
OUTLIVES_S = 60.0
"""Symptoms usually end soon after their cause; only if they last this much longer is there something left to decide."""
CAUSE_LATE_S = 180.0
"""A cause may be recognised this much later than its symptoms."""

ChangeKind = Literal[
    "opened", "joined", "muted", "alert_resolved", "changed", "merged", "reopened", "resolved", "thought", "decided", "acknowledged"
]


@dataclass(frozen=True, slots=True)
class Change:
    """One line of an incident's timeline."""

    incident: Incident
    at: float
    kind: ChangeKind
    text: str


class Correlator:
    """Holds the open incidents and those that may reopen.

    chains: by id. sizes: how many of our validators each chain has. round_s: one full poll round.
    """

    def __init__(self, rules: Mapping[str, Rule], chains: Mapping[str, Chain], sizes: Mapping[str, int], round_s: float) -> None:
        self._rules = rules
        self._chains = chains
        self._sizes = sizes
        self._round_s = round_s
        self._next_id = 1
        self.open: dict[int, Incident] = {}
        self._closed: list[Incident] = []
        self._waiting: dict[Key, Alert] = {}

    def restore(self, incidents: Sequence[Incident], muted: Sequence[Alert], next_id: int) -> None:
        """Take up the incidents, open or lately resolved, and the muted alerts of an earlier process."""
        self._next_id = next_id
        for incident in incidents:
            if incident.state == "resolved":
                self._closed.append(incident)
            else:
                self.open[incident.id] = incident
        for alert in muted:
            self._waiting[alert.key] = alert

    def step(self, now: float, turn: Turn, mutes: Sequence[Silence | Maintenance]) -> list[Change]:
        """Work one evaluation's changes into the incidents; returns what is new in their timelines."""
        self._closed = [incident for incident in self._closed if now - (incident.resolved_at or 0) <= REOPEN_S]
        changes: list[Change] = []
        fired = [*self._unmuted(now, mutes), *turn.fired]
        others = _Others(self.open.values()) if any(is_external(alert.rule) for alert in fired) else None
        for alert in sorted(fired, key=lambda alert: (rank(alert.rule), alert.since, alert.subject)):
            alert.muted = muted_by(alert, mutes, now)
            if alert.muted is not None:
                self._waiting[alert.key] = alert
            elif others is not None and is_external(alert.rule):
                self._place_external(alert, others, now, changes)
            else:
                self._place(alert, now, changes)
        for alert in turn.changed:
            incident = self.open.get(alert.incident or 0)
            if incident is not None:
                changes.append(Change(incident, now, "changed", f"{alert.rule}: {alert.text}"))
                self._redecide(incident, now)
        for alert in turn.resolved:
            self._waiting.pop(alert.key, None)
            incident = self.open.get(alert.incident or 0)
            if incident is not None:
                changes.append(Change(incident, now, "alert_resolved", f"{alert.rule} on {alert.subject} is over"))
                self._close_if_quiet(incident, now, changes)
                self._orphan(incident, alert, now)
        return changes

    def _unmuted(self, now: float, mutes: Sequence[Silence | Maintenance]) -> list[Alert]:
        """Alerts that were muted, still fire, and are muted no longer."""
        free = [alert for alert in self._waiting.values() if muted_by(alert, mutes, now) is None]
        for alert in free:
            del self._waiting[alert.key]
        return free

    def _place(self, alert: Alert, now: float, changes: list[Change]) -> None:
        explaining = self._cause_of(alert)
        if explaining is not None:
            alert.muted = f"explained by {explaining.rule} on {explaining.subject}"
            home = self.open[explaining.incident or 0]
            self._merge([home, *self._siblings(alert, only_wide=True)], alert, now, changes)
            return
        symptoms = self._explained_by(alert)
        if symptoms:
            self._merge(symptoms, alert, now, changes)
            return
        siblings = self._siblings(alert)
        if siblings:
            self._merge(siblings, alert, now, changes)
            return
        self._open_or_reopen(alert, now, changes)

    def _open_or_reopen(self, alert: Alert, now: float, changes: list[Change]) -> None:
        before = next((incident for incident in reversed(self._closed) if self._continues(incident, alert)), None)
        if before is not None:
            self._reopen(before, alert, now, changes)
            return
        self._open(alert, now, changes)

    def _place_external(self, alert: Alert, others: _Others, now: float, changes: list[Change]) -> None:
        """The same for another system's alert, in a time that does not grow with how many there are: thousands may come at once."""
        older = [incident for incident in others.of(alert) if incident.id in self.open]
        home = others.home(alert)
        if self._cause_at(alert) is not None:
            self._place(alert, now, changes)
        elif home is not None and home.id in self.open:
            _add(home, alert)
            changes.append(Change(home, now, "joined", f"{alert.rule} on {whose(alert)}: {alert.text}"))
            self._redecide(home, now)
        elif older and self._is_wide(alert.rule, alert.chain, alert):
            self._merge(older, alert, now, changes)
        else:
            self._open_or_reopen(alert, now, changes)
        others.note(alert, self.open.get(alert.incident or 0))

    def _cause_at(self, alert: Alert) -> Alert | None:
        """What explains another system's alert: the node that it concerns is gone. A model's stays apart."""
        if is_model(alert.rule):
            return None
        keys = [(owner(alert.subject), rule) for rule in EXPLAINED_BY] if alert.validators else []
        found = (cause for incident in self.open.values() for key in keys if (cause := incident.alerts.get(key)) is not None)
        return min((cause for cause in found if cause.state == "firing"), key=lambda cause: rank(cause.rule), default=None)

    def _open(self, alert: Alert, now: float, changes: list[Change]) -> None:
        incident = Incident(self._next_id, alert.chain, now, decide_at=now + self._round_s)
        self._next_id += 1
        self.open[incident.id] = incident
        _add(incident, alert)
        changes.append(Change(incident, now, "opened", f"{whom(alert.validators, alert.chain, alert)}: {alert.text}"))

    def _reopen(self, incident: Incident, alert: Alert, now: float, changes: list[Change]) -> None:
        self._closed.remove(incident)
        self.open[incident.id] = incident
        incident.state, incident.resolved_at, incident.acknowledged_by = "triggered", None, None
        incident.decision = None  # what was decided then is done, and is decided anew
        _add(incident, alert)
        changes.append(Change(incident, now, "reopened", f"{alert.rule} is back: {alert.text}"))
        self._redecide(incident, now)

    def _join(self, incident: Incident, alert: Alert, now: float, changes: list[Change]) -> None:
        before = (incident.rule, incident.validators, incident.severity)
        _add(incident, alert)
        told = f", {alert.muted}" if alert.muted else ""
        changes.append(Change(incident, now, "joined", f"{alert.rule} on {alert.subject}{told}: {alert.text}"))
        if (incident.rule, incident.validators, incident.severity) != before:
            self._redecide(incident, now)

    def _merge(self, incidents: list[Incident], alert: Alert, now: float, changes: list[Change]) -> None:
        """Join the oldest, which takes in the others."""
        oldest, *others = sorted({incident.id: incident for incident in incidents}.values(), key=lambda incident: incident.id)
        for other in others:
            for moved in other.alerts.values():
                _add(oldest, moved)
            other.state, other.resolved_at, other.merged_into, other.decide_at = "resolved", now, oldest.id, None
            del self.open[other.id]
            changes.append(Change(other, now, "merged", f"one cause with inc-{oldest.id}"))
        self._join(oldest, alert, now, changes)
        if others:
            self._redecide(oldest, now)
        if alert.of_chain and self._explains(alert, oldest.cause()):
            oldest.chain = alert.chain
        for symptom in oldest.alerts.values():
            if symptom.state == "firing" and symptom.muted is None and self._explains(alert, symptom):
                symptom.muted = f"explained by {alert.rule} on {alert.subject}"

    def _close_if_quiet(self, incident: Incident, now: float, changes: list[Change]) -> None:
        if incident.is_quiet():
            incident.state, incident.resolved_at, incident.decide_at = "resolved", now, None
            del self.open[incident.id]
            self._closed.append(incident)
            changes.append(Change(incident, now, "resolved", "every alert of it is over"))

    def _orphan(self, incident: Incident, cause: Alert, now: float) -> None:
        """Symptoms that outlive their cause stand for themselves; if they last, the incident is decided again."""
        left = [a for a in incident.alerts.values() if a.state == "firing" and a.muted and self._explains(cause, a)]
        for alert in left:
            if self._cause_of(alert) is None:
                alert.muted = None
                if incident.decide_at is None:
                    incident.decide_at = now + OUTLIVES_S

    def _redecide(self, incident: Incident, now: float) -> None:
        if incident.decide_at is None or incident.decide_at > now + self._round_s:
            incident.decide_at = now + self._round_s

    def _cause_of(self, alert: Alert) -> Alert | None:
        """The deepest firing alert of an open incident that explains this one."""
        if is_external(alert.rule):
            return self._cause_at(alert)
        firing = (other for incident in self.open.values() for other in incident.alerts.values() if other.state == "firing")
        causes = [other for other in firing if other.key != alert.key and self._explains(other, alert)]
        return min(causes, key=lambda other: rank(other.rule), default=None)

    def _explained_by(self, alert: Alert) -> list[Incident]:
        """Open incidents whose cause is a symptom of this alert."""
        return [
            incident
            for incident in self.open.values()
            if self._explains(alert, incident.cause())
            and (alert.since - incident.opened_at <= CAUSE_LATE_S or self._is_wide(incident.cause().rule, alert.chain))
        ]

    def _is_wide(self, rule: str, chain: str | None, newest: Alert | None = None) -> bool:
        """Whether so much of the chain has an alert of this rule that it is one cause, whenever each began."""
        incidents = [incident for incident in self.open.values() if incident.chain == chain]
        firing = (a for incident in incidents for a in incident.alerts.values() if a.rule == rule and a.state == "firing")
        affected = {whose(alert) for alert in (*firing, *((newest,) if newest is not None else ()))}
        return chain is not None and len(affected) >= max(2, CHAIN_SHARE * self._sizes.get(chain, 0))

    def _siblings(self, alert: Alert, *, only_wide: bool = False) -> list[Incident]:
        """Open incidents that the same rule opened on the same chain, where they count as one cause with this alert."""
        same = [incident for incident in self.open.values() if incident.rule == alert.rule and incident.chain == alert.chain]
        if self._is_wide(alert.rule, alert.chain, alert):
            return same
        if only_wide:
            return []
        mates = {incident.id: [a for a in incident.alerts.values() if a.rule == alert.rule] for incident in same}
        return [incident for incident in same if any(abs(alert.since - a.since) <= TOGETHER_S for a in mates[incident.id])]

    def _continues(self, closed: Incident, alert: Alert) -> bool:
        """Whether the alert belongs to an incident that has just closed: the same alert is back, or its rule goes round the chain."""
        same_rule = closed.chain == alert.chain and closed.rule == alert.rule
        mates = (a for a in closed.alerts.values() if a.rule == alert.rule)
        return alert.key in closed.alerts or (same_rule and any(abs(alert.since - a.since) <= TOGETHER_S for a in mates))

    def _explains(self, cause: Alert, symptom: Alert) -> bool:
        """Whether the cause's rule lists the symptom's, and the one concerns the other: same validator, its chain, or a side chain."""
        if is_external(symptom.rule):
            return not is_model(symptom.rule) and cause.rule in EXPLAINED_BY and cause.subject == owner(symptom.subject)
        rule = self._rules.get(cause.rule)
        if rule is None:
            return False
        if cause.chain != symptom.chain:
            parents = cause.of_chain and symptom.chain is not None and self._is_ancestor(cause.chain, symptom.chain)
            return parents and (symptom.rule in rule.explains or symptom.rule == cause.rule)
        if symptom.rule not in rule.explains:
            return False
        return cause.of_chain or symptom.of_chain or cause.subject == symptom.subject

    def _is_ancestor(self, chain: str | None, of: str) -> bool:
        at = self._chains.get(of)
        while at is not None and at.parent is not None:
            if at.parent == chain:
                return True
            at = self._chains.get(at.parent)
        return False


class _Others:
    """Where other systems' alerts of one rule on one chain belong: with those that began within 30 s of each other."""

    def __init__(self, incidents: Iterable[Incident]) -> None:
        self._homes: dict[tuple[str, str | None], list[tuple[float, Incident]]] = {}
        for incident in incidents:
            for alert in incident.alerts.values():
                if is_external(alert.rule):
                    self.note(alert, incident)

    def of(self, alert: Alert) -> list[Incident]:
        return [incident for _, incident in self._homes.get((alert.rule, alert.chain), ())]

    def home(self, alert: Alert) -> Incident | None:
        known = self._homes.get((alert.rule, alert.chain), ())
        return next((incident for since, incident in known if abs(alert.since - since) <= TOGETHER_S), None)

    def note(self, alert: Alert, incident: Incident | None) -> None:
        known = self._homes.setdefault((alert.rule, alert.chain), [])
        if incident is not None and alert.muted is None and self.home(alert) is not incident:
            known.append((alert.since, incident))


def _add(incident: Incident, alert: Alert) -> None:
    alert.incident = incident.id
    incident.alerts[alert.key] = alert
