"""`gizzi status`: one look at the whole fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gizzi.app import look_once
from gizzi.cli.status_table import fleet_page
from gizzi.cli.terminal import console, print_json, show
from gizzi.cli.words import settings_of
from gizzi.config import Settings


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
