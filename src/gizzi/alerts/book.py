"""Every alert that is pending or firing, and how it moves: pending -> firing -> resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gizzi.alerts.alert import GIZZI, Alert, Key, chain_subject, validator_subject, worst
from gizzi.alerts.external import NETWORK, Said, is_external, owner
from gizzi.alerts.finding import UNKNOWN, Answer, Finding, Sound
from gizzi.clock import duration_text
from gizzi.fleet.observation import text as observation_text
from gizzi.fleet.view import ChainView, ValidatorView
from gizzi.kinds import SEVERITIES, Rule
from gizzi.readers.text import one_line

CLEAR_FOR_S = 4.0
"""A condition must be seen not to hold twice, this far apart, before its alert resolves."""
UNSEEN_S = 6 * 3600.0
"""An alert of which nothing has been seen for so long ends: that its subject is unknown is told by its status."""
GAP_S = 60.0
"""A condition that was not seen for so long begins anew."""
FLAP_WINDOW_S = 900.0
LONGEST_CLEAR_S = 300.0
BROKEN_S = 600.0
"""For how long it is told that a rule has failed."""
LONGEST_TEXT = 1000


@dataclass
class Turn:
    """What changed in one evaluation, in order."""

    fired: list[Alert] = field(default_factory=list)
    resolved: list[Alert] = field(default_factory=list)
    changed: list[Alert] = field(default_factory=list)


class AlertBook:
    """Holds the alerts. Rules are given already configured, by scope."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        rules = list(rules)
        self.rules = {rule.name: rule for rule in rules}
        self._calls = {scope: [(rule, _call(rule)) for rule in rules if rule.scope == scope] for scope in ("validator", "chain", "gizzi")}
        self.alerts: dict[Key, Alert] = {}
        self._by_subject: dict[str, set[str]] = {}
        self._last_resolved: dict[Key, tuple[float, int]] = {}
        self._broken: dict[str, tuple[float, str]] = {}

    def restore(self, alerts: Iterable[Alert], now: float) -> None:
        """Take up the alerts of an earlier process. Those that fire resolve once their condition is seen not to hold."""
        for alert in alerts:
            if alert.state != "firing":
                self._last_resolved[alert.key] = (alert.resolved_at or 0.0, alert.flaps)
                continue
            alert.answered_at = now
            self.alerts[alert.key] = alert
            self._by_subject.setdefault(alert.subject, set()).add(alert.rule)

    def firing(self) -> list[Alert]:
        return [alert for alert in self.alerts.values() if alert.state == "firing"]

    def broken(self, now: float) -> dict[str, str]:
        """Rules that have failed lately, and how: faults of their own, mostly of plugins. Such a rule does not know."""
        self._broken = {name: (at, text) for name, (at, text) in self._broken.items() if now - at <= BROKEN_S}
        return {name: text for name, (_, text) in self._broken.items()}

    def _answer(self, rule: Rule, check: Callable[..., Answer], now: float, *views: object) -> Sound:
        """What the rule says, sound. One that fails, or says something else than a rule may, does not know: mostly a plugin's fault."""
        try:
            answer = check(*views)
            return answer if answer is None or answer is UNKNOWN else _sound(answer, rule)
        except Exception as error:
            self._broken[rule.name] = (now, one_line(f"{type(error).__name__}: {error}"))
            return UNKNOWN

    def look_at_validator(self, v: ValidatorView, fleet: ChainView, turn: Turn) -> None:
        subject = validator_subject(v.number)
        active = self._by_subject.get(subject)
        for rule, check in self._calls["validator"]:
            answer = self._answer(rule, check, v.now, v, fleet)
            if answer is UNKNOWN or (answer is None and (active is None or rule.name not in active)):
                continue
            seen_at = max((v.seen_at(name) or 0.0 for name in rule.needs), default=0.0) or v.now
            self._move(subject, rule, answer, v.now, min(seen_at, v.now), turn, chain=fleet.chain.id, view=v)
            active = self._by_subject.get(subject)

    def look_at_chain(self, fleet: ChainView, turn: Turn) -> None:
        subject = chain_subject(fleet.chain.id)
        for rule, check in self._calls["chain"]:
            answer = self._answer(rule, check, fleet.now, fleet)
            if answer is not None or (subject, rule.name) in self.alerts:
                self._move(subject, rule, answer, fleet.now, fleet.now, turn, chain=fleet.chain.id, fleet=fleet)

    def look_at_gizzi(self, gizzi: object, now: float, turn: Turn) -> None:
        for rule, check in self._calls["gizzi"]:
            answer = self._answer(rule, check, now, gizzi)
            if answer is not None or (GIZZI, rule.name) in self.alerts:
                self._move(GIZZI, rule, answer, now, now, turn, chain=None)

    def hear(self, said: Said, now: float, turn: Turn) -> None:
        """Take up what another system says: it fires at once, changes while it is repeated, and is over when that is said."""
        alert = self.alerts.get((said.subject, said.rule))
        if said.over_at is not None:
            if alert is not None:
                self._end(alert, now, turn)
                alert.resolved_at = max(alert.since, said.over_at)
            return
        if alert is None:
            alert = Alert(said.subject, said.rule, said.chain, said.severity, said.text, said.validators, said.evidence, since=said.since)
            alert.flaps = self._flaps(alert.key, now)
            alert.state, alert.fired_at = "firing", now
            self.alerts[alert.key] = alert
            self._by_subject.setdefault(alert.subject, set()).add(alert.rule)
            turn.fired.append(alert)
        elif worst([alert.severity, said.severity]) != alert.severity:
            alert.severity = said.severity
            turn.changed.append(alert)
        alert.text, alert.answered_at = said.text, now

    def drop_unseen(self, now: float, turn: Turn) -> None:
        """End what nobody can see any more, such as an alert whose metric has gone for good."""
        for alert in self.firing():
            if now - alert.answered_at > UNSEEN_S and alert.clear_since is None:
                alert.text += f" (not seen any more for {duration_text(UNSEEN_S)})"
                self._end(alert, now, turn)

    def drop_strangers(self, subjects: set[str], now: float, turn: Turn) -> None:
        """Resolve alerts whose validator, chain or rule is no longer watched."""
        for alert in list(self.alerts.values()):
            if not self._is_watched(alert, subjects):
                alert.text += " (no longer watched)"
                self._end(alert, now, turn)

    def _is_watched(self, alert: Alert, subjects: set[str]) -> bool:
        if is_external(alert.rule):
            return owner(alert.subject) in {*subjects, NETWORK}
        return alert.subject in subjects and alert.rule in self.rules and self.rules[alert.rule].scope != "off"

    def _move(
        self,
        subject: str,
        rule: Rule,
        answer: Sound,
        now: float,
        seen_at: float,
        turn: Turn,
        *,
        chain: str | None,
        view: ValidatorView | None = None,
        fleet: ChainView | None = None,
    ) -> None:
        """Advance one alert by one answer. `seen_at` is when the newest observation behind the answer was made."""
        alert = self.alerts.get((subject, rule.name))
        if answer is UNKNOWN:
            return
        if answer is None:
            if alert is not None:
                self._clear(alert, now, turn)
            return
        if alert is None:
            alert = Alert(subject, rule.name, chain, rule.severity, "", (), (), since=seen_at)
            alert.flaps = self._flaps(alert.key, now)
            self.alerts[alert.key] = alert
            self._by_subject.setdefault(subject, set()).add(rule.name)
        elif alert.state == "pending" and now - alert.answered_at > max(GAP_S, rule.hold_s):
            alert.since = seen_at
        alert.answered_at = now
        _describe(alert, rule, answer, view, fleet, turn)
        alert.clear_since = None
        held_s = now - alert.since
        if alert.state == "pending" and held_s >= rule.hold_s and (rule.hold_s == 0 or seen_at > alert.since):
            alert.state = "firing"
            alert.fired_at = now
            turn.fired.append(alert)

    def _clear(self, alert: Alert, now: float, turn: Turn) -> None:
        if alert.state == "pending":
            self._forget(alert)
            return
        if alert.clear_since is None:
            alert.clear_since = now
        if now - alert.clear_since >= min(CLEAR_FOR_S * 2**alert.flaps, LONGEST_CLEAR_S):
            self._end(alert, now, turn)

    def _end(self, alert: Alert, now: float, turn: Turn) -> None:
        self._forget(alert)
        if alert.state != "firing":
            return
        alert.state = "resolved"
        alert.resolved_at = now
        self._last_resolved[alert.key] = (now, alert.flaps)
        turn.resolved.append(alert)

    def _forget(self, alert: Alert) -> None:
        self.alerts.pop(alert.key, None)
        self._by_subject[alert.subject].discard(alert.rule)

    def _flaps(self, key: Key, now: float) -> int:
        last = self._last_resolved.pop(key, None)
        return last[1] + 1 if last is not None and now - last[0] <= FLAP_WINDOW_S else 0


