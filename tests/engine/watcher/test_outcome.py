from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.engine.watcher.outcome import HIT_WITHIN_S, Opened, OwnIncident, outcome

AT = 10_000.0


def opened(**more: object) -> Opened:
    return Opened(1, frozenset({6}), AT, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "numbers", "after_s", "name"),
    [
        ("peers_low", {6}, 240, "hit"),
        ("peers_low", {5, 6}, HIT_WITHIN_S, "hit"),
        ("peers_low", {6}, HIT_WITHIN_S + 1, "false_alarm"),
        ("peers_low", {6}, -1, "false_alarm"),
        ("peers_low", {7}, 240, "false_alarm"),
        ("chain_stalled", set(), 240, "false_alarm"),
    ],
)
def test_a_rule_that_says_so_within_the_hour_bears_it_out(of: str, numbers: set[int], after_s: float, name: str) -> None:
    own = [OwnIncident(2, of, frozenset(numbers), AT + after_s)]
    found = outcome(opened(resolved_at=AT + 60), own, AT + 3 * HIT_WITHIN_S)
    assert found is not None and found.name == name
    if name == "hit":
        assert found.why.startswith(f"{of} opened inc-2 ")


def test_a_person_who_looks_after_it_makes_it_a_hit() -> None:
    found = outcome(opened(acknowledged_by="ada"), [], AT + 1)
    assert found is not None and (found.name, found.why) == ("hit", "ada acknowledged it")


def test_nobody_knows_while_it_is_open_or_the_hour_is_not_over() -> None:
    assert outcome(opened(), [], AT + 30 * HIT_WITHIN_S) is None
    assert outcome(opened(resolved_at=AT + 60), [], AT + HIT_WITHIN_S) is None


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.lists(st.tuples(st.floats(-1e4, 1e4), st.sampled_from([6, 7]))))
def test_once_known_it_does_not_change(ended_s: float, later_s: float, others: list[tuple[float, int]]) -> None:
    """As long as what is told of is told in time: an incident that opens after now cannot be known."""
    own = [OwnIncident(at, "r", frozenset({number}), AT + after) for at, (after, number) in enumerate(others)]
    now = AT + ended_s
    first = outcome(opened(resolved_at=now), [one for one in own if one.opened_at <= now], now)
    after = outcome(opened(resolved_at=now), own, now + later_s)
    assert first is None or (after is not None and after.name == first.name)
