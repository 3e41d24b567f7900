"""Missed votes: against the median of the set, over what was watched of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.analysis.votes import Cast, cast_of, gained, votes_of

HOUR_S = 3600.0


def counted(per_hour: float, hours: int = 24, first: float = 1e6) -> Cast | None:
    return cast_of([(h * HOUR_S, first + per_hour * h) for h in range(hours + 1)])


def test_who_votes_less_than_the_median_has_missed_the_rest() -> None:
    votes = votes_of({1: counted(600), 2: counted(600), 3: counted(450), 4: counted(600, hours=10), 5: counted(600, hours=0)})
    assert set(votes) == {1, 2, 3, 4}
    assert votes[3].missed == pytest.approx(150 * 24) and votes[3].share == pytest.approx(0.25)
    assert votes[4].missed == pytest.approx(0), "seen for less time, it is compared over that"
    assert votes_of({1: counted(600), 2: counted(10)}) == {}, "two have no median that means anything"


@given(st.lists(st.integers(0, 50), min_size=1, max_size=50), st.sets(st.integers(0, 49), max_size=5))
def test_a_restart_loses_only_what_was_cast_unseen(steps: list[int], restarts: set[int]) -> None:
    value, points, cast = 100.0, [(0.0, 100.0)], 0
    for place, step in enumerate(steps):
        value = step if place in restarts else value + step
        cast += step
        points.append((place + 1.0, value))
    assert 0 <= cast - gained(points) <= sum(steps[place] for place in restarts if place < len(steps)) or gained(points) == cast


def test_nobody_votes() -> None:
    votes = votes_of({n: counted(0) for n in range(4)})
    assert all(of.share == 0 for of in votes.values())
