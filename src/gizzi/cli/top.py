"""`gizzi top`: the live screen."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gizzi.cli.words import settings_of, who
from gizzi.config import inside_coding_agent, is_terminal
from gizzi.errors import UsageError
from gizzi.live_screen import run_live_screen


def show_top(config: Path | None) -> int:
    """Raises UsageError where there is no terminal to draw on."""
    settings = settings_of(config, need_fleet=True)
    if not is_terminal():
        raise UsageError("gizzi top needs a terminal; `gizzi status` prints one look at the fleet anywhere")
    asyncio.run(run_live_screen(settings, by=who(), may_answer=not inside_coding_agent()))
    return 0
