"""The long-running process: the loop, and the faces that answer while it runs."""

from __future__ import annotations

import asyncio
import faulthandler
import math
import time
from collections.abc import Callable
from typing import Any

import structlog

from gizzi.api.serve import ApiServer
from gizzi.app import App
from gizzi.config import Settings, service_manager
from gizzi.engine.limits import open_files_check
from gizzi.engine.own import own_health
from gizzi.errors import GizziError
from gizzi.readers.text import one_line
from gizzi.serving.people import people_of
from gizzi.serving.service_manager import ServiceManager
from gizzi.web.pages import create_pages

log = structlog.get_logger("gizzi")

SAID_EVERY_S = 10.0
START_S = 60
"""While it starts, the loop must turn once in so long."""


def token_hint(settings: Settings) -> str | None:
    """What to do for a token, where none is set; None where one is."""
    if people_of(settings):
        return None
    name = settings.api.token_env
    return (
        f"no token is set: nothing can be asked or changed through the API; to have one, start it again with {name} set, such as by: "
        f"export {name}=$(openssl rand -hex 24)"
    )


async def run_daemon(app: App, listen: str | None = None, listening: Callable[[str], None] | None = None) -> None:
    """Watch and answer until cancelled. listening: told the API's address once it answers.

    Raises GizziError: the address is taken, a token is missing, another Gizzi watches with the same store.
    """
    files = open_files_check(len(app.watch.validators))
    if not files["ok"]:
        log.warning("open_files", text=files["text"])
    api = ApiServer(app, listen, lambda open_reads: create_pages(app, open_reads=open_reads, panels=app.panels.shown))
    signs = SignsOfLife(app)

    def answers(url: str) -> None:
        signs.url = url
        if listening is not None:
            listening(url)

    try:
        await app.claim()
        await app.say_api(api.url)
        async with asyncio.TaskGroup() as group:
            group.create_task(signs.until_stopped())
            group.create_task(app.run())
            group.create_task(api.run(answers))
    except BaseExceptionGroup as failures:
        known = failures.subgroup(GizziError)
        while known is not None and isinstance(known.exceptions[0], BaseExceptionGroup):
            known = known.exceptions[0]
        raise (known.exceptions[0] if known else failures) from None
    finally:
        api.close()


class SignsOfLife:
    """What systemd is told, where it asks: ready once the API answers and everything was asked once; then, from the loop and nowhere else,
    that it turns, so that a loop that is stuck is missed, whatever else of the process still runs.
    """

    def __init__(self, app: App) -> None:
        address, watchdog_s = service_manager()
        self._watch = app.watch
        self._manager = ServiceManager(address)
        self._every_s = min(SAID_EVERY_S, watchdog_s / 3 if watchdog_s else math.inf)
        self._said_at = 0.0
        self._ready = False
        self.url = ""
        """Of the API, once it answers."""
        if address is not None:
            app.watch.on_turn.append(self.turned)
        if watchdog_s is not None:
            faulthandler.enable()  # systemd ends a stuck process with SIGABRT: then the journal says where it was stuck

    def turned(self) -> None:
        """The loop went round."""
        now = time.monotonic()
        if self._ready and now - self._said_at < self._every_s:
            return
        self._said_at = now
        health = own_health(self._watch)
        first = []
        if not self._ready:
            self._ready = bool(self.url) and health["status"] != "starting"
            first = ["READY=1"] if self._ready else [f"EXTEND_TIMEOUT_USEC={START_S * 1_000_000}"]
        self._manager.say(*first, "WATCHDOG=1", f"STATUS={self._status(health)}")

    def _status(self, health: dict[str, Any]) -> str:
        """One line for `systemctl status`."""
        watch = self._watch
        unwell = "" if health["status"] == "ok" else f"{health['status']}: {'; '.join(health['reasons'])}. "
        many = f"{len(watch.validators)} validators of {watch.settings.network.name}, {len(watch.correlator.open)} open incidents"
        return one_line(f"{unwell}{many}, {self.url}", 300)

    async def until_stopped(self) -> None:
        """Say so when the daemon stops, before it tidies up."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._manager.say("STOPPING=1", "STATUS=stopping")
            self._manager.close()
