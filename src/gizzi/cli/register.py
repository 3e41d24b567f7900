"""`gizzi tune register`: a fine-tuned model as a row of its own, once it was compared with its base on our question set."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gizzi import registry
from gizzi.cli.init import toml_text
from gizzi.cli.new_model import NewModel, free_place, new_model, write_row
from gizzi.cli.terminal import grid, print_json, say, show, text
from gizzi.cli.words import settings_of
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.errors import UsageError
from gizzi.models.catalogue import price_json
from gizzi.models.exam import examine
from gizzi.models.merge import catalogue_of
from gizzi.models.model import Model

SHOWN = {
    "answered": "answered",
    "failed": "failed",
    "does_not_know": "says it does not know",
    "median_s": "median, s",
    "tokens_in": "tokens in",
    "tokens_out": "tokens out",
    "cost_usd": "US$",
}


def register(
    config: Path | None, name: str, *, base: str, provider: str | None, tier: str | None, price: str | None, anyway: bool, as_json: bool
) -> int:
    """Returns 1, with nothing written, where the two could not be compared and `anyway` is not said. Raises UsageError, ConfigError."""
    settings = settings_of(config)
    today = datetime.fromtimestamp(LiveClock().now(), UTC).date()
    before = catalogue_of(settings, registry.load(settings), today)
    of = before.find(base)
    new = new_model(settings, row_of(f"{provider or of.provider}/{name}", of.id, tier or of.tier, price, today.isoformat()))
    place = free_place(settings, new.model)
    compared = [asyncio.run(_asked(settings, new, model)) for model in (new.model, new.catalogue.models[of.id])]
    lacking = [f"{one['model']} was {one['evaluation']}" for one in compared if isinstance(one["evaluation"], str)]
    done = anyway or not lacking
    if done:
        write_row(place, new)
    if as_json:
        file = str(place) if done else None
        print_json({"model": new.model.id, "base": of.id, "registered": done, "file": file, "comparison": compared, "lacking": lacking})
    else:
        show(*_page(compared))
        print(f"{place} is written; `gizzi models` shows {new.model.id}" if done else "nothing was written; --anyway adds it all the same")
    for why in lacking:
        say(why)
    return 0 if done else 1


def row_of(model: str, base: str, tier: str, price: str | None, today: str) -> str:
    """As TOML, whatever the names hold. price: "IN/OUT"; None where nobody said it. Raises UsageError."""
    lines = [f"[models.{toml_text(model)}]", f"tier = {toml_text(tier)}", f"base = {toml_text(base)}"]
    if price is not None:
        into, out_of = _amounts(price)
        lines.append(f"price = {{ input = {into:f}, output = {out_of:f}, checked = {today} }}")
    return "\n".join(("# A fine-tuned model, added by `gizzi tune register`.", *lines, ""))


def _amounts(price: str) -> tuple[Decimal, Decimal]:
    try:
        into, out_of = map(Decimal, price.split("/"))
    except (InvalidOperation, ValueError):
        into = out_of = Decimal(-1)
    if not (into.is_finite() and out_of.is_finite() and into >= 0 and out_of >= 0 and len(price) < 40 and "e" not in price.lower()):
        raise UsageError(f"--price {price[:40]!r} is no price; write US$ per million tokens of input and of output, such as 0.60/3.00")
    return into, out_of


async def _asked(settings: Settings, new: NewModel, model: Model) -> dict[str, Any]:
    say(f"asking {model.id} our question set ...")
    found = await examine(settings, new.registry, model, new.catalogue.reachability(settings))
    price = None if model.price is None else price_json(model.price)
    return {"model": model.id, "tier": model.tier, "price": price, "evaluation": found}


def _page(compared: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    heads = [Text(), *(text(one["model"], "bold", 60) for one in compared)]
    rows = [[Text("US$ a million tokens", "dim"), *(text(_price(one["price"])) for one in compared)]]
    for key, word in SHOWN.items():
        found = [one["evaluation"] if isinstance(one["evaluation"], Mapping) else {} for one in compared]
        rows.append([Text(word, "dim"), *(text(str(it.get(key, "–"))) for it in found)])
    return [grid([heads, *rows], indent=0)]


def _price(price: Mapping[str, str] | None) -> str:
    return "unknown" if price is None else f"{price['input']} in, {price['output']} out"
