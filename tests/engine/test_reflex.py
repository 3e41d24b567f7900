"""Reflex decisions against an oracle that is written from CONTRACTS section 4 and 6, and knows the truth instead of the views."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gizzi import registry
from gizzi.alerts.alert import Alert, chain_subject, validator_subject
from gizzi.alerts.incident import Decision, Incident
from gizzi.config import Chain, Settings, Validator
from gizzi.engine import reflex
from gizzi.fleet.facts import Facts
from gizzi.fleet.history import ChainHistory, History
from gizzi.fleet.observation import Collected, Failure
from gizzi.fleet.view import ChainView, ValidatorView

NOW = 100_000.0
CLEAN = Facts(up=True, db_lost=False, twin_running=False, unclean_stop=False, in_session_change=False, maintenance=False)

RESTARTED = {
    *("peers_low", "best_stalled", "finality_stalled", "not_voting", "not_validating"),
    *("node_down", "process_down", "rpc_down", "node_unresponsive"),
}
ESCALATED = {"twin_signer", "equivocation", "database_lost"}
OF_CHAIN = {"chain_stalled", "chain_finality_stalled", "chain_peers_low", "quorum_at_risk"}
OTHERS = {
    *("metrics_down", "metrics_unreadable", "finality_lagging", "fork", "tx_queue_high", "disk_filling", "fds_high", "cpu_high"),
    *("memory_high", "channel_clogged", "task_ended", "no_incoming", "authority_discovery_failing", "version_skew", "unsafe_rpc"),
    *("clock_drift", "not_authoring", "left_active_set", "restarts_unplanned", "a_plugins_rule"),
}
ALL = sorted(RESTARTED | ESCALATED | OF_CHAIN | OTHERS | {"syncing"})


@dataclass
class Truth:
    """What is so: the chain has `authorities`, of which ours `down` and `silent`, and `strangers` of others, do not vote."""

    rule: str
    target: tuple[int, ...]
    authorities: int | None = 21
    reserve: int = 2
    watched: int = 7
    down: set[int] = field(default_factory=set)
    silent: set[int] = field(default_factory=set)
    strangers: int = 0
    facts: dict[int, Facts] = field(default_factory=dict)
    restart_failed: bool = False
    pauses: bool = False
    restarted_by_a_person: set[int] = field(default_factory=set)
    restarted_by_us: set[int] = field(default_factory=set)
    unhelped: set[int] = field(default_factory=set)

    def missing(self) -> int:
        return len(self.down | self.silent) + self.strangers

    def situation(self) -> reflex.Situation:
        of_chain = self.rule in OF_CHAIN
        subjects = [chain_subject("main")] if of_chain else [validator_subject(n) for n in self.target]
        numbers = [self.target] if of_chain else [(n,) for n in self.target]
        incident = Incident(1, "main", NOW - 10)
        for subject, whom in zip(subjects, numbers, strict=True):
            alert = Alert(
                subject, self.rule, "main", "high", "text", whom, ((f"{whom[0]}/peers", "peers = 1"),), NOW - 20, "firing", NOW - 10
            )
            incident.alerts[alert.key] = alert
        facts = {n: replace(self.facts.get(n, CLEAN), up=n not in self.down) for n in self.target}
        facts |= {n: given for n, given in self.facts.items() if given.up is None}
        ours = dict.fromkeys(self.restarted_by_us, NOW - 66)
        unhelped = frozenset(self.unhelped)
        return reflex.Situation(incident, self._fleet(), facts, self.reserve, self.restart_failed, ours, unhelped, NOW)

    def _fleet(self) -> ChainView:
        votes = ChainHistory()
        absent = (*(key(n) for n in self.down | self.silent), *(key(1000 + n) for n in range(self.strangers)))
        for at in (NOW - 60, NOW - 1):
            votes.observe(1, absent, at, 1)
        about = Chain(id="main", authorities=self.authorities)
        return ChainView(about, [self._view(n) for n in range(1, self.watched + 1)], votes, NOW)

    def _view(self, number: int) -> ValidatorView:
        history = History()
        for at in (NOW - 900, NOW - 60, NOW - 45, NOW - 30, NOW - 15, NOW - 1):
            failure = Failure("refused", "no") if number in self.down and at > NOW - 60 else None
            restarted = number in self.restarted_by_a_person | self.restarted_by_us and at > NOW - 60
            height = 100 if self.pauses and at > NOW - 60 else at
            seen: dict[str, Any] = {
                "block_height": height,
                "peers": 9,
                "syncing": False,
                "process_start_at": NOW - 60 if restarted else 1.0,
            }
            history.observe(Collected(number, "metrics", at, {} if failure else seen, failure, 60.0))
        return ValidatorView(Validator(number=number, chain="main", authority_id=key(number)), history, NOW)


def key(number: int) -> str:
    return f"0x{number:064x}"


def expected(truth: Truth) -> str:
    """The four sentences of CONTRACTS section 4. What a person must see comes before waiting, and waiting before acting."""
    facts = truth.situation().facts
    budget = None if truth.authorities is None else (truth.authorities - 1) // 3 - truth.reserve
    stakes = any(f.twin_running or f.db_lost or f.unclean_stop for f in facts.values())
    if truth.rule in ESCALATED or stakes or truth.restart_failed or len(truth.unhelped - set(truth.target)) >= 2:
        return "escalate"
    if truth.pauses and truth.rule == "chain_stalled" and not truth.down:
        return "wait"
    if truth.rule in OF_CHAIN or (budget is not None and truth.missing() > max(0, budget)):
        return "escalate"
    others_restarted = truth.restarted_by_a_person - truth.restarted_by_us - truth.down
    if truth.rule == "syncing" or any(f.in_session_change for f in facts.values()) or len(others_restarted) >= 2:
        return "wait"
    clean = all(value is False for f in facts.values() for name, value in f.as_json().items() if name != "up")
    known = all(f.up is not None for f in facts.values())
    if truth.rule in RESTARTED and len(truth.target) == 1 and clean and known and budget is not None:
        with_it = truth.missing() + (truth.target[0] not in truth.down | truth.silent)
        return "restart" if with_it <= budget else "escalate"
    return "investigate"


def a_truth(dice: random.Random) -> Truth:
    """One that is often worth a restart, and often only just not."""
    authorities = dice.choice((None, 4, 7, 10, 13, 21, 21, 21, 100))
    watched = min(7, authorities or 7)
    rule = dice.choice((*sorted(RESTARTED), *sorted(RESTARTED), *ALL))
    target = tuple(sorted(dice.sample(range(1, watched + 1), dice.choice((1, 1, 1, 1, 2, 3)))))
    few = dice.choice((0, 0, 0, 1, 2, 3))
    down = set(dice.sample(range(1, watched + 1), min(few, watched))) | (set(target) if "down" in rule and dice.random() < 0.7 else set())
    silent = set(dice.sample(range(1, watched + 1), dice.choice((0, 0, 0, 1, 2))))
    strangers = min(dice.choice((0, 0, 0, 1, 2, 3, 5)), (authorities or watched) - watched)
    truth = Truth(rule, target, authorities, dice.randint(0, 3), watched, down, silent, strangers)
    for number in target:
        odd = {name: dice.choice((True, None, False)) for name in CLEAN.as_json() if name != "up" and dice.random() < 0.12}
        up = None if dice.random() < 0.05 else CLEAN.up
        truth.facts[number] = replace(CLEAN, up=up, **odd)
    truth.restart_failed = dice.random() < 0.05
    truth.pauses = dice.random() < 0.15
    if dice.random() < 0.1:
        truth.restarted_by_a_person = set(dice.sample(range(1, watched + 1), 3))
    return truth


def test_in_thousands_of_situations_it_decides_what_the_contract_says() -> None:
    dice = random.Random(20261101)
    decided: dict[str, int] = {}
    for _ in range(3000):
        truth = a_truth(dice)
        decision = reflex.decide(truth.situation())
        assert decision.action == expected(truth), truth
        decided[decision.action] = decided.get(decision.action, 0) + 1
    assert set(decided) == {"restart", "wait", "escalate", "investigate"} and min(decided.values()) >= 100, decided


def test_a_restart_is_never_decided_on_any_doubt() -> None:
    """The same situations, and only what must never be: independent of everything else that the oracle thinks."""
    dice = random.Random(7)
    restarts = 0
    for _ in range(3000):
        truth = a_truth(dice)
        situation = truth.situation()
        if reflex.decide(situation).action != "restart":
            continue
        restarts += 1
        assert len(truth.target) == 1 and truth.rule in RESTARTED and not truth.restart_failed
        facts = situation.facts[truth.target[0]].as_json()
        assert facts.pop("up") is not None and all(value is False for value in facts.values()), truth
        assert truth.authorities is not None
        gone = {*truth.down, *truth.silent, truth.target[0]}
        assert len(gone) + truth.strangers <= (truth.authorities - 1) // 3 - truth.reserve, truth
    assert restarts >= 200


@pytest.mark.parametrize("rule", sorted(RESTARTED))
@pytest.mark.parametrize("name", ["db_lost", "twin_running", "unclean_stop", "in_session_change", "maintenance", "up"])
@pytest.mark.parametrize("value", [True, None])
def test_each_fact_alone_forbids_each_restart(rule: str, name: str, value: bool | None) -> None:
    assert reflex.decide(Truth(rule, (6,)).situation()).action == "restart"
    if (name, value) != ("up", True):
        assert reflex.decide(Truth(rule, (6,), facts={6: replace(CLEAN, **{name: value})}).situation()).action != "restart"


@pytest.mark.parametrize(
    ("truth", "action"),
    [
        (Truth("peers_low", (6,)), "restart"),
        (Truth("node_down", (6,), down={6}), "restart"),
        (Truth("peers_low", (5, 6)), "investigate"),
        (Truth("peers_low", (6,), authorities=None), "investigate"),
        (Truth("peers_low", (6,), down={1, 2, 3}), "restart"),
        (Truth("peers_low", (6,), down={1, 2, 3, 4}), "escalate"),
        (Truth("node_down", (6,), down={6}, strangers=3), "restart"),
        (Truth("node_down", (6,), down={6}, strangers=4), "escalate"),
        (Truth("not_voting", (6,), silent={1, 2, 3, 6}), "restart"),
        (Truth("peers_low", (1,), authorities=4, watched=4), "escalate"),
        (Truth("syncing", (6,)), "wait"),
        (Truth("node_down", (6,), down={6}, restarted_by_a_person={1, 2}), "wait"),
        (Truth("node_down", (6,), down={6}, restarted_by_a_person={1}), "restart"),
        (Truth("chain_stalled", (1, 2, 3, 4), pauses=True), "wait"),
        (Truth("chain_stalled", (1, 2, 3, 4), pauses=True, down={1}), "escalate"),
        (Truth("chain_finality_stalled", (1, 2, 3, 4), pauses=True), "escalate"),
        (Truth("tx_queue_high", (6,)), "investigate"),
        (Truth("node_down", (6,), down={6}, restart_failed=True), "escalate"),
    ],
)
def test_each_row(truth: Truth, action: str) -> None:
    assert expected(truth) == action
    assert reflex.decide(truth.situation()).action == action


def test_a_second_signer_goes_to_security_and_the_rest_to_the_operator() -> None:
    assert reflex.decide(Truth("twin_signer", (6,)).situation()).escalate_to == "security"
    assert reflex.decide(Truth("database_lost", (6,)).situation()).escalate_to == "the operator on call"
    assert reflex.decide(Truth("tx_queue_high", (6,)).situation()).escalate_to is None


def test_a_decision_cites_what_the_alert_rested_on_and_says_what_nobody_knows() -> None:
    decision = reflex.decide(Truth("peers_low", (6,), facts={6: replace(CLEAN, db_lost=None)}).situation())
    assert decision.evidence == (("6/peers", "peers = 1"),) and decision.reasoning.endswith(
        "Not known, so a restart is not proposed: db_lost."
    )
    assert (decision.tier, decision.model) == ("reflex", None)


def test_our_own_restarts_are_not_taken_for_a_persons() -> None:
    assert reflex.decide(Truth("peers_low", (6,), restarted_by_a_person={1, 2}).situation()).action == "wait"
    assert reflex.decide(Truth("peers_low", (6,), restarted_by_us={1, 2}).situation()).action == "restart"
    assert reflex.decide(Truth("peers_low", (6,), restarted_by_us={1}, restarted_by_a_person={2, 3}).situation()).action == "wait"


def test_where_restarts_help_nobody_a_person_is_called() -> None:
    assert reflex.decide(Truth("peers_low", (6,), unhelped={1, 2}).situation()).action == "escalate"
    assert reflex.decide(Truth("peers_low", (6,), unhelped={1, 6}).situation()).action == "restart", "itself counts by restart_failed"


def test_the_incident_of_gizzi_itself_is_looked_into() -> None:
    alert = Alert("gizzi", "collector_late", None, "medium", "late", (), (), NOW - 20, "firing", NOW)
    situation = reflex.Situation(Incident(1, None, NOW, {alert.key: alert}), None, {}, now=NOW)
    assert reflex.decide(situation).action == "investigate"


def test_the_table_is_data_that_a_person_can_read() -> None:
    known = {rule.name for rule in registry.load(Settings.model_validate({"plugins": {"folder": "/nonexistent"}})).rules}
    for row in reflex.table():
        assert set(row) <= {"rules", "when", "action", "because", "to", "downtime_min"}
        assert set(row.get("rules", ())) <= known and set(row.get("when", ())) <= set(reflex.CONDITIONS)
        assert row["action"] in ("restart", "wait", "investigate", "escalate") and row["because"].endswith(".")
    assert set(reflex.table()[-1]) == {"action", "because"}, "the last row fits always"
    used = {name for row in reflex.table() for name in row.get("when", ())}
    assert used == set(reflex.CONDITIONS), "no condition without a row"
    assert isinstance(reflex.decide(Truth("fork", (1,)).situation()), Decision)
