"""`gizzi incidents` and `gizzi incident ID`: what happened, from the store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gizzi.cli.terminal import console, print_json, say, show
from gizzi.cli.words import opened, settings_of, store_exists
from gizzi.config import Settings
from gizzi.errors import NotFound
from gizzi.screen.incident import incident_page, list_page


def list_incidents(config: Path | None, *, only_open: bool, as_json: bool) -> int:
    settings = settings_of(config)
    if not store_exists(settings.store.url):
        found: list[dict[str, Any]] = []
        say(f"{_shown(settings)} does not exist yet: nobody has watched; start with `gizzi watch`")
    else:
        with opened(settings) as (_, desk):
            found = asyncio.run(desk.incidents(open_only=only_open))
    if as_json:
        print_json(found)
    elif found:
        show(*list_page(found, width=_width()))
    else:
        show("no open incident" if only_open else "no incident")
    return 0


def show_incident(config: Path | None, name: str, *, as_json: bool) -> int:
    settings = settings_of(config)
    if not store_exists(settings.store.url):
        raise NotFound(f"there is no incident {name}: {_shown(settings)} does not exist yet; start with `gizzi watch`")
    with opened(settings) as (_, desk):
        incident = asyncio.run(desk.incident(name))
    if as_json:
        print_json(incident)
    else:
        show(*incident_page(incident, width=_width()))
    return 0


def _width() -> int | None:
    screen = console()
    return screen.width if screen.is_terminal else None


def _shown(settings: Settings) -> str:
    return f"the store {settings.store.url.removeprefix('sqlite:///')}"
