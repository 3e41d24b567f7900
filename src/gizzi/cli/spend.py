"""`gizzi costs`: what models cost this month, on what, what is left, and where it leads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from gizzi import registry as registries
from gizzi.cli.terminal import clean, grid, heading, print_json, say, show, text
from gizzi.cli.words import settings_of, store_exists
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.errors import UsageError
from gizzi.models.budget import shown_usd
from gizzi.models.merge import catalogue_of
from gizzi.models.model import Model
from gizzi.models.report import BY, By, costs_by, frontier_of
from gizzi.store import open_store

IN_MEMORY = "sqlite://"


def show_costs(config: Path | None, by: str, as_json: bool) -> int:
    """Raises UsageError where `by` is not one of those there are."""
    chosen = next((word for word in BY if word == by), None)
    if chosen is None:
        raise UsageError(f"--by: {clean(by, 60)!r} is none of {', '.join(BY)}")
    settings = settings_of(config)
    report = asyncio.run(_read(settings, chosen))
    if as_json:
        print_json(report)
    else:
        show(*_page(report, chosen))
    return 0


async def _read(settings: Settings, by: By) -> dict[str, Any]:
    url = settings.store.url
    if not store_exists(url):
        say(f"the store {url.removeprefix('sqlite:///')} does not exist yet: no model was asked")
        url = IN_MEMORY
    now = LiveClock().now()
    store = open_store(url)
    try:
        return await costs_by(store, by, now=now, budget=settings.budget, frontier=_frontier(settings, now))
    finally:
        store.close()


def _frontier(settings: Settings, now: float) -> Model | None:
    """The first model of the frontier tier that is not retired and has a price; None without one."""
    today = datetime.fromtimestamp(now, UTC).date()
    catalogue = catalogue_of(settings, registries.load(settings), today)
    return frontier_of(catalogue, today)


def _page(report: Mapping[str, Any], by: By) -> list[RenderableType]:
    total, budget, forecast = report["total"], report["budget"], report["forecast"]
    parts: list[RenderableType] = [heading(f"Models from {report['from']} to {report['to']}: {_cost(total)} for {_calls(total['calls'])}")]
    if report["rows"]:
        header = [text(word, "dim") for word in (by, "cost", "calls", "tokens in", "tokens out", "")]
        parts.append(grid([header, *([*map(text, _cells(row, by))] for row in report["rows"])]))
    facts = [
        ("today", f"{_usd(budget['day_left_usd'])} left of {_usd(budget['day_usd'])}"),
        ("month", f"{_usd(budget['month_left_usd'])} left of {_usd(budget['month_usd'])}"),
        ("kept", f"{_usd(budget['kept_for_critical']['day_usd'])} of a day for critical work alone"),
        ("forecast", f"{_usd(forecast['month_usd'])} this month: {forecast['how']}"),
    ]
    facts += [(f"{name} today", f"{_usd(usd)} left") for name, usd in budget["tiers_left_today_usd"].items()]
    facts += [(f"{name} today", f"{_usd(usd)} left") for name, usd in budget["roles_left_today_usd"].items()]
    if report["open"]["calls"]:
        facts.append(("open", f"{_calls(report['open']['calls'])} at an estimate of {_usd(report['open']['estimate_usd'])}"))
    if report["always_frontier"] and total["calls"]:
        always = report["always_frontier"]
        facts.append(("always frontier", f"{_usd(always['cost_usd'])}: {always['how']} ({always['model']})"))
    return [*parts, "", grid([text(name, "dim"), text(said)] for name, said in facts)]


def _cells(row: Mapping[str, Any], by: By) -> list[str]:
    tokens = row["tokens"]
    notes = [f"{row['unknown_cost_calls']} of unknown cost"] if row["unknown_cost_calls"] else []
    notes += [f"{row['estimated_calls']} estimated"] if row["estimated_calls"] else []
    return [row[by] or "none", _cost(row), str(row["calls"]), str(tokens["input"]), str(tokens["output"]), ", ".join(notes)]


def _cost(sums: Mapping[str, Any]) -> str:
    """The amount; beside calls whose cost nobody knows it is only part of what they cost."""
    if sums["cost_usd"] is None:
        return "unknown"
    return f"{_usd(sums['cost_usd'])} + unknown" if sums["unknown_cost_calls"] else _usd(sums["cost_usd"])


def _usd(amount: str) -> str:
    return shown_usd(Decimal(amount))


def _calls(count: int) -> str:
    return f"{count} call" if count == 1 else f"{count} calls"
