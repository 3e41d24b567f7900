from __future__ import annotations

import json
from typing import Any

import pytest

from gizzi.guard.line import BUILT_IN, answer_line

SAFE = {"up": False, "db_lost": False, "twin_running": False, "unclean_stop": False, "in_session_change": False, "maintenance": False}


def line(**changes: Any) -> str:
    whole = {
        "authorities": 21,
        "missing": [3, 6],
        "in_flight": [],
        "recent_restarts": {},
        "mode": "auto",
        "policy": {"reserve": 2, "cooldown_s": 3600},
        "proposal": {"action": "restart", "validator": 6},
        "facts": SAFE,
    }
    return json.dumps({**whole, **changes})


def test_the_example_of_the_contract() -> None:
    assert answer_line(line())["permission"] == "allow"
    cooling = answer_line(line(recent_restarts={"6": 1800}))
    assert cooling == {"permission": "ask", "reasons": ["validator 6 was restarted 30 min ago; the cooldown is 60 min"]}


@pytest.mark.parametrize("key", ["authorities", "missing", "in_flight", "recent_restarts", "mode", "policy", "facts"])
def test_what_is_absent_or_null_asks(key: str) -> None:
    assert answer_line(line(**{key: None}))["permission"] == "ask"
    whole = json.loads(line())
    del whole[key]
    assert answer_line(json.dumps(whole))["permission"] == "ask"


@pytest.mark.parametrize("name", ["reserve", "cooldown_s"])
def test_an_unknown_limit_asks_and_is_named(name: str) -> None:
    policy = {"reserve": 2, "cooldown_s": 3600}
    del policy[name]
    assert answer_line(line(policy=policy)) == {"permission": "ask", "reasons": [f"the policy's {name} is unknown"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[]", "not an object"),
        ("nonsense", "not JSON"),
        ("{}", "proposal.action"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe{}", "UTF-8"),
        ('{"x": ' + "9" * 5000 + "}", "not JSON"),
        ('{"a": "' + "x" * 1_000_001 + '"}', "longer than 1,000,000 bytes"),
        (line(authorities="21"), "authorities"),
        (line(authorities=21.0), "authorities"),
        (line(authorities=True), "authorities"),
        (line(authorities=0), "authorities"),
        (line(authorities=10**30), "authorities"),
        (line(authorities=float("nan")), "authorities"),
        (line(policy={"reserve": -9, "cooldown_s": 0}), "policy.reserve"),
        (line(policy={"reserve": 2, "cooldown_s": -1}), "policy.cooldown_s"),
        (line(policy={"reserve": 2, "cooldown_s": float("nan")}), "policy.cooldown_s"),
        (line(policy={"reserve": 2, "cooldown_s": float("inf")}), "policy.cooldown_s"),
        (line(policy=[]), "policy must be an object"),
        (line(missing={"3": 1}), "missing must be a list"),
        (line(missing=[True]), "missing"),
        (line(missing=[None]), "missing"),
        (line(missing=[3.0]), "missing"),
        (line(missing=[[3]]), "missing"),
        (line(in_flight=["3"]), "in_flight"),
        (line(recent_restarts=[6]), "recent_restarts"),
        (line(recent_restarts={"6": "long ago"}), "recent_restarts of '6'"),
        (line(recent_restarts={"06": 99999}), "'06'"),
        (line(recent_restarts={"6": None}), "'6'"),
        (line(recent_restarts={"6": -1}), "'6'"),
        (line(mode="AUTO"), "mode"),
        (line(mode=True), "mode"),
        (line(facts={**SAFE, "up": 0}), "facts.up"),
        (line(facts={**SAFE, "twin_running": "false"}), "facts.twin_running"),
        (line(proposal="restart"), "proposal must be an object"),
        (line(proposal={"action": ["restart"], "validator": 6}), "proposal.action"),
        (line(proposal={"action": "restart", "validator": "6"}), "proposal.validator"),
        (line(proposal={"action": "restart", "validator": 6.0}), "proposal.validator"),
        (line(proposal={"action": "restart", "validator": True}), "proposal.validator"),
        (line().replace('"mode"', '"mode": "suggest", "mode"'), "mode twice"),
        (line().replace('"up"', '"twin_running": true, "up"'), "twin_running twice"),
        (line().replace('"facts"', '"facts": {"twin_running": true}, "facts"'), "facts twice"),
        (line().replace('"action"', '"action": "stop", "action"'), "action twice"),
        (line(recent_restarts={"6": 1}).replace('"6": 1', '"6": 1, "6": 99999'), "once"),
    ],
)
def test_what_is_malformed_is_denied_and_named(text: str | bytes, says: str) -> None:
    answer = answer_line(text)
    assert answer["permission"] == "deny"
    assert len(answer["reasons"]) == 1 and says in answer["reasons"][0] and len(answer["reasons"][0]) < 200


def test_a_write_without_a_validator_is_denied() -> None:
    for proposal in ({"action": "restart"}, {"action": "restart", "validator": None}):
        assert answer_line(line(proposal=proposal))["permission"] == "deny"


@pytest.mark.parametrize("action", ["wait", "investigate", "escalate"])
def test_what_changes_nothing_needs_to_know_nothing(action: str) -> None:
    assert answer_line(json.dumps({"proposal": {"action": action}}))["permission"] == "allow"
    assert answer_line(line(proposal={"action": action, "validator": None}, authorities="many"))["permission"] == "allow"


def test_twice_in_a_list_counts_once_and_twice_elsewhere_changes_nothing() -> None:
    assert answer_line(line(missing=[3, 3, 3, 6, 6, 9]))["permission"] == "allow"
    assert answer_line(line().replace('"mode"', '"why": 1, "why": {"a": 1, "a": 2}, "mode"'))["permission"] == "allow"


def test_the_actions_it_knows_are_the_built_in_ones() -> None:
    assert {"restart", "start", "stop", "upgrade"} == BUILT_IN
