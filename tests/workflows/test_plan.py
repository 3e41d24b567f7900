"""The plan of a rolling upgrade holds for every fleet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gizzi.workflows._plan import Plan, against, near_change, plan_upgrade, runs_version


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[tuple[int, bool]], int, set[int | str], int]:
    """Validators in any order, some of the chain's authorities ours, some missing, any reserve."""
    numbers = draw(st.lists(st.integers(1, 400), unique=True, min_size=1, max_size=60))
    validators = [(number, draw(st.booleans())) for number in numbers]
    ours = [number for number, votes in validators if votes]
    authorities = draw(st.integers(max(1, len(ours)), 400))
    missing: set[int | str] = set(draw(st.lists(st.sampled_from(ours), unique=True))) if ours else set()
    missing |= {f"0x{i}" for i in range(draw(st.integers(0, min(8, authorities - len(ours)))))}
    return validators, authorities, missing, draw(st.integers(0, 6))


@settings(max_examples=1500)
@given(fleets())
def test_a_plan_never_risks_more_than_the_budget(fleet: tuple[list[tuple[int, bool]], int, set[int | str], int]) -> None:
    validators, authorities, missing, reserve = fleet
    votes = dict(validators)
    plan = plan_upgrade(validators, authorities, missing, reserve)
    may_be_away = (authorities - 1) // 3 - reserve
    for batch in plan.batches:
        voters = {number for number in batch if votes[number]}
        assert not voters or len(voters | missing) <= may_be_away, "should the whole batch fail, finality goes on and the reserve is kept"
    planned = [number for batch in plan.batches for number in batch]
    assert sorted([*planned, *plan.waits]) == sorted(votes), "every validator once"
    kinds = [votes[number] for number in planned]
    assert kinds == sorted(kinds), "those that do not vote come first"
    assert all(votes[number] for number in plan.waits)
    if plan.waits:
        assert len(missing | {plan.waits[0]}) > may_be_away, "none waits for whom there is room"
    if plan.batches and not votes[planned[0]]:
        assert len(plan.batches[0]) == 1
    healthy = [batch for batch in plan.batches if votes[batch[0]] and batch[0] not in missing]
    assert not healthy or len(healthy[0]) == 1, "one goes ahead"


def test_21_authorities() -> None:
    assert plan_upgrade([(n, True) for n in range(1, 22)], 21, (), 2) == Plan(
        ((1,), (2, 3, 4, 5), (6, 7, 8, 9), (10, 11, 12, 13), (14, 15, 16, 17), (18, 19, 20, 21))
    )


def test_a_small_chain_has_no_room_at_all() -> None:
    assert plan_upgrade([(1, True), (2, False)], 4, (), 2) == Plan(((2,),), (1,))


@pytest.mark.parametrize(
    ("reported", "wanted", "same"),
    [
        ("1.21.0", "1.21.0", True),
        ("1.21.0-3f1a7c5e9d2", "1.21.0", True),
        ("1.21.0-3f1a7c5e9d2", "v1.21.0", True),
        ("1.21.0-rc1", "1.21.0", False),
        ("1.21.01", "1.21.0", False),
        ("1.20.2-3f1a7c5e9d2", "1.21.0", False),
        (None, "1.21.0", False),
    ],
)
def test_a_version_is_told_with_its_commit(reported: str | None, wanted: str, same: bool) -> None:
    assert runs_version(reported, wanted) is same


SEEN = {
    "seen_at": 99.0,
    "at": 100.0,
    "number": 6,
    "rejoined": True,
    "facts": {"in_session_change": False},
    "session_changed_at": None,
    "authorities": 21,
    "missing": [],
    "alerts": [],
}


@pytest.mark.parametrize(
    ("changed", "unproven", "words"),
    [
        ({}, [], []),
        ({"missing": [1, 2, 3]}, [], []),
        ({"missing": [1, 2]}, [3], []),
        (
            {"missing": [1, 2, "0xabcdef123456"]},
            [3],
            ["5 of 21 authorities would be away or not proven yet (1, 2, 3, 6, 0xabcdef12…); 4 may be"],
        ),
        ({"authorities": None}, [], ["nobody can tell how many authorities the chain has"]),
        ({"rejoined": None}, [], ["nobody can tell whether it votes"]),
        ({"rejoined": False, "alerts": ["peers_low"]}, [], ["it does not follow the chain and vote (peers_low)"]),
        ({"facts": {"in_session_change": True}}, [], ["the session is changing"]),
        ({"facts": {}}, [], ["nobody can tell whether the session is changing"]),
        ({"session_changed_at": 100.0 - 14_400 + 200}, [], ["the session is about to change"]),
        ({"seen_at": None}, [], ["nothing is known of it"]),
    ],
)
def test_what_stands_against_the_next_step(changed: dict[str, object], unproven: list[int], words: list[str]) -> None:
    assert against({**SEEN, **changed}, unproven, 2, 14_400, votes=True) == words


@given(st.integers(0, 10**6), st.integers(700, 10**5))
def test_a_change_is_near_for_five_minutes_of_each_session(since_s: int, session_s: int) -> None:
    left_s = session_s - since_s % session_s
    assert near_change(1e7 + since_s, 1e7, session_s) == (left_s <= 300)
