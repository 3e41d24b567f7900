"""Lines of blocks: always as wide as asked, never wrong about what is not known."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gizzi.tui.trend import BLOCKS, KEPT, PERIOD_S, Trends, spark

VALUES = st.lists(st.none() | st.integers(-(10**6), 10**12), max_size=200)


@given(VALUES, st.integers(0, 80), st.integers(0, 100))
def test_a_spark_is_as_wide_as_asked(values: list[int | None], width: int, least_top: int) -> None:
    shown = spark(values, width, least_top=least_top)
    assert len(shown) == width and set(shown) <= {" ", *BLOCKS}
    for mark, value in zip(reversed(shown), reversed(values), strict=False):
        assert (mark == " ") == (value is None)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30))
def test_more_is_never_drawn_lower(values: list[int]) -> None:
    marks = spark(values, len(values))
    order = sorted(range(len(values)), key=lambda at: values[at])
    assert [BLOCKS.index(marks[at]) for at in order] == sorted(BLOCKS.index(mark) for mark in marks)
    assert marks[order[-1]] == BLOCKS[-1] or max(values) == 0


def status(height: int | None, lag: int | None = 2, peers: int | None = 30) -> list[dict[str, Any]]:
    return [{"number": 6, "block_height": height, "finalization_lag": lag, "peers": peers}]


def test_progress_is_blocks_a_period_and_a_gap_is_unknown() -> None:
    trends = Trends()
    for turn, height in enumerate((100, 101, 103, None, 104, 104, 105)):
        trends.add(turn * PERIOD_S, status(height))
        trends.add(turn * PERIOD_S + 1, status(height))
    assert trends.progress(6) == [None, 1, 2, None, None, 0], "the period that still runs is not told yet"
    assert trends.lag(6) == [None, *[2] * 7]


def test_missed_looks_leave_a_gap_and_the_past_is_bounded() -> None:
    trends = Trends()
    trends.add(0, status(1))
    trends.add(4 * PERIOD_S, status(9))
    assert trends.peers(6) == [None, 30, None, None, None, 30]
    trends.add(10_000 * PERIOD_S, status(9))
    assert len(trends.peers(6)) == KEPT
    assert trends.progress(7) == []
