"""What a model says stays apart from what rules say, and brings about nothing."""

from __future__ import annotations

from typing import Any

import pytest

from gizzi import registry
from gizzi.alerts.alert import Alert
from gizzi.alerts.book import AlertBook, Turn
from gizzi.alerts.by_model import finding, is_name, over
from gizzi.alerts.correlate import Change, Correlator
from gizzi.alerts.external import is_external, is_model, source_of
from gizzi.config import Chain, Settings, Validator

NOW = 1_780_000_000.0
RULES = {rule.name: rule for rule in registry.load(Settings.model_validate({"plugins": {"folder": "/nonexistent"}})).rules}


def said(number: int = 6, name: str = "peers", **more: Any) -> Any:
    given = {"severity": "medium", "text": "few peers", "shown": "peers = 4", "role": "watcher", "model": "m", "now": NOW, **more}
    return finding(Validator(number=number, chain="flare"), name, **given)


def of_rule(rule: str, number: int = 6, **more: Any) -> Alert:
    subject = more.pop("subject", f"validator/{number}")
    return Alert(subject, rule, "flare", "high", rule, (number,), (), since=NOW, state="firing", fired_at=NOW)


class Lab:
    def __init__(self) -> None:
        self.book = AlertBook(())
        self.correlator = Correlator(RULES, {"flare": Chain(id="flare")}, {"flare": 21}, 5.0)

    def step(self, *said: Any, alerts: tuple[Alert, ...] = (), at: float = NOW) -> list[Change]:
        turn = Turn(fired=list(alerts))
        for one in said:
            self.book.hear(one, at, turn)
        return self.correlator.step(at, turn, ())

    @property
    def open(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(incident.rule, incident.validators) for incident in self.correlator.open.values()]


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("first", ["model", "rule"])
def test_it_never_shares_an_incident_with_a_rule(rule: str, first: str) -> None:
    lab = Lab()
    subject = "chain/flare" if RULES[rule].scope == "chain" else "validator/6"
    alert = of_rule(rule, subject=subject)
    lab.step(*([said()] if first == "model" else []), alerts=() if first == "model" else (alert,))
    lab.step(*([said()] if first == "rule" else []), alerts=() if first == "rule" else (alert,), at=NOW + 5)
    assert sorted(lab.open) == sorted([("model:peers", (6,)), (rule, (6,))])
    incidents = list(lab.correlator.open.values())
    assert all(len(incident.alerts) == 1 for incident in incidents) and all(a.muted is None for i in incidents for a in i.alerts.values())


def test_findings_of_one_look_about_the_same_are_one_incident() -> None:
    lab = Lab()
    lab.step(said(6), said(7), said(8, "log"))
    assert sorted(lab.open) == [("model:log", (8,)), ("model:peers", (6, 7))]
    kinds = [change.kind for change in lab.step(*(over(alert, NOW + 9) for alert in lab.book.firing()), at=NOW + 9)]
    assert lab.open == [] and kinds.count("resolved") == 2


def test_it_is_marked() -> None:
    assert is_model("model:peers") and is_external("model:peers") and not is_model("alertmanager:model:peers") and not is_model("peers_low")
    assert [source_of(rule) for rule in ("peers_low", "alertmanager:x", "model:log")] == ["rule", "alertmanager", "model"]
    assert said().text == "a model (m) says: few peers" and said(severity="critical").severity == "medium"
    assert is_name("peer_abuse_lines") and not any(map(is_name, ("", "Peers", "a/b", "a:b", "x" * 40, "1")))


def test_of_a_validator_that_is_watched_no_longer_it_ends() -> None:
    lab = Lab()
    lab.step(said(6), said(7, "log"))
    turn = Turn()
    lab.book.drop_strangers({"validator/7", "chain/flare", "gizzi"}, NOW + 5, turn)
    assert [alert.subject for alert in turn.resolved] == ["validator/6/watcher"]
