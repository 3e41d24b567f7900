"""Forecasts hold what they promise, and say nothing where they know nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.analysis.disk import DiskHistory, check_disk_space, disk_row
from gizzi.analysis.forecast import Series, forecast, outlook
from gizzi.analysis.trend import TooShort, trend_of
from tools import series

HOUR_S = 3600.0
START = 1_790_000_000.0


def line(per_hour: float, first: float = 100.0, hours: int = 48, noise: float = 0.0, seed: int = 1) -> list[tuple[float, float]]:
    dice = random.Random(seed)
    return [(START + h * HOUR_S, first + per_hour * h + dice.gauss(0, noise)) for h in range(hours)]


@pytest.mark.parametrize("kind", series.KINDS)
def test_four_fifths_of_the_intervals_hold(kind: str) -> None:
    held = []
    for hours in (48, 168):
        for seed in range(1000, 1060):
            points = series.make(kind, seed, hours + hours // 2 + 1)
            trend = trend_of(points[:hours])
            for share in (0.1, 0.25, 0.5):
                at, came = points[hours + int(hours * share) - 1]
                value = trend.value(at)
                held.append(value.low <= came <= value.high)
    assert 0.70 <= sum(held) / len(held) <= 0.90


def test_a_straight_line_meets_its_limit_when_it_does() -> None:
    found = outlook(Series("validator 6", "disk", line(-1.0, hours=80), limit=0.0))
    assert found.likely_s == pytest.approx(21 * HOUR_S, rel=0.02)
    assert found.soonest_s is not None
    assert found.latest_s is not None
    assert found.soonest_s <= 21.5 * HOUR_S
    assert found.latest_s >= 20.5 * HOUR_S
    assert found.per_day == pytest.approx(-24)


def test_what_goes_the_other_way_never_meets_it() -> None:
    found = outlook(Series("validator 6", "disk", line(1.0), limit=0.0))
    assert (found.likely_s, found.soonest_s, found.latest_s) == (None, None, None)
    assert forecast([Series("validator 6", "disk", line(1.0))]).findings == ()


def test_what_rises() -> None:
    report = forecast([Series("chain flare", "lag", line(1.5, 10, noise=1.0)), Series("validator 3", "peers", line(-0.5, 40, noise=1.0))])
    assert [found.subject for found in report.outlooks] == ["chain flare", "validator 3"]
    assert [(f.kind, f.subject) for f in report.findings] == [("lag_forecast", "chain flare")]
    assert "past forecasts erred" in report.findings[0].evidence[0].quote


@pytest.mark.parametrize("points", [[], line(1.0, hours=15), [(START, float("nan"))] * 50, [(START, 1.0)] * 50])
def test_a_short_history_is_unknown(points: list[tuple[float, float]]) -> None:
    found = outlook(Series("validator 6", "disk", points))
    assert "too short" in found.unknown
    assert (found.likely_s, found.soonest_s, found.now) == (None, None, None)
    assert forecast([Series("validator 6", "disk", points)]).findings == ()


def test_no_limit_is_unknown() -> None:
    assert "no limit" in outlook(Series("all", "spend", line(1.0))).unknown


def test_one_wrong_value_changes_nothing_much() -> None:
    points = line(-1.0, hours=60, noise=0.2)
    points[30] = (points[30][0], 1e9)
    found = outlook(Series("validator 6", "disk", points, limit=0.0))
    assert found.likely_s == pytest.approx(41 * HOUR_S, rel=0.1)


@given(st.lists(st.tuples(st.floats(0, 2e9), st.floats(-1e15, 1e15)), max_size=80))
def test_any_series_gives_ordered_bounds(points: list[tuple[float, float]]) -> None:
    try:
        trend = trend_of(points)
    except TooShort:
        return
    values = [trend.value(trend.last_at + trend.reach_s * share) for share in (0.0, 0.3, 1.0)]
    assert all(value.low <= value.likely <= value.high for value in values)


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e3))
def test_scale_and_offset_change_nothing(offset: float, scale: float) -> None:
    points = series.make("trend", 3, 48)
    one, two = trend_of(points), trend_of([(at, value * scale + offset) for at, value in points])
    assert two.slope == pytest.approx(one.slope * scale, rel=1e-4, abs=1e-9)
    assert two.past_error == pytest.approx(one.past_error * scale, rel=1e-3, abs=1e-6)


def test_disks() -> None:
    filling = [(at, value * 1e9) for at, value in line(-0.8, 100.0, hours=100, noise=0.3)]
    steady = [(at, value * 1e9) for at, value in line(0.0, 500.0, hours=100, noise=0.3)]
    low = [(at, value * 1e9) for at, value in line(0.0, 30.0, hours=100, noise=0.1)]
    disks = [
        DiskHistory(1, steady, 1e12),
        DiskHistory(2, filling, 1e12, "runtime-dev01-a"),
        DiskHistory(3, low, 1e12),
        DiskHistory(4, []),
        DiskHistory(5, [(START, 4e11)], 1e12),
    ]
    report = check_disk_space(map(disk_row, disks))
    assert [row.number for row in report.rows] == [2, 3, 5, 1, 4]
    first = report.rows[0]
    assert first.days == pytest.approx(26 / 24, rel=0.15)
    assert first.soonest_days is not None
    assert first.soonest_days <= (first.days or 0) <= (first.latest_days or 99)
    assert [(f.subject, f.severity) for f in report.findings] == [("validator 2", "high"), ("validator 3", "high")]
    assert report.rows[2].free_bytes == 4e11
    assert report.unknown == (
        "validator 5: the history is too short: 1 of 16 points",
        "validator 4: nothing was observed of its disk",
    )