def _call(rule: Rule):  # type: ignore[no-untyped-def]
    """The rule's function with its configured thresholds bound, bare where they are its defaults."""
    defaults = getattr(rule.check, "__kwdefaults__", None) or {}
    limits = dict(rule.limits)
    if limits == defaults:
        return rule.check
    return lambda *args: rule.check(*args, **limits)


def _sound(answer: object, rule: Rule) -> Finding:
    """What a rule said, in the form that everything after relies on. Raises TypeError where a plugin's said something else."""
    if not isinstance(answer, Finding | str):
        raise TypeError(f"it returned {type(answer).__name__}; a rule returns a text, a Finding, None or UNKNOWN")
    found = answer if isinstance(answer, Finding) else Finding(str(answer))
    severity = found.severity if found.severity in SEVERITIES else rule.severity
    validators = tuple(number for number in found.validators if isinstance(number, int))
    return Finding(one_line(str(found.text), LONGEST_TEXT), validators, tuple(map(str, found.evidence)), severity)


def _describe(alert: Alert, rule: Rule, finding: Finding, view: ValidatorView | None, fleet: ChainView | None, turn: Turn) -> None:
    """Bring the alert's words up to date; what a firing alert rests on is kept as it was when it fired, people are told where
    it gets worse: it never shrinks or softens while it fires."""
    severity = finding.severity
    validators = finding.validators or ((view.number,) if view is not None else ())
    if alert.state == "firing":
        validators = tuple(sorted({*alert.validators, *validators}))
        severity = worst([alert.severity, severity])  # type: ignore[list-item]
        if (severity, validators) != (alert.severity, alert.validators):
            turn.changed.append(alert)
    else:
        alert.evidence = tuple(_evidence(finding.evidence or rule.needs, validators, view, fleet))
    if len(finding.validators) >= len(alert.validators) or view is not None or alert.state == "pending":
        alert.text = finding.text
    alert.severity = severity  # type: ignore[assignment]
    alert.validators = validators


def _evidence(
    names: tuple[str, ...], validators: tuple[int, ...], view: ValidatorView | None, fleet: ChainView | None
) -> Iterable[tuple[str, str]]:
    """(observation id, its text) of what a finding rests on; for a chain, of the first five validators it concerns."""
    by_number = {v.number: v for v in (fleet or (view,)) if v is not None}
    for number in [number for number in validators if number in by_number][:5]:
        yield from _quoted(by_number, ((number, name) for name in names if "/" not in name))
    yield from _quoted(by_number, ((int(number), name) for number, _, name in (n.partition("/") for n in names if "/" in n)))


def _quoted(views: Mapping[int, ValidatorView], wanted: Iterable[tuple[int, str]]) -> Iterable[tuple[str, str]]:
    for number, name in wanted:
        value = getattr(views.get(number), name, None)
        if value is not None:
            yield f"{number}/{name}", observation_text(name, value)


__all__ = ["AlertBook", "Turn"]
