"""`gizzi models`: the catalogue, and what of it can be reached."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from gizzi import registry
from gizzi.cli.terminal import grid, print_json, show, text
from gizzi.clock import LiveClock
from gizzi.config import load
from gizzi.models.merge import catalogue_of

HEADS = ("model", "tier", "in", "out", "checked", "retired", "reachable")
LEGEND = "in, out: US$ per million tokens. checked: the day the price was looked up. retired: the day from which requests fail."


def show_models(config: Path | None, *, as_json: bool) -> int:
    settings = load(config)
    today = datetime.fromtimestamp(LiveClock().now(), UTC).date()
    catalogue = catalogue_of(settings, registry.load(settings), today)
    rows = catalogue.as_json(catalogue.reachability(settings), today)
    if as_json:
        print_json(rows)
        return 0
    show(grid([[Text(head, "dim") for head in HEADS], *(_row(row) for row in rows)], indent=0))
    show(
        Text(),
        Text(LEGEND, "dim"),
    )
    return 0


def _row(row: dict[str, Any]) -> list[Text]:
    price = row["price"]
    prices = [price["input"], price["output"]] if price else ["unknown", "unknown"]
    style = "" if row["reachable"] else "dim"
    return [
        text(row["model"], "bold" if row["reachable"] else "dim", 80),
        Text(row["tier"], style),
        *(Text(part, style if price else "dark_orange") for part in prices),
        Text(row["checked"] or "–", "dim"),
        Text(row["retired"] or "–", "dim"),
        Text("yes", "green") if row["reachable"] else text(row["why_not"], "dim", 100),
    ]
