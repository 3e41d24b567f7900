"""`gizzi worker`: an extra process that carries out runs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

from gizzi.app import open_app
from gizzi.cli.logs import to_stderr
from gizzi.cli.terminal import say
from gizzi.cli.watch import stop_on_signals
from gizzi.cli.words import settings_of
from gizzi.config import Settings

log = structlog.get_logger("gizzi")


def work_until_stopped(config: Path | None) -> int:
    """Exit code 0 once told to stop."""
    settings = settings_of(config, need_fleet=True)
    to_stderr()
    asyncio.run(_work(settings))
    return 0


async def _work(settings: Settings) -> None:
    async with open_app(settings, helping=True) as app:
        working = asyncio.create_task(app.help_out())
        stop_on_signals(working)
        await asyncio.wait({working}, timeout=0.2)
        if not working.done():
            say(f"gizzi worker {os.getpid()} carries out runs for whoever watches with {app.store.shown_url}")
        try:
            await working
        except asyncio.CancelledError:
            log.info("stopped")
