"""The breaker and the waits between calls: pure, so told by the clock."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.models.breaker import FAILURES, LONGEST_OPEN_S, OPEN_S, Breaker, Breakers
from gizzi.models.retry import LONGEST_WAIT_S, RETRIED, TRIES, Kind, ModelCallFailed, wait_s


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        assert breaker.enter(now)
        breaker.failed(now)
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.failed(0)
    breaker.succeeded()
    breaker.failed(0)
    assert breaker.state(0) == "closed"
    assert opened().state(0) == "open" and not opened().enter(0)


def test_one_trial_at_a_time_decides() -> None:
    breaker = opened()
    assert not breaker.enter(OPEN_S - 0.01)
    assert breaker.state(OPEN_S) == "half-open"
    assert breaker.enter(OPEN_S) and not breaker.enter(OPEN_S)
    breaker.succeeded()
    assert breaker.state(OPEN_S) == "closed" and breaker.enter(OPEN_S) and breaker.enter(OPEN_S)


def test_each_failed_trial_doubles_the_wait_up_to_a_limit() -> None:
    breaker, now = opened(), 0.0
    waits = []
    for _ in range(10):
        waits.append(breaker.open_until - now)
        now = breaker.open_until
        assert breaker.enter(now)
        breaker.failed(now)
    assert waits[:3] == [OPEN_S, 2 * OPEN_S, 4 * OPEN_S] and waits[-1] == LONGEST_OPEN_S


def test_an_abandoned_trial_gives_way_to_the_next() -> None:
    breaker = opened()
    assert breaker.enter(OPEN_S)
    breaker.abandoned()
    assert breaker.enter(OPEN_S)


def test_retry_after_opens_it_at_once_and_is_bounded() -> None:
    breaker = Breaker()
    breaker.failed(0, retry_after_s=30)
    assert not breaker.enter(29.9) and breaker.enter(30)
    breaker.failed(30, retry_after_s=1e9)
    assert breaker.open_until == 30 + LONGEST_OPEN_S


def test_each_model_has_its_own() -> None:
    breakers = Breakers()
    for _ in range(FAILURES):
        breakers.of("a").failed(0)
    assert not breakers.is_closed("a", 0) and breakers.is_closed("b", 0) and breakers.is_closed("a", OPEN_S)
    breakers.of("a").enter(OPEN_S)
    assert not breakers.is_closed("a", OPEN_S)  # somebody else has the trial


@given(st.lists(st.tuples(st.sampled_from(["enter", "fail", "succeed", "abandon"]), st.floats(0, 100)), max_size=60))
def test_whatever_happens_it_lets_a_call_through_in_the_end(steps: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(), 0.0
    for what, passed in steps:
        now += passed
        match what:
            case "enter":
                breaker.enter(now)
            case "fail":
                breaker.failed(now, passed)
            case "succeed":
                breaker.succeeded()
            case _:
                breaker.abandoned()
    breaker.abandoned()
    assert breaker.enter(now + LONGEST_OPEN_S)


@pytest.mark.parametrize("kind", ["timeout", "unauthorised", "quota", "not_found", "too_long", "rejected", "filtered"])
def test_what_would_fail_again_is_not_tried_again(kind: Kind) -> None:
    assert wait_s(ModelCallFailed(kind, "x"), 1, 100, Random(1)) is None


def test_waits_double_with_jitter_and_end() -> None:
    failure, dice = ModelCallFailed("overloaded", "x"), Random(1)
    firsts = [wait_s(failure, 1, 100, dice) or 0 for _ in range(200)]
    seconds = [wait_s(failure, 2, 100, dice) or 0 for _ in range(200)]
    assert 0 <= min(firsts) < 0.02 and 0.28 < max(firsts) <= 0.3 and 0.5 < max(seconds) <= 0.6
    assert wait_s(failure, TRIES, 100, dice) is None


def test_retry_after_is_obeyed_or_the_next_model_is_called() -> None:
    dice = Random(1)
    assert 2 <= (wait_s(ModelCallFailed("rate_limit", "x", retry_after_s=2), 1, 100, dice) or 0) <= 2.31
    assert wait_s(ModelCallFailed("rate_limit", "x", retry_after_s=LONGEST_WAIT_S + 1), 1, 100, dice) is None
    assert wait_s(ModelCallFailed("rate_limit", "x", retry_after_s=2), 1, 3, dice) is None  # no time for it
    assert "rate_limit" in RETRIED
