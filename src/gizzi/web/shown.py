"""How values are written on pages. Whatever comes from outside is cut to a length, printable, and never markup."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from markupsafe import Markup

from gizzi.clock import duration_text
from gizzi.readers.text import one_line

NOTHING = "–"
SIGN: Mapping[str, str] = {"critical": "✗", "warning": "▲", "unknown": "?", "healthy": "✓"}
"""Beside the colour, for who cannot see it."""
LONGEST_BLOCK = 32_000


def line(value: object, limit: int = 200) -> str:
    return NOTHING if value is None else one_line(str(value), limit)


def block(value: object) -> str:
    """Several lines as they are."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in str(value or "")[:LONGEST_BLOCK])


def number(value: float | None) -> str:
    """Fractions with four digits at most."""
    if value is None or isinstance(value, int):
        return NOTHING if value is None else f"{value:,}"
    return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:.4g}"


def words(value: object) -> str:
    """A name of ours as people write it: not_resolved, "not resolved"."""
    return NOTHING if value is None else one_line(str(value).replace("_", " "), 80)


def usd(value: object) -> str:
    """Cents; more digits below a cent."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return "unknown"
    minus, size = "−" if amount < 0 else "", abs(amount)
    return f"{minus}${size:,.2f}" if size == 0 or size >= Decimal("0.01") else f"{minus}${size:.4f}"


def when(at: str | None) -> Markup:
    """The time of day in UTC; with the date where it is not `today`'s: see `at_day`."""
    if at is None:
        return Markup(NOTHING)
    moment = datetime.fromisoformat(at).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at, moment.strftime("%H:%M:%S UTC"))


def day(at: str | None) -> Markup:
    if at is None:
        return Markup(NOTHING)
    moment = datetime.fromisoformat(at).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at, moment.strftime("%Y-%m-%d %H:%M UTC"))


def epoch(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def lasted(from_at: str, to_at: str | None, now: float) -> str:
    """For how long: "4 min"."""
    return duration_text(max(0.0, (epoch(to_at) if to_at else now) - epoch(from_at)))


def health(word: str) -> Markup:
    """The sign and the word."""
    shown = Markup('<span class="health {}"><span class="sign" aria-hidden="true">{}</span> {}</span>')
    return shown.format(word, SIGN.get(word, "?"), word)


def of_gizzi(sentence: str) -> str:
    """The sentence beside the label Gizzi: "Gizzi wants to …" becomes "Wants to …"."""
    rest = sentence.removeprefix("Gizzi ")
    return rest[:1].upper() + rest[1:]


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


FILTERS: Mapping[str, Any] = {
    "line": line,
    "block": block,
    "number": number,
    "words": words,
    "usd": usd,
    "when": when,
    "day": day,
    "health": health,
    "count": count,
    "of_gizzi": of_gizzi,
}
__all__ = ["FILTERS", "NOTHING", "SIGN", "count", "epoch", "lasted", "line"]
