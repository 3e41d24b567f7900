from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from gizzi.fleet.facts import Facts
from gizzi.guard import Limits, Proposal, Situation, budget, permit, permit_all
from gizzi.guard.permit import UNKNOWN
from gizzi.kinds import NEVER
from guard.oracle import most_missing

AUTO = Limits(mode="auto")
SAFE = {"up": False, "db_lost": False, "twin_running": False, "unclean_stop": False, "in_session_change": False, "maintenance": False}
CALM = Situation(
    authorities=21,
    missing=frozenset({6}),
    in_flight=frozenset(),
    rejoin_awaited=frozenset(),
    recent_restarts={},
    attempts_today=0,
    facts=SAFE,
    actions=frozenset({"restart", "start", "stop", "resize"}),
)
RESTART = Proposal("restart", 6)


def test_the_six_facts_are_those_of_the_fleet() -> None:
    assert list(UNKNOWN) == [field.name for field in fields(Facts)]


def test_one_dead_validator_within_the_budget_is_restarted() -> None:
    answer = permit(RESTART, CALM, AUTO)
    assert (answer.permission, answer.for_now) == ("allow", False)
    assert answer.reasons == ("1 of 21 authorities would be missing (6 now, counting validator 6); 4 may be: 6 less a reserve of 2",)


@pytest.mark.parametrize(("n", "most"), [(1, 0), (4, 1), (7, 2), (10, 3), (21, 6), (100, 33), (300, 99), (1000, 333)])
def test_the_budget_is_what_finality_can_lose_less_the_reserve(n: int, most: int) -> None:
    assert budget(n, 0) == most == most_missing(n)
    assert budget(n, 2) == most - 2


@pytest.mark.parametrize(
    ("missing", "in_flight", "permission"),
    [
        ({3, 6, 9}, (), "allow"),
        ({3, 6, 9, 12}, (), "allow"),
        ({3, 9, 12}, (), "allow"),
        ({3, 9, 12, 15}, (), "ask"),
        ({3, 6, 9, 12, 15}, (), "ask"),
        ({"0xaa", "0xbb", 6, 9}, (), "allow"),
        ({"0xaa", "0xbb", 6, 9, "0xcc"}, (), "ask"),
    ],
)
def test_the_target_counts_once(missing: set[int | str], in_flight: tuple[int, ...], permission: str) -> None:
    situation = replace(CALM, missing=frozenset(missing), in_flight=frozenset(in_flight))
    assert permit(RESTART, situation, AUTO).permission == permission


ASKS: list[tuple[dict[str, Any], str, bool]] = [
    ({"authorities": None}, "how many authorities", False),
    ({"missing": None}, "which authorities are missing", False),
    ({"recent_restarts": None}, "last restarted", False),
    ({"in_flight": None}, "what is in flight", False),
    ({"in_flight": frozenset({3})}, "under way for 3", True),
    ({"in_flight": frozenset({6})}, "under way for 6", True),
    ({"rejoin_awaited": frozenset({4, 2})}, "not back yet: 2, 4", True),
    ({"recent_restarts": {6: 1800.0}}, "restarted 30 min ago", False),
    ({"recent_restarts": {6: 3600.0}}, "the cooldown is 60 min", False),
    ({"recent_restarts": {6: float("nan")}}, "the cooldown", False),
    ({"recent_restarts": {6: -5.0}}, "a moment ago", False),
    ({"attempts_today": 3}, "3 restarts of it in the last 24 h; the most without a person is 3", False),
    ({"facts": {**SAFE, "db_lost": True}}, "db_lost", False),
    ({"facts": {**SAFE, "unclean_stop": True}}, "unclean_stop", False),
    ({"facts": {**SAFE, "maintenance": True}}, "maintenance", False),
    ({"facts": {**SAFE, "in_session_change": True}}, "in_session_change", True),
    ({"facts": {**SAFE, "in_session_change": None}}, "in_session_change", False),
    ({"facts": {**SAFE, "twin_running": None}}, "twin_running", False),
    ({"facts": {**SAFE, "up": None}}, "whether it is up", False),
    ({"facts": {name: False for name in SAFE if name != "maintenance"}}, "maintenance", False),
    (
        {"missing": frozenset({1, 2, 3, 4, 5})},
        "6 of 21 authorities would be missing (1, 2, 3, 4, 5 now, counting validator 6); 4 may be",
        False,
    ),
    ({"authorities": 4}, "1 of 4 authorities would be missing (6 now, counting validator 6); 0 may be: 1 less a reserve of 2", False),
]


