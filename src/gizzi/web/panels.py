"""Panels as a page shows them. PURE. What a plugin drew may be any number: a chart takes only what can be written beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gizzi.web.chart import chart

LATEST_AT = 253_402_300_799.0
"""The end of the year 9999: no later time can be written."""
LARGEST = 1e15


def panel(shown: Mapping[str, Any]) -> dict[str, Any]:
    """A series is drawn; anything else the page writes."""
    drawn = chart(shown["title"], drawable(shown["value"]), [], gap_s=math.inf) if shown["kind"] == "series" else None
    return {**shown, "drawn": drawn}


def drawable(series: Sequence[Sequence[float]]) -> list[tuple[float, float | None]]:
    """In order of time, without what cannot be drawn."""
    return sorted((at, value) for at, value in series if 0 <= at <= LATEST_AT and abs(value) < LARGEST)
