"""`gizzi models`: the catalogue, and what of it can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from gizzi import registry
from gizzi.cli.terminal import console, grid, print_json, show, text
from gizzi.clock import LiveClock
from gizzi.config import Settings, load
from gizzi.errors import GizziError
from gizzi.models.catalogue import Catalogue
from gizzi.models.merge import catalogue_of
from gizzi.models.model import Provider
from gizzi.models.providers import Providers

HEADS = ("model", "tier", "in", "out", "checked", "retired", "reachable")
WIDE = 110
NOT_NARROW = ("checked", "retired")
"""What a narrower terminal leaves out, so that a model stays on one line."""
LEGEND = "in, out: US$ per million tokens. checked: the day the price was looked up. retired: the day from which requests fail."


NOT_CONFIGURED = "found there, not configured; name it in [tiers]"


def show_models(config: Path | None, *, as_json: bool) -> int:
    settings = load(config)
    today = datetime.fromtimestamp(LiveClock().now(), UTC).date()
    catalogue = catalogue_of(settings, registry.load(settings), today)
    rows = catalogue.as_json(catalogue.reachability(settings), today)
    installed, logins = asyncio.run(_asked(catalogue, settings, rows))
    rows = with_logins(with_installed(rows, catalogue, installed), logins)
    if as_json:
        print_json(rows)
        return 0
    screen = console()
    lines = [[Text(head, "dim") for head in HEADS], *(_row(row) for row in rows)]
    if screen.is_terminal and screen.width < WIDE:
        lines = [[cell for head, cell in zip(HEADS, line, strict=True) if head not in NOT_NARROW] for line in lines]
    show(grid(lines, indent=0))
    show(
        Text(),
        Text(LEGEND, "dim"),
    )
    return 0


async def _asked(
    catalogue: Catalogue, settings: Settings, rows: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, list[str]], dict[str, str | None]]:
    """By provider, the models that each Ollama server has, those left out that do not answer; by model, why Claude Code asks nobody."""
    providers = Providers(lambda provider: settings.secret(provider.key_env or "", provider.key_file))
    started = [row for row in rows if row["reachable"] and catalogue.providers[row["provider"]].api == "claude-code"]
    try:
        installed = await _installed(catalogue, providers)
        logins = {
            row["model"]: await providers.login(catalogue.providers[row["provider"]], catalogue.models[row["model"]]) for row in started
        }
    finally:
        await providers.close()
    return installed, logins


async def _installed(catalogue: Catalogue, providers: Providers) -> dict[str, list[str]]:
    asked = [provider for provider in catalogue.providers.values() if provider.api == "ollama"]

    async def names_of(provider: Provider) -> list[str] | None:
        try:
            return await providers.installed(provider)
        except GizziError:
            return None

    answers = await asyncio.gather(*map(names_of, asked))
    return {provider.name: names for provider, names in zip(asked, answers, strict=True) if names is not None}


def with_installed(rows: list[dict[str, Any]], catalogue: Catalogue, installed: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The rows, each of a server that was asked with whether it has the model, and one more for each model that no row speaks of."""
    names = {row["model"]: catalogue.models[row["model"]].name for row in rows}
    shown = [{**row, "configured": True} for row in rows]
    for row in shown:
        has = installed.get(row["provider"])
        if row["reachable"] and has is not None and not {names[row["model"]], f"{names[row['model']]}:latest"} & set(has):
            row |= {"reachable": False, "why_not": f"the server does not have it; run: ollama pull {names[row['model']]}"}
    for provider, has in installed.items():
        known = {called for model, called in names.items() if model.startswith(f"{provider}/")}
        for name in has:
            if name not in known and name.removesuffix(":latest") not in known:
                shown.append(_found(catalogue.providers[provider], name))
    return shown


def with_logins(rows: Sequence[dict[str, Any]], logins: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """The rows, where a program without a login cannot be reached."""
    return [{**row, "reachable": False, "why_not": why} if (why := logins.get(row["model"])) else row for row in rows]


def _found(provider: Provider, name: str) -> dict[str, Any]:
    blank = dict.fromkeys(("tier", "price", "checked", "retired", "context_tokens"))
    more = {"serves": [], "capabilities": [], "reachable": False, "why_not": NOT_CONFIGURED, "local": provider.local}
    return {"model": f"{provider.name}/{name}", "provider": provider.name, **blank, **more, "where": provider.url, "configured": False}


def _row(row: dict[str, Any]) -> list[Text]:
    price = row["price"]
    prices = [price["input"], price["output"]] if price else ["unknown", "unknown"]
    style = "" if row["reachable"] else "dim"
    return [
        text(row["model"], "bold" if row["reachable"] else "dim", 80),
        Text(row["tier"] or "–", style),
        *(Text(part, style if price else "dark_orange") for part in prices),
        Text(row["checked"] or "–", "dim"),
        Text(row["retired"] or "–", "dim"),
        Text("yes", "green") if row["reachable"] else text(row["why_not"], "dim", 100),
    ]
