"""Where a series goes: a robust trend, and an interval as wide as the same method was wrong in the series' own past.

The trend is the median of the slopes between all pairs of points (Theil 1950, Sen 1968), damped by how consistently they agree in sign
(Kendall's tau), from the level of the latest points. At each of many earlier times the same is asked of what was known then, and compared
with what came: the interval holds four fifths of those errors (split conformal prediction, with its correction for few of them).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log
from statistics import mean, median

SHARE = 0.8
LEAST_POINTS = 16
MOST_BINS = 48
LEAST_ERRORS = 8
REACH = 0.5
"""It looks half as far ahead as it has looked back: further, fewer than four fifths of the intervals held."""
SPREAD = 0.5
"""Found by simulation, see benchmarks/forecasts.py."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Value:
    """What is expected at a time, and within which bounds with a probability of four fifths."""

    at: float
    low: float
    likely: float
    high: float


@dataclass(frozen=True, slots=True)
class Trend:
    """slope: per second. errors: by how many steps ahead, the size of the error that four fifths of the past ones stayed within.

    past_error: the median error half of the reach ahead, in the series' own unit, over `tests` earlier times.
    """

    last_at: float
    level: float
    slope: float
    step_s: float
    errors: tuple[float, ...]
    growth: float
    reach_s: float
    past_error: float
    tests: int

    def value(self, at: float) -> Value:
        """Beyond the steps that the past could test, the error grows as it did within them; where it grows, it is widened besides.

        The past holds few separate spans as long as those, and they overlap: its errors are alike, and the largest are not among them.
        """
        ahead_s = max(0.0, at - self.last_at)
        likely = self.level + self.slope * ahead_s
        steps = ahead_s / self.step_s
        index = min(len(self.errors), max(1, ceil(steps)))
        tested = steps / len(self.errors)
        error = self.errors[index - 1] * max(1.0, tested) ** self.growth * (1 + SPREAD * self.growth * tested)
        return Value(at, likely - error, likely, likely + error)


class TooShort(ValueError):
    """The history says nothing yet; the text says what is missing."""


def trend_of(points: Sequence[Point]) -> Trend:
    """points: (epoch seconds, value), in any order, at least LEAST_POINTS of them. Raises TooShort."""
    clean = sorted({at: value for at, value in points if value == value and abs(value) < float("inf")}.items())
    if len(clean) < LEAST_POINTS:
        raise TooShort(f"{len(clean)} of {LEAST_POINTS} points")
    bins, raw = _bins(clean)
    if len(bins) < LEAST_POINTS:
        raise TooShort("it was watched with too many gaps")
    step_s = (bins[-1][0] - bins[0][0]) / (len(bins) - 1)
    fits = _fits(bins, first=max(8, len(bins) // 2))
    errors, past_error, tests = _past_errors(bins, raw, fits)
    level, slope = fits[len(bins) - 1]
    last_at, reach_s = clean[-1][0], (clean[-1][0] - clean[0][0]) * REACH
    level += slope * (last_at - bins[-1][0])
    return Trend(last_at, level, slope, step_s, errors, _growth(errors), reach_s, past_error, tests)


def _bins(points: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """(medians of at most MOST_BINS equal spans, one point as it was of each): a median hides the noise that a forecast meets."""
    if len(points) <= MOST_BINS:
        return list(points), list(points)
    first, width = points[0][0], (points[-1][0] - points[0][0]) / MOST_BINS
    times = [at for at, _ in points]
    bins, raw, begin = [], [], 0
    for i in range(MOST_BINS):
        end = len(points) if i == MOST_BINS - 1 else bisect_right(times, first + (i + 1) * width, begin)
        if end > begin:
            part = points[begin:end]
            bins.append((median(at for at, _ in part), median(value for _, value in part)))
            raw.append(part[len(part) * (i % 3 + 1) // 4 if len(part) > 3 else len(part) // 2])
        begin = end
    return bins, raw


Fit = tuple[float, float]
"""(level at the last point, slope)."""


def _fits(points: Sequence[Point], first: int) -> dict[int, Fit]:
    """By the index of the last point known, from `first` points on, what was known then. The slopes stay sorted while points join."""
    slopes: list[float] = []
    signs, fits = 0, {}
    for last, (then, later) in enumerate(points):
        new = sorted((later - value) / (then - at) for at, value in points[:last] if then > at)
        signs += sum((s > 0) - (s < 0) for s in new)
        slopes += new
        slopes.sort()
        if last >= first - 1:
            fits[last] = _fit(points[: last + 1], slopes, signs)
    return fits


def _fit(points: Sequence[Point], slopes: Sequence[float], signs: int) -> Fit:
    """slopes: of all pairs, ascending; signs: how many more of them rise than fall."""
    half = len(slopes) // 2
    slope = slopes[half] if len(slopes) % 2 else (slopes[half - 1] + slopes[half]) / 2
    slope *= min(1.0, 2 * abs(signs) / len(slopes))
    last_at = points[-1][0]
    recent = points[-max(5, len(points) // 5) :]
    return median(value + slope * (last_at - at) for at, value in recent), slope


def _past_errors(bins: Sequence[Point], raw: Sequence[Point], fits: Mapping[int, Fit]) -> tuple[tuple[float, ...], float, int]:
    count = len(bins)
    most = max(1, count - min(fits) - 1 - LEAST_ERRORS)
    widths: list[float] = []
    past_error, tests = 0.0, 0
    for ahead in range(1, most + 1):
        errors = sorted(
            abs(raw[origin + ahead][1] - level - slope * (raw[origin + ahead][0] - bins[origin][0]))
            for origin, (level, slope) in fits.items()
            if origin + ahead < count
        )
        widths.append(_quantile(errors))
        if ahead == (most + 1) // 2:
            past_error, tests = median(errors), len(errors)
    return tuple(_smooth(widths)), past_error, tests


def _quantile(errors: Sequence[float]) -> float:
    """Of sorted errors, with the correction for few of them."""
    place = min(len(errors) - 1.0, SHARE * (len(errors) + 1) - 1)
    below = int(place)
    above = min(len(errors) - 1, below + 1)
    return errors[below] + (errors[above] - errors[below]) * (place - below)


def _growth(errors: Sequence[float]) -> float:
    """The power of time by which the error grows: 0 for noise about a line, a half for chance steps, 1 for a wrong slope."""
    early, late = median(errors[: len(errors) // 3 + 1]), median(errors[-(len(errors) // 3 + 1) :])
    if early <= 0 or len(errors) < 4:
        return 0.5
    return min(1.0, max(0.0, log(max(late, early) / early) / log(5)))


def _smooth(widths: Sequence[float]) -> list[float]:
    """Each with its neighbours: the quantile of few errors is itself uncertain."""
    return [mean(widths[max(0, i - 2) : i + 3]) for i in range(len(widths))]
