"""The recent past of each validator, as the watch kept it and this screen saw it, and its drawing as a line of blocks. PURE."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

PERIOD_S = 6.0
"""A point stands for so long: the block time of most relay chains, so that a healthy chain's progress is a flat line."""
KEPT = 120
GAP_S = 150.0
"""Between samples further apart nothing is drawn."""
BLOCKS = "▁▂▃▄▅▆▇"
"""Without the full block, so that rows stay apart."""

Point = tuple[int | None, int | None, int | None]
"""Block height, finalization lag, peers."""
_NOTHING: Point = (None, None, None)


class Trends:
    def __init__(self) -> None:
        self._turn = -1
        self._points: dict[int, deque[Point]] = {}

    def add(self, now: float, statuses: Iterable[Mapping[str, Any]]) -> None:
        """What was seen now; a later look of the same period takes its place."""
        turn = int(now // PERIOD_S)
        skipped = min(max(turn - self._turn, 0), KEPT) if self._turn >= 0 else 1
        self._turn = turn
        for status in statuses:
            points = self._points.get(status["number"])
            if points is None:
                points = self._points[status["number"]] = deque(maxlen=KEPT)
                points.append(_NOTHING)
            points.extend([_NOTHING] * (skipped - 1))
            point = (status["block_height"], status["finalization_lag"], status["peers"])
            if skipped:
                points.append(point)
            else:
                points[-1] = point

    def take_up(
        self,
        now: float,
        times: Sequence[float],
        validators: Mapping[Any, Mapping[str, Sequence[int | None]]],
        statuses: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """What was kept before the first look. times: of the samples, ascending; validators: by number, the samples of each column.

        statuses: those of now, so that nothing seems to stand still since the last sample.
        """
        if self._turn >= 0:
            return
        self._turn = int(now // PERIOD_S) - 1
        moments = [(turn + 0.5) * PERIOD_S for turn in range(self._turn - KEPT + 1, self._turn + 1)]
        places = [(bisect_right(times, moment) - 1, moment) for moment in moments]
        times = [*times, now]
        seen = {status["number"]: status for status in statuses}
        for number, columns in validators.items():
            if int(number) in seen:
                columns = {name: [*column[: len(times)], seen[int(number)][name]] for name, column in columns.items()}
            self._points[int(number)] = deque((_at(times, columns, place, moment) for place, moment in places), maxlen=KEPT)

    def progress(self, number: int) -> list[int | None]:
        """Blocks gained in each period, the newest last; not the one that still runs."""
        heights = [point[0] for point in self._points.get(number, ())]
        return [None if None in pair else max(0, pair[1] - pair[0]) for pair in pairwise(heights[:-1])]  # type: ignore[operator]

    def lag(self, number: int) -> list[int | None]:
        return [point[1] for point in self._points.get(number, ())]

    def peers(self, number: int) -> list[int | None]:
        return [point[2] for point in self._points.get(number, ())]


def _at(times: Sequence[float], columns: Mapping[str, Sequence[int | None]], place: int, moment: float) -> Point:
    """At that moment, after the sample at `place`. Heights are drawn between samples; the others stand until the next."""
    heights, after = columns["block_height"], place + 1
    if place < 0 or times[after] - times[place] > GAP_S:
        return _NOTHING
    low, high = heights[place], heights[after] if after < len(heights) else None
    span_s = times[after] - times[place]
    if low is not None and high is not None and span_s > 0:
        low += round((high - low) * (moment - times[place]) / span_s)
    return low, columns["finalization_lag"][place], columns["peers"][place]


def spark(values: Sequence[int | None], width: int, *, least_top: int = 1) -> str:
    """The newest values, one a column, from 0 to their largest or `least_top`; what is not known is a blank. Always `width` columns."""
    shown = list(values[-width:]) if width > 0 else []
    top = max((value for value in shown if value is not None), default=0)
    top = max(top, least_top, 1)
    marks = "".join(" " if value is None else BLOCKS[min(6, max(0, value) * 6 // top)] for value in shown)
    return marks.rjust(width)
