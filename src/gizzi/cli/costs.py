"""`gizzi costs project`: what a mix of tiers would cost in a month."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from gizzi import registry
from gizzi.cli.terminal import grid, print_json, show, text
from gizzi.clock import LiveClock
from gizzi.config import load
from gizzi.models.budget import shown_usd
from gizzi.models.merge import catalogue_of
from gizzi.models.project import ASSUMED, DAYS, QUERIES_PER_DAY, Load, Projection, project, project_reference, read_mix

HEADS = ("tier", "share", "queries", "tokens in / out", "model", "US$ in / out", "a month")
TODAY = "with the models that would be chosen today"
THEN = "with the models of the first plan (2025)"


def show_projection(
    config: Path | None, mix_text: str, *, queries_per_day: int | None, tokens_in: int | None, tokens_out: int | None, as_json: bool
) -> int:
    mix = read_mix(mix_text)
    settings = load(config)
    today = datetime.fromtimestamp(LiveClock().now(), UTC).date()
    catalogue = catalogue_of(settings, registry.load(settings), today)
    tokens = {tier: (_or(tokens_in, given[0]), _or(tokens_out, given[1])) for tier, given in ASSUMED.items()}
    expected = Load(_or(queries_per_day, QUERIES_PER_DAY), tokens)
    now, then = project(catalogue, mix, expected, today), project_reference(catalogue, mix, expected)
    assumptions = _assumptions(expected, queries_per_day, tokens_in, tokens_out)
    if as_json:
        load_json = {"queries_per_day": expected.queries_per_day, "days": DAYS}
        print_json({**load_json, **now.as_json(), "reference": then.as_json(), "assumptions": assumptions})
        return 0
    for title, projection in ((TODAY, now), (THEN, then)):
        show(Text(title, "bold"), _table(projection), Text())
    show(*(text(f"assumed: {line}", "dim") for line in assumptions))
    return 0


def _or(value: int | None, other: int) -> int:
    return other if value is None else value


def _assumptions(expected: Load, queries: int | None, tokens_in: int | None, tokens_out: int | None) -> list[str]:
    lines = [f"{DAYS} days a month", "every price as it is now, nothing read from a provider's cache"]
    if queries is None:
        lines.insert(0, f"{expected.queries_per_day} queries a day; say --queries-per-day")
    if tokens_in is None or tokens_out is None:
        each = ", ".join(f"{tier} {tokens[0]} in and {tokens[1]} out" for tier, tokens in expected.tokens.items())
        lines.append(f"tokens of a query: {each}; say --tokens-in and --tokens-out")
    return lines


def _table(projection: Projection) -> Any:
    rows = [[Text(head, "dim") for head in HEADS]]
    for share in projection.shares:
        row = share.as_json()
        price = row["price"]
        rows.append(
            [
                Text(row["tier"]),
                Text(f"{row['share_percent']} %"),
                Text(row["queries"]),
                Text(f"{row['tokens_in']} / {row['tokens_out']}"),
                text(row["model"] or "none", limit=60),
                Text(f"{price['input']} / {price['output']}" if price else "unknown"),
                _money(share.cost_usd),
            ]
        )
    return grid([*rows, [Text("together", "bold"), *[Text()] * 5, _money(projection.month_usd)]])


def _money(amount: Any) -> Text:
    return Text("unknown", "dark_orange") if amount is None else Text(shown_usd(amount), "bold")
