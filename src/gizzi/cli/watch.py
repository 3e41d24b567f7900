"""`gizzi watch`: the daemon on this terminal or under systemd."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from pathlib import Path

import structlog

from gizzi.alerts.correlate import Change
from gizzi.app import open_app
from gizzi.cli.logs import to_stderr
from gizzi.cli.words import settings_of
from gizzi.config import Settings
from gizzi.daemon import run_daemon, token_hint
from gizzi.readers.text import one_line

log = structlog.get_logger("gizzi")

LATEST_END_S = 1.8
"""After this a clean end is no longer awaited (a plugin's thread may be stuck); what happened is in the store already."""

SWITCH_S = 0.001
"""For so long the loop waits at each call for a thread that is busy, such as one that makes forecasts; five times as long by default."""


def watch_until_stopped(config: Path | None, listen: str | None) -> int:
    """Exit code 0 once told to stop."""
    settings = settings_of(config, need_fleet=True)
    to_stderr()
    sys.setswitchinterval(SWITCH_S)
    asyncio.run(_watch(settings, listen))
    return 0


async def _watch(settings: Settings, listen: str | None) -> None:
    async with open_app(settings) as app:
        app.watch.on_change.append(_tell)
        count = len(app.watch.validators)

        def listening(url: str) -> None:
            gc.collect()
            gc.freeze()  # what is loaded by now stays: a full collection would go through all of it each time, for 0.14 s
            words = f"gizzi watches {count} validators of {settings.network.name}; status at {url}/api/network/status"
            hint = token_hint(settings) or f"its models for every OpenAI client: {url}/v1, with the token as the key"
            for line in (words, hint):
                print(one_line(line, 400), file=sys.stderr, flush=True)

        daemon = asyncio.create_task(run_daemon(app, listen, listening))
        stop_on_signals(daemon)
        try:
            await daemon
        except asyncio.CancelledError:
            log.info("stopped")


def stop_on_signals(daemon: asyncio.Task[None]) -> None:
    """End it on SIGTERM and SIGINT."""

    def stop() -> None:
        daemon.cancel()
        end = threading.Timer(LATEST_END_S, os._exit, (0,))
        end.daemon = True
        end.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _tell(change: Change) -> None:
    """One line for each change of an incident."""
    incident = change.incident
    level = "warning" if change.kind in ("opened", "reopened") else "info"
    getattr(log, level)(change.kind, incident=f"inc-{incident.id}", severity=incident.severity, rule=incident.rule, text=change.text)
