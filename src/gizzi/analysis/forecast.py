"""What will break, and when, of each validator and chain: `forecast`. Where the history is too short, it says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gizzi.analysis.report import Finding, Severity, evidence, report
from gizzi.analysis.trend import Point, TooShort, Trend, Value, trend_of
from gizzi.clock import duration_text

What = Literal["disk", "peers", "lag", "finality", "spend"]
MEANING: dict[What, tuple[bool, float | None, str]] = {
    "disk": (False, 0.0, "free bytes"),
    "peers": (False, 3.0, "peers"),
    "lag": (True, 100.0, "blocks behind"),
    "finality": (True, 10.0, "blocks not final"),
    "spend": (True, None, "US$ spent"),
}
"""Whether it breaks by rising, at which value if the series names none, and its unit. The limits are those of the rules."""
BREAKS: dict[What, str] = {
    "disk": "has a full disk",
    "peers": "falls to {:g} peers",
    "lag": "is {:g} blocks behind in finality",
    "finality": "has {:g} blocks that are not final",
    "spend": "have cost US$ {:g} this month",
}
"""What happens at the limit, as a sentence about the subject."""
_URGENT_S, _SOON_S = 6 * 3600.0, 2 * 86400.0
_LOOKS = 240
_PACE_REACH = 10.0
"""A mere pace is told for so many times the history, without an interval."""


@dataclass(frozen=True, slots=True)
class Series:
    """subject: such as "validator 6" or "chain flare". points: (epoch seconds, value). limit: where it breaks; None: as in MEANING."""

    subject: str
    what: What
    points: Sequence[Point]
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """Seconds count from the last point. likely_s: when the trend meets the limit; None where it goes the other way, or too slowly to say.

    soonest_s, latest_s: within these with a probability of four fifths; None: not within `reach_s`, as far as it looks ahead. end: the
    value expected there. sure: whether that leaves out with the same probability that nothing changes, or turns. at: when the last point
    was seen, epoch seconds. past_error: the median error of the same forecast, made at `tests` earlier times. unknown: why nothing of
    this is known.
    """

    subject: str
    what: What
    limit: float
    at: float | None = None
    now: float | None = None
    per_day: float | None = None
    likely_s: float | None = None
    soonest_s: float | None = None
    latest_s: float | None = None
    reach_s: float | None = None
    end: Value | None = None
    sure: bool = False
    past_error: float | None = None
    tests: int = 0
    unknown: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def left_s(self, now: float) -> float | None:
        """Seconds from now until it breaks; None where that is not surely coming, or has come already."""
        if not self.sure or not self.likely_s or self.at is None:
            return None
        return max(0.0, self.at + self.likely_s - now)

    def text(self) -> str:
        """In one line, for a person."""
        if self.unknown:
            return f"{self.subject}, {self.what}: unknown: {self.unknown}"
        breaks = BREAKS[self.what].format(self.limit)
        if self.likely_s == 0:
            return f"{self.subject} {breaks} already"
        if self.likely_s is None and self.soonest_s is None:
            return f"{self.subject} does not come so far within {_span(self.reach_s)} that it {breaks}"
        when = "perhaps" if self.likely_s is None else f"in about {duration_text(self.likely_s)}"
        return f"{self.subject} {breaks} {when} ({self.between()})"

    def between(self) -> str:
        """The interval, in words."""
        soonest = f"not before {duration_text(self.soonest_s)}" if self.soonest_s is not None else f"not within {_span(self.reach_s)}"
        latest = f"by {duration_text(self.latest_s)} at the latest" if self.latest_s is not None else "perhaps much later"
        return f"{soonest}, {latest}; 80 %"


@dataclass(frozen=True, slots=True)
class ForecastReport:
    """outlooks: what breaks first, first; then what does not, then what is unknown."""

    outlooks: tuple[Outlook, ...]
    findings: tuple[Finding, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(outlook.text() for outlook in self.outlooks if outlook.unknown)

    def as_json(self) -> dict[str, Any]:
        return {"outlooks": [o.as_json() for o in self.outlooks], "findings": [one.as_json() for one in self.findings]}


def forecast(series: Sequence[Series]) -> ForecastReport:
    """Every series' outlook, and a finding for each that meets its limit within the reach."""
    outlooks = sorted((outlook(one) for one in series), key=_urgency)
    return ForecastReport(tuple(outlooks), report(f for o in outlooks if (f := finding(o)) is not None).findings)


