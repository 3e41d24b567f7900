"""`gizzi status`: one look at the whole fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gizzi.app import open_app
from gizzi.cli.status_table import fleet_page
from gizzi.cli.terminal import console, print_json, show
from gizzi.cli.words import settings_of
from gizzi.clock import iso
from gizzi.config import Settings
from gizzi.engine.known import Known, known, with_known
from gizzi.store import open_store


@dataclass(frozen=True, slots=True)
class Look:
    """status: what --json prints. known: what a daemon and its store add."""

    status: dict[str, Any]
    known: Known


def show_status(config: Path | None, *, as_json: bool, check: bool) -> int:
    """Exit code 1 with `check` while any validator is critical; unknown is not healthy, but is not critical either."""
    settings = settings_of(config, need_fleet=True)
    with _waiting(settings, quietly=as_json):
        look = asyncio.run(look_once(settings))
    if as_json:
        print_json(look.status)
    else:
        screen = console()
        show(*fleet_page(look.status, look.known, width=screen.width if screen.is_terminal else None))
    critical = any(validator["health"] == "critical" for validator in look.status["validators"])
    return 1 if check and critical else 0


async def look_once(settings: Settings) -> Look:
    """Ask every validator now, and the store what a daemon has seen over time."""
    async with open_app(settings, store=open_store("sqlite://"), at_once=True) as app:
        statuses = await app.look()
        seen = {alert.key for alert in app.watch.book.alerts.values()}
        found = await known(settings.store.url, app.clock)
        validators = with_known(statuses, found.alerts, seen)
        return Look({"network": settings.network.name, "at": iso(app.clock.now()), "validators": validators}, found)


@contextmanager
def _waiting(settings: Settings, *, quietly: bool) -> Iterator[None]:
    """A word on a person's screen while the slowest validator is awaited."""
    screen = console(stderr=True)
    if quietly or not screen.is_terminal:
        yield
        return
    count = f"{len(settings.validators)} validators" if settings.validators else "the fleet"
    with screen.status(f"asking {count} …"):
        yield
