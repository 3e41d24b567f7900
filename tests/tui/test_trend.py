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


def test_lines_begin_filled_with_what_the_watch_kept() -> None:
    trends, now = Trends(), 10_000.0
    times = [now - 300 + 15 * n for n in range(20)]
    columns = {"block_height": [100 + 5 * n for n in range(20)], "finalization_lag": [2] * 20, "peers": [30 + n % 3 for n in range(20)]}
    trends.take_up(now, times, {"6": columns}, status(200))
    trends.add(now, status(200))
    steps = [step for step in trends.progress(6) if step is not None]
    assert len(steps) >= 45 and set(steps) <= {1, 2, 3}, "two blocks a period, drawn between samples"
    assert len(trends.lag(6)) == KEPT and trends.lag(6)[0] is None, "before the first sample nothing is known"
    assert spark(trends.peers(6), 12).count(" ") == 0
    trends.take_up(now + 60, times, {"6": {**columns, "peers": [None] * 20}})
    assert trends.peers(6)[-2] is not None, "what is seen live is not replaced"


@given(
    st.lists(st.floats(0, 2000), unique=True, max_size=30).map(sorted),
    st.lists(st.none() | st.integers(0, 10**9), min_size=30, max_size=30),
    st.floats(0, 4000),
)
def test_whatever_was_kept_is_taken_up(times: list[float], values: list[int | None], now: float) -> None:
    trends = Trends()
    times = [at for at in times if at <= now]
    trends.take_up(now, times, {6: dict.fromkeys(("block_height", "finalization_lag", "peers"), values[: len(times)])})
    known = {value for value in values[: len(times)] if value is not None}
    assert {value for value in trends.peers(6) if value is not None} <= known
    assert len(trends.peers(6)) == KEPT


def test_a_gap_in_what_was_kept_stays_a_gap() -> None:
    trends = Trends()
    columns = {"block_height": [1, 90], "finalization_lag": [2, 2], "peers": [5, 6]}
    trends.take_up(1000.0, [400.0, 990.0], {6: columns})
    assert [value for value in trends.peers(6) if value is not None] == [6] * 1