def outlook(series: Series) -> Outlook:
    rising, usual, _ = MEANING[series.what]
    limit = series.limit if series.limit is not None else usual
    if limit is None:
        return Outlook(series.subject, series.what, 0.0, unknown="no limit is set")
    try:
        trend = trend_of(series.points)
    except TooShort as short:
        return Outlook(series.subject, series.what, limit, unknown=f"the history is too short: {short}")
    reach_s = trend.reach_s
    end = trend.value(trend.last_at + reach_s)
    worst: Callable[[Value], float] = (lambda v: v.high) if rising else (lambda v: v.low)
    best: Callable[[Value], float] = (lambda v: v.low) if rising else (lambda v: v.high)
    return Outlook(
        series.subject,
        series.what,
        limit,
        at=trend.last_at,
        now=trend.level,
        per_day=trend.slope * 86400,
        likely_s=_pace(trend, limit, rising),
        soonest_s=_meets(trend, limit, rising, worst),
        latest_s=_meets(trend, limit, rising, best),
        reach_s=reach_s,
        end=end,
        sure=end.low > trend.level if rising else end.high < trend.level,
        past_error=trend.past_error,
        tests=trend.tests,
    )


def outlook_of(raw: Mapping[str, Any]) -> Outlook:
    """What `as_json` gave."""
    return Outlook(**{**raw, "end": None if raw["end"] is None else Value(**raw["end"])})


def coming(outlooks: Iterable[Outlook], now: float, within_s: float) -> list[Outlook]:
    """Those that surely come within that time, the next first."""
    left = [(left_s, found.subject, found.what, found) for found in outlooks if (left_s := found.left_s(now)) is not None]
    return [found for left_s, *_, found in sorted(left, key=lambda one: one[:3]) if left_s <= within_s]


def _pace(trend: Trend, limit: float, rising: bool) -> float | None:
    left = limit - trend.level if rising else trend.level - limit
    speed = trend.slope if rising else -trend.slope
    if left <= 0:
        return 0.0
    if speed <= 0 or left > speed * trend.reach_s * 2 * _PACE_REACH:
        return None
    return left / speed


def _meets(trend: Trend, limit: float, rising: bool, bound: Callable[[Value], float]) -> float | None:
    for look in range(_LOOKS + 1):
        ahead_s = trend.reach_s * look / _LOOKS
        value = bound(trend.value(trend.last_at + ahead_s))
        if value >= limit if rising else value <= limit:
            return ahead_s
    return None


def _urgency(found: Outlook) -> tuple[bool, float, float, str, str]:
    never = float("inf")
    likely = never if found.likely_s is None else found.likely_s
    return bool(found.unknown), likely, never if found.soonest_s is None else found.soonest_s, found.subject, found.what


def finding(found: Outlook) -> Finding | None:
    """Where the limit is met within the reach."""
    if found.likely_s is None or found.reach_s is None or found.likely_s > found.reach_s:
        return None
    soon = found.likely_s
    severity: Severity = "high" if soon <= _URGENT_S else "medium" if soon <= _SOON_S else "low"
    unit = MEANING[found.what][2]
    quote = f"{found.now:.6g} {unit} now, {found.per_day:+.6g} a day; half of {found.tests} past forecasts erred by more than"
    quotes = (evidence(f"{found.subject}/{found.what}", f"{quote} {found.past_error:.3g}"),)
    return Finding(f"{found.what}_forecast", severity, found.subject, found.text(), quotes)


def _span(span_s: float | None) -> str:
    return duration_text(span_s or 0.0)
