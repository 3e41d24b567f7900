"""When the disk of the database will be full. A node writes and frees gigabytes all the time, so only a steady fall counts."""

from __future__ import annotations

from itertools import combinations, pairwise
from statistics import median
from typing import TYPE_CHECKING

from gizzi import UNKNOWN, Answer, Finding, Series, duration_text, outlook, rule

if TYPE_CHECKING:
    from gizzi.fleet.view import ChainView, ValidatorView

_FREE = "disk_free_bytes"
_HOUR_S = 3600.0
_STEADY = 0.9
"""Share of the steps that must fall."""
_ABOVE_NOISE = 2.0
"""A fall must be so many times as large as the free space rose again, at most, in the time before."""
_STEPS = 5
"""The shortest window holds so many periods of the source."""
_MOST_POINTS = 24
_WINDOW_S = 2 * _HOUR_S
"""As far back as samples reach."""


@rule("disk_filling", severity="high", hold="30s", needs=(_FREE,), series=(_FREE,))
def disk_filling(
    v: ValidatorView,
    fleet: ChainView,
    *,
    below: float = 0.05,
    soon_h: float = 6.0,
    soon_after_s: float = 150.0,
    later_h: float = 24.0,
    later_after_s: float = 1800.0,
    days: float = 7.0,
) -> Answer:
    """The disk of its database is almost full, or will be in hours: a full disk stops the node and can break its database.

    Full within `soon_h` is told after `soon_after_s` of steady falling, within `later_h` after `later_after_s`; within `days` by the
    hourly forecast, where even the late end of its 80 % interval is in sight.
    """
    free, size = v.disk_free_bytes, v.disk_size_bytes
    if free is None:
        return UNKNOWN
    if size and free < below * size:
        return f"{free / size:.1%} of the disk is free, {_gigabytes(free)} of {_gigabytes(size)} (less than {below:.0%})"
    span_s, change = v.change(_FREE, soon_after_s)
    if span_s and change * 2 * later_h * _HOUR_S > -free * span_s:
        return _within_days(v, free, days)  # at the pace of the last minutes it lasts longer than what is told from them
    watched_s = v.watched_s(_FREE)
    soon_after_s = max(soon_after_s, _STEPS / 3 * v.fresh_s(_FREE))
    if watched_s < soon_after_s:
        return UNKNOWN
    left_s = _left_s(v, free, soon_after_s)
    if left_s is not None and left_s <= soon_h * _HOUR_S:
        return _full_in(left_s, free, soon_after_s)
    left_s = _left_s(v, free, later_after_s) if watched_s >= later_after_s else None
    if left_s is not None and left_s <= later_h * _HOUR_S:
        return Finding(_full_in(left_s, free, later_after_s) + _interval(v, _WINDOW_S), severity="medium")
    return _within_days(v, free, days)


def _within_days(v: ValidatorView, free: float, days: float) -> Answer:
    """By what was kept of the last day or two weeks."""
    seen = v.outlook("disk")
    left_s = None if seen is None else seen.left_s(v.now)
    if seen is None or left_s is None or seen.latest_s is None or left_s > days * 24 * _HOUR_S:
        return None
    return Finding(f"the disk is full in about {duration_text(left_s)}: {_gigabytes(free)} left ({seen.between()})", severity="low")


def _interval(v: ValidatorView, span_s: float) -> str:
    """Of the same, by a forecast from the last hours, where they tell one."""
    seen = outlook(Series("", "disk", v.window(_FREE, span_s)))
    return f" ({seen.between()})" if seen.sure and seen.soonest_s is not None else ""


def _left_s(v: ValidatorView, free: float, span_s: float) -> float | None:
    """Seconds until the disk is full, by the median of the slopes between all pairs of samples (Theil and Sen).

    None where they do not fall steadily, or no further than is usual: a compaction of the database takes gigabytes within minutes, and
    gives them back.
    """
    samples = v.window(_FREE, span_s)
    if len(samples) > _MOST_POINTS:
        samples = [*samples[:: -(-len(samples) // _MOST_POINTS)], samples[-1]]
    falls = sum(1 for (_, before), (_, after) in pairwise(samples) if after < before)
    if len(samples) < _STEPS or falls < _STEADY * (len(samples) - 1):
        return None
    if samples[0][1] - samples[-1][1] < _ABOVE_NOISE * _noise(v, samples[0][0]):
        return None
    slope = median([(later - value) / (then - at) for (at, value), (then, later) in combinations(samples, 2) if then > at])
    return free / -slope if slope < 0 else None


def _noise(v: ValidatorView, before: float) -> float:
    """By how much the free space rose again, at most, in the hours before that time."""
    lowest, most = float("inf"), 0.0
    for at, value in v.window(_FREE, 2 * _HOUR_S):
        if at >= before:
            break
        lowest = min(lowest, value)
        most = max(most, value - lowest)
    return most


def _full_in(left_s: float, free: float, over_s: float) -> str:
    return f"the disk is full in about {duration_text(left_s)}: {_gigabytes(free)} left, by the last {duration_text(over_s)}"


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
