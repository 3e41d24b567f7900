"""`gizzi incident ID --postmortem`: Markdown from the facts; a model may phrase its summary."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gizzi.cli.terminal import clean, say
from gizzi.cli.words import settings_of, store_exists
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.desk import Desk
from gizzi.engine.postmortem.facts import Facts, gather
from gizzi.engine.postmortem.page import render
from gizzi.engine.postmortem.phrased import ASK, checked
from gizzi.errors import GizziError, NotFound, UsageError
from gizzi.models.router import Router
from gizzi.store import Store, open_store


def write_postmortem(config: Path | None, name: str, *, out: Path | None, phrase: bool, model: str | None) -> int:
    """To the file, or to standard output. Raises NotFound, UsageError."""
    settings = settings_of(config)
    if not store_exists(settings.store.url):
        raise NotFound(f"there is no incident {name}: the store does not exist yet; start with `gizzi watch`")
    page = asyncio.run(_page(settings, name, phrase or model is not None, model))
    if out is None:
        sys.stdout.write(page)
        return 0
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}") from None
    print(f"wrote {clean(out)}")
    return 0


async def _page(settings: Settings, name: str, phrase: bool, model: str | None) -> str:
    store = open_store(settings.store.url)
    try:
        clock = LiveClock()
        facts = await gather(Desk(store, clock), ActionDesk(store, clock), clock, settings.network.name, name)
        if not phrase:
            return render(facts)
        summary, note = await _phrased(settings, store, facts, model)
    finally:
        store.close()
    say(note or "")
    return render(facts, summary, note)


async def _phrased(settings: Settings, store: Store, facts: Facts, model: str | None) -> tuple[str | None, str | None]:
    """The model's summary where it holds, and what to say about it."""
    page = render(facts)
    try:
        async with Router(settings, statuses=_nothing, store=store) as router:
            fenced = page.replace("<", "\\u003c")
            answer = await router.ask(f"{ASK}\n<data>\n{fenced}\n</data>", model=model, kind="postmortem")
    except (NotFound, UsageError):
        raise
    except GizziError as error:
        return None, f"No model phrased it: {error}"
    return checked(answer.response, page, facts.incident["validators"])


async def _nothing() -> Sequence[Mapping[str, Any]]:
    """The page has the facts of then; the fleet as it is now is no part of them."""
    return ()
