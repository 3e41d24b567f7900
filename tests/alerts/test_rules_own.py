"""Rules about ourselves, and what every built-in rule must say of itself."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from alerts.build import RULES
from gizzi import UNKNOWN
from gizzi.alerts.causes import CAUSE_ORDER, rank
from gizzi.alerts.rules import own
from gizzi.config import Settings
from gizzi.fleet.names import OBSERVATIONS

CONTRACT = [
    "node_down",
    "node_unresponsive",
    "metrics_down",
    "metrics_unreadable",
    "rpc_down",
    "process_down",
    "peers_low",
    "peers_falling",
    "best_stalled",
    "finality_stalled",
    "finality_lagging",
    "syncing",
    "fork",
    "not_voting",
    "not_validating",
    "tx_queue_high",
    "disk_filling",
    "fds_high",
    "cpu_high",
    "memory_high",
    "channel_clogged",
    "task_ended",
    "no_incoming",
    "authority_discovery_failing",
    "version_skew",
    "unsafe_rpc",
    "equivocation",
    "twin_signer",
    "database_lost",
    "chain_stalled",
    "chain_finality_stalled",
    "chain_peers_low",
    "quorum_at_risk",
    "rule_dead",
    "collector_late",
    "clock_drift",
    "not_authoring",
    "left_active_set",
    "restarts_unplanned",
]


def about_us(**changes):
    given = {
        "now": 0.0,
        "settings": Settings(),
        "rules": RULES.values(),
        "seen": set(OBSERVATIONS),
        "reporting": {"metrics", "rpc", "host", "journal", "node_exporter", "identity"},
        "gives": {name: {"metrics"} for name in OBSERVATIONS},
        "watched_s": 601.0,
        "lateness_s": 0.0,
        "broken": {},
    }
    return SimpleNamespace(**{**given, **changes})


def test_every_rule_that_was_promised_is_there():
    assert sorted(RULES) == sorted(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_a_rule_explains_itself(name):
    rule = RULES[name]
    assert len(rule.summary) > 40 and rule.summary[0].isupper() and rule.summary.endswith((".", "?"))
    assert set(rule.explains) <= set(RULES) - {name}
    assert rule.scope == "gizzi" or (rule.needs and set(rule.needs) <= set(OBSERVATIONS))
    assert set(rule.series) <= set(OBSERVATIONS)
    assert all(rank(name) < rank(symptom) for symptom in rule.explains), "a cause stands above its symptoms"


def test_the_order_of_causes_is_that_of_the_rules():
    assert sorted(CAUSE_ORDER) == sorted(RULES)
    places = [rank(n) for n in ("database_lost", "node_down", "quorum_at_risk", "chain_finality_stalled", "peers_low", "best_stalled")]
    assert places == sorted(places)
    assert rank("rule_of_a_plugin") > rank("rule_dead")


def test_what_is_seen_is_alive():
    assert own.rule_dead(about_us()) is None


def test_a_rule_whose_metric_is_absent_everywhere_is_told():
    found = own.rule_dead(about_us(seen=set(OBSERVATIONS) - {"ready_transactions"}))
    assert found == "can never fire, as what they look at is seen nowhere: tx_queue_high (none of ready_transactions)"


def test_optional_observations_and_sources_that_are_not_in_use_are_no_fault():
    assert own.rule_dead(about_us(seen=set(OBSERVATIONS) - {"incoming_connections_total", "unsafe_rpc"})) is None
    host = {"unit_active", "disk_free_bytes", "cpu_ratio", "memory_available_bytes"}
    assert own.rule_dead(about_us(seen=set(OBSERVATIONS) - host, gives={"peers": {"metrics"}})) is None


def test_a_source_that_never_answered_makes_no_rule_dead():
    host = {"unit_active": {"host"}, "cpu_ratio": {"host"}}
    gone = set(OBSERVATIONS) - set(host)
    assert own.rule_dead(about_us(seen=gone, gives=host, reporting={"metrics"})) is None
    assert "process_down" in own.rule_dead(about_us(seen=gone, gives=host))


def test_it_is_too_early_to_tell_in_the_first_minutes():
    assert own.rule_dead(about_us(seen=set(), watched_s=600.0)) is UNKNOWN


def test_a_late_collector_is_told():
    assert own.collector_late(about_us(lateness_s=5.0)) is None
    assert own.collector_late(about_us(lateness_s=7.0)) == "a validator was asked 7 s late, more than one period of 5 s"
