"""From what was kept to the series that forecasts are made of. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median

from gizzi.analysis.forecast import Outlook, Series, What, outlook
from gizzi.analysis.trend import Point
from gizzi.engine.past.block import Stretch

MODELS = "models"
"""The subject of what is spent on models."""
COLUMNS: dict[What, str] = {"disk": "disk_free_bytes", "peers": "peers", "lag": "finalization_lag"}
"""What is foretold of each validator, and the column it is foretold from."""
LONG: tuple[What, ...] = ("disk",)
"""What goes slowly enough to be foretold from two weeks as well."""
QUARTER_S = 900
HOUR_S = 3600.0


def of_number(number: int) -> str:
    """The subject of a validator's forecasts."""
    return f"validator {number}"


def of_validator(
    number: int, day: Stretch, fortnight: Stretch | None, limits: Mapping[What, float]
) -> tuple[list[Outlook], dict[What, Outlook]]:
    """What is shown of it, and what is made from the last day alone, which shows soon how good it was.

    Of a forecast from a day and one from two weeks the one that sees something coming sooner is shown, else the longer.
    """
    shown, daily = [], {}
    for what, column in COLUMNS.items():
        seen = daily[what] = outlook(Series(of_number(number), what, day.points(column), limits.get(what)))
        if fortnight is not None and what in LONG:
            longer = outlook(Series(of_number(number), what, fortnight.points(column), limits.get(what)))
            seen = min((longer, seen), key=_soon) if not longer.unknown else seen
        shown.append(seen)
    return shown, daily


def _soon(found: Outlook) -> float:
    return found.likely_s if found.sure and found.likely_s is not None else float("inf")


def quarters(stretch: Stretch, column: str) -> dict[float, float]:
    """The median of each quarter of an hour, by its middle."""
    parts: dict[int, list[float]] = {}
    for at, value in stretch.points(column):
        parts.setdefault(int(at // QUARTER_S), []).append(value)
    return {(part + 0.5) * QUARTER_S: median(values) for part, values in parts.items()}


def of_chain(chain: str, lags: Iterable[Mapping[float, float]], limit: float | None = None) -> Series:
    """lags: each validator's finality lag by quarters of an hour. The chain's is their median."""
    together: dict[float, list[float]] = {}
    for one in lags:
        for at, value in one.items():
            together.setdefault(at, []).append(value)
    return Series(f"chain {chain}", "finality", [(at, median(values)) for at, values in sorted(together.items())], limit)


def of_spend(calls: Sequence[Point], now: float, month_usd: float) -> Series:
    """calls: (epoch seconds, US$) of each, of the last weeks. What is spent this month, by the hour; before it, below zero."""
    first, _ = _month(now)
    total = -sum(usd for at, usd in calls if at < first)
    due, points, rest = (calls[0][0] // HOUR_S + 1) * HOUR_S if calls else now + 1, [], iter([*calls, (float("inf"), 0.0)])
    at, usd = next(rest)
    while due <= now:
        while at <= due:
            total += usd
            at, usd = next(rest)
        points.append((due, total))
        due += HOUR_S
    return Series(MODELS, "spend", points, month_usd)


def this_month(found: Outlook, now: float) -> Outlook:
    """A month's budget that is met after the month is not met."""
    left_s = _month(now)[1] - (found.at or now)
    likely_s, soonest_s, latest_s = (
        None if span_s is None or span_s > left_s else span_s for span_s in (found.likely_s, found.soonest_s, found.latest_s)
    )
    return replace(found, likely_s=likely_s, soonest_s=soonest_s, latest_s=latest_s)


def _month(now: float) -> tuple[float, float]:
    """When this month began and ends, in UTC."""
    first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return first.timestamp(), following.timestamp()
