"""A model that finds something everywhere and always, for days: how much of it is opened."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gizzi.alerts.by_model import finding
from gizzi.alerts.external import Said, owner
from gizzi.config import Validator
from gizzi.engine.watcher.bounds import AGAIN_AFTER_S, HOUR_S, LOOK_BACK_S, MOST_AN_HOUR, MOST_OPEN, Earlier, admitted

PERIOD_S = 900.0


def said(number: int, name: str, now: float) -> Said:
    return finding(Validator(number=number, chain="main"), name, severity="low", text="x", shown="x", role="watcher", model="m", now=now)


steps = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["peers", "log", "syncing"])), max_size=12),
        st.lists(st.integers(0, 20), max_size=4),
        st.sampled_from([None, "hit", "false_alarm"]),
        st.integers(1, 40),
    ),
    max_size=25,
)


@given(steps)
def test_it_is_bounded_whatever_is_found_and_whenever_it_ends(
    steps: list[tuple[list[tuple[int, str]], list[int], str | None, int]],
) -> None:
    now, told = 1_000_000.0, list[Earlier]()
    for found, ending, became, periods in steps:
        opened = admitted([said(number, name, now) for number, name in found], told, now)
        for one in opened:
            before = [old for old in told if old.key == (one.subject, one.rule)]
            assert all(old.ended_at is not None and now >= old.ended_at + AGAIN_AFTER_S[old.outcome] for old in before)
        told += [Earlier((one.subject, one.rule), now, None, None) for one in opened]
        firing = [owner(one.key[0]) for one in told if one.ended_at is None]
        assert len(firing) <= MOST_OPEN and len(set(firing)) == len(firing), "one a validator"
        assert sum(now - HOUR_S < one.since <= now for one in told) <= MOST_AN_HOUR
        for place in ending:
            if place < len(told) and told[place].ended_at is None:
                told[place] = replace(told[place], ended_at=now + 1, outcome=became)
        now += periods * PERIOD_S


def test_what_is_found_again_after_a_false_alarm_waits_a_day_and_after_a_hit_an_hour() -> None:
    now, one = 1_000_000.0, said(6, "peers", 0.0)
    for became, wait_s in AGAIN_AFTER_S.items():
        told = [Earlier((one.subject, one.rule), now - 60, now, became)]
        assert admitted([one], told, now + wait_s - 1) == [] and admitted([one], told, now + wait_s) == [one]
        assert wait_s <= LOOK_BACK_S
    assert AGAIN_AFTER_S["hit"] < AGAIN_AFTER_S[None] < AGAIN_AFTER_S["false_alarm"]


def test_another_finding_on_the_same_validator_waits_until_the_first_is_over() -> None:
    told = [Earlier(("validator/6/watcher", "model:peers"), 0.0, None, None)]
    assert admitted([said(6, "log", 10.0), said(7, "log", 10.0)], told, 10.0) == [said(7, "log", 10.0)]
