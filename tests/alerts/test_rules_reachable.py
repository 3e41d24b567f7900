"""A node that is gone, hangs, or answers nonsense, on one way in or on both."""

from __future__ import annotations

import random

import pytest

from alerts.build import START, World, both, fails, sets, view
from gizzi import UNKNOWN
from gizzi.alerts.rules import reachable
from gizzi.fleet.history import History
from gizzi.fleet.observation import Collected, Failure
from gizzi.fleet.view import ValidatorView

FAULT_AT = 120.0


def after(fault, for_s: float = 300.0, **changes) -> World:
    world = World(**changes)
    world.faults[6] = fault
    return world.run(FAULT_AT + for_s)


@pytest.mark.parametrize(
    ("fault", "rule", "within_s"),
    [
        (fails("refused", since=FAULT_AT), "node_down", 15),
        (fails("refused", "rpc", since=FAULT_AT), "rpc_down", 15),
        (fails("refused", "metrics", since=FAULT_AT), "metrics_down", 16),
        (fails("http", "metrics", since=FAULT_AT), "metrics_down", 16),
        (fails("timeout", since=FAULT_AT), "node_unresponsive", 30),
        (both(fails("refused", "metrics", since=FAULT_AT), fails("timeout", "rpc", since=FAULT_AT)), "node_unresponsive", 30),
        (fails("http", since=FAULT_AT), "node_unresponsive", 30),
        (fails("unreadable", since=FAULT_AT), "metrics_unreadable", 30),
        (fails("timeout", "rpc", since=FAULT_AT), "rpc_down", 110),
        (fails("timeout", "metrics", since=FAULT_AT), "metrics_down", 110),
    ],
)
def test_each_failure_has_its_rule_in_time(fault, rule, within_s):
    world = after(fault)
    assert rule in world.rules_fired
    assert world.fired_after(rule) - FAULT_AT <= within_s
    assert {subject for subject, _ in world.fired} == {"validator/6"}
    assert world.rules_fired <= {rule, "rpc_down"} if rule == "metrics_unreadable" else world.rules_fired == {rule}


@pytest.mark.parametrize("kind", ["refused", "timeout", "unreadable", "http"])
def test_a_failure_shorter_than_ten_seconds_says_nothing(kind):
    assert after(fails(kind, since=FAULT_AT, until=FAULT_AT + 9.0)).fired == {}


@pytest.mark.parametrize("kind", ["refused", "timeout"])
@pytest.mark.parametrize(("rate", "for_s"), [(0.01, 3600), (0.2, 1200)])
def test_lost_requests_say_nothing(kind, rate, for_s):
    chance = random.Random(kind)

    def lose(shown, t):
        for source in ("metrics", "rpc"):
            if chance.random() < rate:
                shown[source] = Failure(kind, "lost")

    world = World()
    world.faults = dict.fromkeys(range(1, 22), lose)
    assert world.run(for_s).fired == {}


@pytest.mark.parametrize(
    ("source", "kind", "rule"),
    [
        ("rpc", "refused", "node_down"),
        ("rpc", "timeout", "node_unresponsive"),
        ("rpc", "unreadable", "rpc_down"),
        ("metrics", "refused", "node_down"),
        ("metrics", "timeout", "node_unresponsive"),
        ("metrics", "http", "node_unresponsive"),
        ("metrics", "unreadable", "metrics_unreadable"),
    ],
)
def test_the_only_way_in_stands_for_the_node(source, kind, rule):
    history = History()
    history.observe(Collected(1, source, START, {}, Failure(kind, "x")))
    other = "metrics_url" if source == "rpc" else "rpc_url"
    v = ValidatorView(view(**{other: None}).config, history, START)
    names = ("node_down", "node_unresponsive", "rpc_down", "metrics_down", "metrics_unreadable")
    assert [name for name in names if isinstance(getattr(reachable, name)(v, None), str)] == [rule]


def test_nothing_is_said_of_nodes_while_the_prometheus_server_is_gone():
    """Its values expire; that a node's own RPC refuses connections too may be the same network."""
    v = view({}, source="rpc", metrics_url=None)
    v._history.observe(Collected(1, "prometheus", START - 60, {"metrics_up": True, "peers": 30}))
    v._history.observe(Collected(1, "prometheus", START, {}, Failure("refused", "no server")))
    v._history.observe(Collected(1, "rpc", START, {}, Failure("refused", "refused")))
    v = ValidatorView(v.config, v._history, START)
    assert v.metrics_up is None and not v.up
    assert reachable.node_down(v, None) is UNKNOWN
    assert reachable.node_unresponsive(v, None) is UNKNOWN
    assert reachable.metrics_down(v, None) is UNKNOWN
    assert reachable.rpc_down(v, None) == "RPC: connection refused"


def test_a_prometheus_server_that_finds_the_target_down_says_no_more_than_refused():
    v = view({"metrics_up": False}, source="prometheus", rpc_url=None)
    assert reachable.node_down(v, None) == "metrics page: connection refused"


def test_texts_say_which_way_fails_how_and_what_the_unit_does():
    world = after(both(fails("refused", since=FAULT_AT), sets("host", since=FAULT_AT, unit_active=False, unit_state="failed/failed")))
    assert world.alert("node_down").text == "metrics page: connection refused; RPC: connection refused; its unit is not active"
    assert world.alert("process_down").text == "its unit node is failed/failed"
    assert after(fails("refused", "rpc", since=FAULT_AT)).alert("rpc_down").text == "RPC: connection refused, while the metrics page works"


def test_a_unit_seen_inactive_during_a_quick_restart_is_no_alarm():
    away = both(fails("refused", since=FAULT_AT, until=FAULT_AT + 8), sets("host", since=FAULT_AT, until=FAULT_AT + 8, unit_active=False))
    assert after(away).fired == {}


def test_an_inactive_unit_is_no_alarm_while_the_node_answers():
    assert after(sets("host", since=FAULT_AT, unit_active=False)).fired == {}


def test_it_is_over_when_the_node_answers_again():
    world = after(fails("refused", since=FAULT_AT, until=FAULT_AT + 100), 200)
    assert world.alert("node_down") is None
    assert world.resolved["validator/6", "node_down"] - (FAULT_AT + 100) <= 15
