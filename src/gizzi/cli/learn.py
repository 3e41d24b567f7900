"""`gizzi feedback` and `gizzi learn train`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gizzi import registry
from gizzi.cli.terminal import clean, grid, heading, print_json, say, show, text
from gizzi.cli.words import settings_of, store_exists
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.errors import NotFound, UsageError
from gizzi.models.learning import learn, outcomes_of
from gizzi.models.merge import load_catalogue
from gizzi.models.outcomes import Outcomes
from gizzi.models.train import Outcome
from gizzi.store import open_store

VERDICTS = {"good": True, "bad": False}


def give_feedback(config: Path | None, answer: str, verdict: str) -> int:
    """Raises UsageError, NotFound."""
    if verdict not in VERDICTS:
        raise UsageError(f"{clean(verdict, 40)!r} is neither good nor bad")
    settings = settings_of(config)
    if not store_exists(settings.store.url):
        raise NotFound(f"there is no answer {clean(answer, 40)!r}: the store does not exist yet, so no model was asked")
    store = open_store(settings.store.url)
    try:
        model = asyncio.run(Outcomes(store, LiveClock()).judge(answer, VERDICTS[verdict]))
    finally:
        store.close()
    show(text(f"noted: {verdict}, an answer of {model}"))
    return 0


def train(config: Path | None, file: Path | None, *, weak: str | None, strong: str | None, model: str | None, as_json: bool) -> int:
    settings = settings_of(config)
    today = datetime.fromtimestamp(LiveClock().now(), UTC).date()
    catalogue = load_catalogue(settings, registry.load(settings).model_rows, today=today)
    only = catalogue.find(model).id if model else None
    if file is None and (weak or strong):
        raise UsageError("--weak and --strong name the columns of a file; say --from FILE")
    found = _judged(settings) if file is None else outcomes_of(file, catalogue, weak, strong)
    say(f"learning from {len(found):,} outcomes ...")
    report = learn(settings, catalogue, found, only)
    if as_json:
        print_json(report)
    else:
        show(*_page(report, settings))
    return 0


def _judged(settings: Settings) -> Sequence[Outcome]:
    if not store_exists(settings.store.url):
        return []
    store = open_store(settings.store.url)
    try:
        return asyncio.run(Outcomes(store, LiveClock()).judged())
    finally:
        store.close()


def _page(report: Mapping[str, Any], settings: Settings) -> list[RenderableType]:
    rows = [[Text(word, "dim") for word in ("model", "tier", "outcomes", "right", "")]]
    for row in report["models"]:
        read = "its answers are read too" if row["answers_read"] else ""
        rows.append([text(row["model"]), text(row["tier"]), text(f"{row['outcomes']:,}"), text(f"{row['right']:.0%}"), text(read, "dim")])
    parts: list[RenderableType] = [heading(clean(f"Learned, and written to {report['file']}", 1000)), grid(rows)]
    for pair in report["pairs"]:
        kept = f"to keep {report['quality']:.0%} of what {pair['strong']} answers rightly"
        parts.append(text(f"{kept}, {pair['share_to_strong']:.0%} of calls go to it, not to {pair['weak']}"))
    parts += [text(f"not learned: {one['model']}: {one['why']}", "dim") for one in report["skipped"]]
    if "learned" not in settings.routing.strategies:
        parts.append(text('nothing asks it yet: put "learned" into [routing] strategies', "dark_orange"))
    return parts
