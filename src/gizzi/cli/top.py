"""`gizzi top`: the live screen."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gizzi.cli.words import settings_of, who
from gizzi.config import Settings, inside_coding_agent, is_terminal
from gizzi.errors import UsageError
from gizzi.tui.feed import open_feed
from gizzi.tui.top import Top


def show_top(config: Path | None) -> int:
    """Raises UsageError where there is no terminal to draw on."""
    settings = settings_of(config, need_fleet=True)
    if not is_terminal():
        raise UsageError("gizzi top needs a terminal; `gizzi status` prints one look at the fleet anywhere")
    asyncio.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    async with open_feed(settings) as feed:
        top = Top(settings, feed, by=who(), may_answer=not inside_coding_agent())
        await top.run_async()
        if top.fault is not None:
            raise top.fault
