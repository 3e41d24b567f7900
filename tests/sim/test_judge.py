from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gizzi.sim.judge import judge
from gizzi.sim.scenario import read_scenario


def incident(rule: str = "peers_low", validators: tuple[int, ...] = (6,), **given: Any) -> dict[str, Any]:
    return {
        "id": "inc-1",
        "rule": rule,
        "validators": list(validators),
        "state": "resolved",
        "opened_at": "2026-01-01T00:01:16.000Z",
        "opened_s": 16.0,
        "decision": {"action": "restart"},
        "alerts": [{"rule": rule}],
        **given,
    }


def action(verdict: str | None = "resolved", **given: Any) -> dict[str, Any]:
    return {"action": "restart", "validator": 6, "outcome": "done", "verdict": verdict, **given}


def failures(expect: str, **result: Any) -> list[str]:
    scenario = read_scenario(tomllib.loads(f"[expect]\n{expect}"), Path("s/scenario.toml"))
    return judge(scenario, {"incidents": [], "actions": [], "violations": [], "notifications": 0, **result})


def one(expect: str, **result: Any) -> str:
    found = failures(expect, **result)
    assert len(found) == 1, found
    return found[0]


LISTED = "incidents = [{ rule = 'peers_low', validators = [6], opened_within_s = 30, resolved = true }]"


def test_what_was_expected_came() -> None:
    assert failures(LISTED, incidents=[incident()]) == []
    assert failures(LISTED, incidents=[incident("node_down", (3,)), incident(opened_s=30.0)]) == [], "others may be there"
    assert failures("incidents = [{ rule = 'peers_low' }]", incidents=[incident(validators=(1, 2))]) == [], "any validators"
    assert failures("") == []


def test_a_joined_alert_counts_as_its_incident() -> None:
    joined = incident("node_down", alerts=[{"rule": "node_down"}, {"rule": "peers_low"}])
    assert failures(LISTED, incidents=[joined]) == []


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ([], "peers_low of validator 6 was expected; no other incident was opened"),
        ([incident("fork")], "was expected; instead: fork of validator 6"),
        ([incident(validators=(6, 7))], "peers_low came for validators 6, 7"),
        ([incident(opened_s=31.0)], "was opened after 31 s, expected within 30 s"),
        ([incident(opened_s=-2.0)], "was opened before any fault"),
        ([incident(opened_s=None)], "was opened before any fault"),
        ([incident(state="triggered")], "is still open at the end"),
        ([incident(state="acknowledged", opened_s=99.0)], "was opened after 99 s, expected within 30 s and is still open at the end"),
    ],
)
def test_an_incident_that_is_not_as_expected(there: list[dict[str, Any]], words: str) -> None:
    assert words in one(LISTED, incidents=there)


def test_resolved_false_means_still_open() -> None:
    expect = "incidents = [{ rule = 'peers_low', resolved = false }]"
    assert failures(expect, incidents=[incident(state="triggered")]) == []
    assert "expected still open" in one(expect, incidents=[incident()])


def test_each_listed_incident_needs_one_of_its_own() -> None:
    expect = "incidents = [{ rule = 'peers_low' }, { rule = 'peers_low' }]"
    assert failures(expect, incidents=[incident(), incident(validators=(9,))]) == []
    assert "peers_low" in one(expect, incidents=[incident()])
    greedy = "incidents = [{ rule = 'peers_low' }, { rule = 'peers_low', validators = [6] }]"
    assert failures(greedy, incidents=[incident(), incident(validators=(9,))]) == [], "whatever the order"


def test_max_incidents_counts_all_but_merged_ones() -> None:
    assert failures("max_incidents = 1", incidents=[incident(), incident(merged_into="inc-1")]) == []
    assert "at most 0 incidents, there were 1: peers_low of validator 6" in one("max_incidents = 0", incidents=[incident()])
    many = [incident(validators=tuple(range(1, 22))) for _ in range(9)]
    assert one("max_incidents = 1", incidents=many).endswith("and 3 more")


def test_actions_match_only_what_was_carried_out() -> None:
    expect = "actions = [{ action = 'restart', validator = 6, verdict = 'resolved' }]"
    assert failures(expect, actions=[action()]) == []
    assert "not carried out" in one(expect, actions=[action(outcome=None, verdict=None)])
    assert "verified as worse, expected resolved" in one(expect, actions=[action("worse")])
    assert "not carried out" in one(expect, actions=[action(validator=7)])
    assert failures("actions = [{ action = 'restart' }]", actions=[action("unknown", validator=3, outcome="in_doubt")]) == []


def test_never_matches_only_what_was_carried_out() -> None:
    assert failures("never = [{ action = 'restart', validator = 7 }]", actions=[action()]) == []
    assert failures("never = [{ action = 'restart' }]", actions=[action(outcome=None)]) == []
    assert "validator 6 was carried out" in one("never = [{ action = 'restart' }]", actions=[action()])
    assert len(failures("never = [{ action = 'restart' }]", actions=[action(), action(validator=7, outcome="failed")])) == 2


def test_the_decision_is_that_of_the_first_incident_opened() -> None:
    later = incident("fork", opened_at="2026-01-01T00:05:00.000Z", decision={"action": "investigate"})
    assert failures("decision = 'restart'", incidents=[later, incident()]) == []
    assert "(peers_low of validator 6), it was restart" in one("decision = 'wait'", incidents=[later, incident()])
    assert "it was not decided" in one("decision = 'wait'", incidents=[incident(decision=None)])
    assert failures("decision = 'wait'", incidents=[incident(decision="wait")]) == []
    assert "no incident was opened" in one("decision = 'wait'")


def test_notifications_and_violations() -> None:
    assert failures("max_notifications = 3", notifications=3) == []
    assert "at most 3 notifications, there were 4" in one("max_notifications = 3", notifications=4)
    assert "there were 4" in one("max_notifications = 3", notifications=["a", "b", "c", "d"])
    assert one("", violations=["restart of 6 over budget"]) == "violation: restart of 6 over budget"
