"""One cause, one incident."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gizzi.alerts.alert import Alert, chain_subject, validator_subject
from gizzi.alerts.book import Turn
from gizzi.alerts.correlate import Change, Correlator
from gizzi.alerts.mute import Maintenance, Silence
from gizzi.config import Chain
from gizzi.kinds import Rule, RuleScope

ROUND_S = 5.0


def a_rule(name: str, scope: RuleScope = "validator", explains: tuple[str, ...] = ()) -> Rule:
    return Rule(name, lambda *_: None, "high", 0.0, scope, (), (), explains, False, {}, "", "")


RULES = {
    r.name: r
    for r in (
        a_rule("node_down", explains=("peers_low", "best_stalled", "rpc_down", "quorum_at_risk")),
        a_rule("peers_low", explains=("best_stalled",)),
        a_rule("best_stalled"),
        a_rule("rpc_down"),
        a_rule("disk_filling"),
        a_rule("quorum_at_risk", "chain", explains=("chain_finality_stalled",)),
        a_rule("chain_stalled", "chain", explains=("best_stalled", "chain_finality_stalled")),
        a_rule("chain_finality_stalled", "chain"),
    )
}
CHAINS = {"relay": Chain(id="relay"), "side": Chain(id="side", parent="relay")}


class Bench:
    def __init__(self) -> None:
        self.correlator = Correlator(RULES, CHAINS, {"relay": 20, "side": 5}, ROUND_S)
        self.alerts: dict[tuple[str, str], Alert] = {}
        self.changes: list[Change] = []
        self.mutes: list[Silence | Maintenance] = []
        self.now = 0.0

    def fire(self, at: float, *whats: tuple[str, int | str], chain: str = "relay") -> list[Change]:
        turn = Turn()
        for rule, who in whats:
            subject = validator_subject(who) if isinstance(who, int) else chain_subject(who)
            numbers = (who,) if isinstance(who, int) else ()
            alert = Alert(subject, rule, who if isinstance(who, str) else chain, "high", rule, numbers, (), at - 10, "firing", at)
            self.alerts[alert.key] = alert
            turn.fired.append(alert)
        return self._step(at, turn)

    def end(self, at: float, *whats: tuple[str, int | str]) -> list[Change]:
        turn = Turn()
        for rule, who in whats:
            alert = self.alerts.pop((validator_subject(who) if isinstance(who, int) else chain_subject(who), rule))
            alert.state, alert.resolved_at = "resolved", at
            turn.resolved.append(alert)
        return self._step(at, turn)

    def _step(self, at: float, turn: Turn) -> list[Change]:
        self.now = at
        changes = self.correlator.step(at, turn, self.mutes)
        self.changes += changes
        return changes

    def open(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(i.rule, i.validators) for i in self.correlator.open.values()]

    def opened(self) -> int:
        return sum(c.kind == "opened" for c in self.changes)


def test_a_dead_node_explains_its_symptoms_in_any_order() -> None:
    for first, second in ((("node_down", 6), ("peers_low", 6)), (("peers_low", 6), ("node_down", 6))):
        bench = Bench()
        bench.fire(10, first)
        bench.fire(15, second)
        assert bench.open() == [("node_down", (6,))]
        assert bench.alerts["validator/6", "peers_low"].muted == "explained by node_down on validator/6"


def test_the_same_rule_within_half_a_minute_is_one_incident() -> None:
    bench = Bench()
    bench.fire(10, ("rpc_down", 1), ("rpc_down", 2))
    bench.fire(39, ("rpc_down", 3))
    assert bench.open() == [("rpc_down", (1, 2, 3))]


def test_the_same_rule_later_is_another_incident() -> None:
    bench = Bench()
    bench.fire(10, ("rpc_down", 1))
    bench.fire(45, ("rpc_down", 2))
    assert bench.open() == [("rpc_down", (1,)), ("rpc_down", (2,))]


def test_from_a_third_of_the_chain_on_it_is_one_incident() -> None:
    bench = Bench()
    for number in range(1, 7):
        bench.fire(100.0 * number, ("rpc_down", number))
    assert bench.opened() == 5
    assert bench.open() == [("rpc_down", (1, 2, 3, 4, 5, 6))]
    assert sum(c.kind == "merged" for c in bench.changes) == 4


def test_different_troubles_of_one_validator_are_different_incidents() -> None:
    bench = Bench()
    bench.fire(10, ("disk_filling", 6))
    bench.fire(12, ("rpc_down", 6))
    assert len(bench.open()) == 2


def test_other_chains_are_apart_but_a_parent_explains_its_side_chain() -> None:
    bench = Bench()
    bench.fire(10, ("rpc_down", 1))
    bench.fire(11, ("rpc_down", 31), chain="side")
    assert len(bench.open()) == 2
    bench = Bench()
    bench.fire(10, ("chain_finality_stalled", "side"))
    bench.fire(14, ("chain_finality_stalled", "relay"))
    assert [(i.rule, i.chain) for i in bench.correlator.open.values()] == [("chain_finality_stalled", "relay")]
    bench = Bench()
    bench.fire(10, ("chain_stalled", "relay"))
    bench.fire(14, ("chain_finality_stalled", "side"), ("best_stalled", 31), chain="side")
    assert [(i.rule, i.chain) for i in bench.correlator.open.values()] == [("chain_stalled", "relay")]


def test_down_before_quorum_before_finality() -> None:
    bench = Bench()
    bench.fire(10, *(("node_down", n) for n in range(1, 8)), ("quorum_at_risk", "relay"))
    bench.fire(50, ("chain_finality_stalled", "relay"))
    assert bench.open() == [("node_down", (1, 2, 3, 4, 5, 6, 7))]


def test_it_is_decided_one_round_after_it_opened_and_again_when_more_join() -> None:
    bench = Bench()
    bench.fire(10, ("rpc_down", 1))
    (incident,) = bench.correlator.open.values()
    assert incident.decide_at == 10 + ROUND_S
    incident.decide_at = None
    bench.fire(20, ("rpc_down", 2))
    assert incident.decide_at == 20 + ROUND_S


def test_it_resolves_when_all_of_it_is_over_and_reopens_when_it_comes_back() -> None:
    bench = Bench()
    bench.fire(10, ("node_down", 6), ("peers_low", 6))
    bench.end(30, ("node_down", 6))
    (incident,) = bench.correlator.open.values()
    assert bench.alerts["validator/6", "peers_low"].muted is None, "it now stands for itself"
    assert [c.kind for c in bench.end(40, ("peers_low", 6))] == ["alert_resolved", "resolved"]
    assert (incident.state, incident.resolved_at) == ("resolved", 40)
    assert [c.kind for c in bench.fire(100, ("node_down", 6))] == ["reopened"]
    bench.end(120, ("node_down", 6))
    assert [c.kind for c in bench.fire(600, ("node_down", 6))] == ["opened"]


def test_a_silence_keeps_it_quiet_until_it_ends() -> None:
    bench = Bench()
    bench.mutes = [Silence(1, "rpc_down", 1, until=100, why="known", by="ada", created_at=0)]
    assert bench.fire(10, ("rpc_down", 1)) == []
    assert bench.alerts["validator/1", "rpc_down"].muted == "silenced until 1970-01-01T00:01:40.000Z by ada: known"
    assert bench.fire(20, ("rpc_down", 2))[0].kind == "opened"
    assert [c.kind for c in bench._step(101, Turn())] == ["joined"]


def test_maintenance_covers_its_validator_but_never_a_second_signer() -> None:
    bench = Bench()
    bench.mutes = [Maintenance(1, 6, None, until=100, why="disk", by="ada", created_at=0)]
    assert bench.fire(10, ("rpc_down", 6)) == []
    assert [c.kind for c in bench.fire(10, ("twin_signer", 6))] == ["opened"]


def test_a_muted_alert_that_ends_opens_nothing_later() -> None:
    bench = Bench()
    bench.mutes = [Silence(1, "rpc_down", None, until=100, why="known", by="ada", created_at=0)]
    bench.fire(10, ("rpc_down", 1))
    bench.end(50, ("rpc_down", 1))
    assert bench._step(101, Turn()) == []


STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(RULES)), st.integers(1, 8), st.booleans(), st.floats(0.1, 60)),
    max_size=60,
)


@given(STEPS)
def test_every_firing_alert_is_in_exactly_one_open_incident_and_no_open_incident_is_empty(
    steps: list[tuple[str, int, bool, float]],
) -> None:
    bench = Bench()
    now = 0.0
    for name, number, fires, wait_s in steps:
        now += wait_s
        who: int | str = "relay" if RULES[name].scope == "chain" else number
        key = (chain_subject(who) if isinstance(who, str) else validator_subject(who), name)
        if fires and key not in bench.alerts:
            bench.fire(now, (name, who))
        elif not fires and key in bench.alerts:
            bench.end(now, (name, who))
        homes = {key: [i.id for i in bench.correlator.open.values() if i.alerts.get(key) is alert] for key, alert in bench.alerts.items()}
        assert all(len(ids) == 1 for ids in homes.values()), homes
        assert all(any(a.state == "firing" for a in i.alerts.values()) for i in bench.correlator.open.values())
        assert all(alert.incident == homes[key][0] for key, alert in bench.alerts.items())


@given(st.permutations(list(range(1, 22))))
def test_one_cause_on_every_validator_is_one_incident_in_any_order(order: list[int]) -> None:
    bench = Bench()
    bench.correlator = Correlator(RULES, CHAINS, {"relay": 21}, ROUND_S)
    for place, number in enumerate(order):
        bench.fire(10 + place * 0.25, ("rpc_down", number))
    assert bench.opened() == 1
    assert bench.open() == [("rpc_down", tuple(range(1, 22)))]


def test_changes_name_the_incident() -> None:
    bench = Bench()
    (change,) = bench.fire(10, ("rpc_down", 1))
    assert replace(change, text="").incident.id == 1
