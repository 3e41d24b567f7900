"""Charts as SVG, drawn here: a line with its gaps, incidents as bands behind it. No style attributes: pages forbid them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

WIDTH, HEIGHT = 420, 156
LEFT, RIGHT, TOP, BOTTOM = 8, 78, 24, 22
GAP_S = 45.0
"""Samples further apart than this are not joined."""
ENDS = (("start", 0.0), ("middle", 0.5), ("end", 1.0))


@dataclass(frozen=True, slots=True)
class Band:
    """An incident. until: None while it is open."""

    name: str
    at: float
    until: float | None


def chart(
    title: str, points: Sequence[tuple[float, float | None]], bands: Sequence[Band], *, from_zero: bool = True, gap_s: float = GAP_S
) -> Markup:
    """points: (epoch seconds, value), oldest first; None where nothing was known."""
    known = [value for _, value in points if value is not None]
    if len(points) < 2 or not known:
        return Markup('<p class="dim">{}: nothing has been seen for long enough to draw.</p>').format(title)
    low, high = (min(0.0, *known) if from_zero else min(known)), max(known)
    scale = _Scale(points[0][0], points[-1][0], low, high if high > low else low + 1)
    parts = [_bands(bands, scale), _axis(scale), _lines(points, scale, gap_s), _last(points, scale)]
    told = f"{title}: {_text(points[-1][1])} now, from {_text(min(known))} to {_text(max(known))}"
    names = ", ".join(band.name for band in bands if scale.shows(band))
    unseen = Markup('<span class="visually-hidden">; incidents {}</span>').format(names) if names else Markup("")
    figure = '<figure class="chart"><figcaption>{}{}</figcaption><svg viewBox="0 0 {} {}" aria-hidden="true">{}</svg></figure>'
    return Markup(figure).format(told, unseen, WIDTH, HEIGHT, Markup("").join(parts))


@dataclass(frozen=True, slots=True)
class _Scale:
    begin: float
    end: float
    low: float
    high: float

    def x(self, at: float) -> float:
        share = (at - self.begin) / max(1.0, self.end - self.begin)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM), 1)

    def shows(self, band: Band) -> bool:
        return band.at <= self.end and (band.until is None or band.until >= self.begin)


def _bands(bands: Sequence[Band], scale: _Scale) -> Markup:
    shapes, free_at = [], 0.0
    for band in sorted((band for band in bands if scale.shows(band)), key=lambda band: band.at):
        left, right = scale.x(band.at), scale.x(band.until if band.until is not None else scale.end)
        shape = Markup('<rect class="band" x="{}" y="{}" width="{}" height="{}"/><line class="edge" x1="{}" x2="{}" y1="{}" y2="{}"/>')
        shapes.append(shape.format(left, TOP - 8, max(2.0, right - left), HEIGHT - TOP - BOTTOM + 8, left, left, TOP - 8, HEIGHT - BOTTOM))
        if left >= free_at:  # names do not lie on each other
            shapes.append(Markup('<text class="name" x="{}" y="{}">{}</text>').format(left + 4, TOP - 10, band.name))
            free_at = left + 64
    return Markup("").join(shapes)


def _axis(scale: _Scale) -> Markup:
    shapes = []
    for value in (scale.low, scale.high):
        shape = '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>'
        at_y = scale.y(value)
        shapes.append(Markup(shape).format(LEFT, WIDTH - RIGHT, at_y, at_y, WIDTH - RIGHT + 8, at_y + 4, _text(value)))
    for anchor, share in ENDS:
        at = scale.begin + share * (scale.end - scale.begin)
        words = datetime.fromtimestamp(at, UTC).strftime("%H:%M")
        shapes.append(Markup('<text class="tick" text-anchor="{}" x="{}" y="{}">{}</text>').format(anchor, scale.x(at), HEIGHT - 5, words))
    return Markup("").join(shapes)


def _lines(points: Sequence[tuple[float, float | None]], scale: _Scale, gap_s: float) -> Markup:
    runs: list[list[tuple[float, float]]] = [[]]
    before = points[0][0]
    for at, value in points:
        if value is None or at - before > gap_s:
            runs.append([])
        if value is not None:
            runs[-1].append((scale.x(at), scale.y(value)))
        before = at
    shape = Markup('<polyline class="line" points="{}"/>')
    return Markup("").join(shape.format(" ".join(f"{x},{y}" for x, y in (run if len(run) > 1 else run * 2))) for run in runs if run)


def _last(points: Sequence[tuple[float, float | None]], scale: _Scale) -> Markup:
    at, value = points[-1]
    return Markup("") if value is None else Markup('<circle class="last" cx="{}" cy="{}" r="3.5"/>').format(scale.x(at), scale.y(value))


def _text(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