@pytest.mark.parametrize(("change", "says", "for_now"), ASKS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("action", ["restart", "start"])
def test_what_asks_a_person(action: str, change: dict[str, Any], says: str, for_now: bool) -> None:
    answer = permit(Proposal(action, 6), replace(CALM, **change), AUTO)
    assert (answer.permission, answer.for_now) == ("ask", for_now)
    assert len(answer.reasons) == 1 and says in answer.reasons[0]


def test_what_is_long_ago_or_of_another_does_not_ask() -> None:
    situation = replace(CALM, recent_restarts={6: 3601.0, 7: 5.0}, attempts_today=2)
    assert permit(RESTART, situation, AUTO).permission == "allow"
    assert permit(RESTART, replace(CALM, facts={**SAFE, "up": True}), AUTO).permission == "allow", "live but degraded"


def test_every_reason_is_told_and_it_is_for_now_only_if_all_of_them_pass() -> None:
    passing = replace(CALM, in_flight=frozenset({3}), rejoin_awaited=frozenset({4}), facts={**SAFE, "in_session_change": True})
    assert permit(RESTART, passing, AUTO).for_now
    both = permit(RESTART, replace(passing, attempts_today=5), AUTO)
    assert (both.for_now, len(both.reasons)) == (False, 4)
    assert not permit(RESTART, passing, Limits()).for_now, "suggest asks a person whatever passes"


@pytest.mark.parametrize(
    ("missing", "in_flight", "awaited", "for_now"),
    [
        ({3, 9, 12}, {15}, set(), True),
        ({3, 9, 12, 15}, {15}, set(), True),
        ({3, 9, 12, 15}, set(), {15}, True),
        ({3, 9, 12, 13, 15}, {15}, set(), False),
        ({3, 9, 12, 15}, {16}, set(), False),
    ],
)
def test_what_our_own_actions_took_away_comes_back(missing: set[int], in_flight: set[int], awaited: set[int], for_now: bool) -> None:
    situation = replace(CALM, missing=frozenset(missing), in_flight=frozenset(in_flight), rejoin_awaited=frozenset(awaited))
    answer = permit(RESTART, situation, AUTO)
    assert (answer.permission, answer.for_now, len(answer.reasons)) == ("ask", for_now, 2)
    assert any("authorities would be missing" in reason for reason in answer.reasons)


def test_a_limit_that_cannot_be_is_the_strict_one() -> None:
    full = replace(CALM, missing=frozenset(range(7, 14)))
    assert permit(RESTART, full, Limits(mode="auto", reserve=-9)).permission == "ask"
    recent = replace(CALM, recent_restarts={6: 1e12})
    assert permit(RESTART, recent, Limits(mode="auto", cooldown_s=float("nan"))).permission == "ask"
    assert permit(RESTART, CALM, Limits(mode="auto", attempts_per_day=0)).permission == "ask"


def test_suggest_asks_before_every_write() -> None:
    answer = permit(RESTART, CALM, Limits())
    assert (answer.permission, answer.reasons) == ("ask", ("the mode is suggest: every write needs a person",))


@pytest.mark.parametrize("action", ["stop", "resize"])
def test_other_writes_always_ask(action: str) -> None:
    answer = permit(Proposal(action, 6), CALM, AUTO)
    assert (answer.permission, answer.for_now) == ("ask", False)


@pytest.mark.parametrize("mode", ["suggest", "auto"])
def test_a_second_signer_denies_with_the_other_reasons(mode: Any) -> None:
    situation = replace(CALM, facts={**SAFE, "twin_running": True, "db_lost": True})
    for action in ("restart", "start", "stop"):
        answer = permit(Proposal(action, 6), situation, Limits(mode=mode))
        assert answer.permission == "deny"
        assert "twin_running" in answer.reasons[0] and any("db_lost" in reason for reason in answer.reasons)


def test_the_kill_switch_denies_every_write_and_nothing_else() -> None:
    stopped = replace(CALM, stopped=True)
    assert {permit(Proposal(action, 6), stopped, AUTO).permission for action in CALM.actions} == {"deny"}
    assert permit(Proposal("escalate", None), stopped, AUTO).permission == "allow"


@pytest.mark.parametrize("action", [*sorted(NEVER), "", "logs", "Restart", "restart ", "rm -rf /", None, 7, ["restart"], {"a": 1}])
@pytest.mark.parametrize("validator", [6, None])
def test_what_is_not_registered_is_denied(action: Any, validator: int | None) -> None:
    assert permit(Proposal(action, validator), CALM, AUTO).permission == "deny"


def test_a_never_action_is_denied_even_where_something_registered_it() -> None:
    everything = replace(CALM, actions=CALM.actions | NEVER)
    assert {permit(Proposal(action, 6), everything, AUTO).permission for action in NEVER} == {"deny"}


def test_a_plugin_cannot_dress_a_write_as_waiting() -> None:
    assert permit(Proposal("wait", 6), CALM, AUTO).permission == "allow"
    assert permit(Proposal("wait", 6), replace(CALM, actions=CALM.actions | {"wait"}), AUTO).permission == "ask"


@pytest.mark.parametrize("validator", [None, True, -1, "6", 6.0])
def test_a_write_needs_a_validator(validator: Any) -> None:
    assert permit(Proposal("restart", validator), CALM, AUTO).permission == "deny"


def test_of_several_chains_the_strictest_answer_counts() -> None:
    full = replace(CALM, missing=frozenset({1, 2, 3, 4}))
    passing = replace(CALM, rejoin_awaited=frozenset({2}))
    twin = replace(CALM, facts={**SAFE, "twin_running": True})
    assert permit_all(RESTART, [CALM, CALM], AUTO) == permit(RESTART, CALM, AUTO)
    assert permit_all(RESTART, [CALM, passing], AUTO) == permit(RESTART, passing, AUTO)
    both = permit_all(RESTART, [passing, full, CALM], AUTO)
    assert (both.permission, both.for_now, len(both.reasons)) == ("ask", False, 2)
    denied = permit_all(RESTART, [full, twin], AUTO)
    assert denied.permission == "deny" and len(denied.reasons) == 2
    assert permit_all(RESTART, [], AUTO).permission == "deny"
    assert permit_all(Proposal("escalate", None), [], AUTO).permission == "allow"


def test_names_from_a_chain_are_harmless_in_reasons() -> None:
    names = frozenset({"\x1b[31m" + "x" * 500, *range(100, 140)})
    (reason,) = permit(RESTART, replace(CALM, missing=names), AUTO).reasons
    assert reason.isprintable() and len(reason) < 300
