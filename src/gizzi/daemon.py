"""The long-running process: the loop, and the faces that answer while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from gizzi.api.serve import ApiServer
from gizzi.app import App
from gizzi.config import Settings
from gizzi.engine.limits import open_files_check
from gizzi.errors import GizziError
from gizzi.serving.people import people_of
from gizzi.web.pages import create_pages

log = structlog.get_logger("gizzi")


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
    try:
        await app.claim()
        await app.say_api(api.url)
        app.responder.runs.load()
        async with asyncio.TaskGroup() as group:
            group.create_task(app.run())
            group.create_task(api.run(listening))
    except BaseExceptionGroup as failures:
        known = failures.subgroup(GizziError)
        while known is not None and isinstance(known.exceptions[0], BaseExceptionGroup):
            known = known.exceptions[0]
        raise (known.exceptions[0] if known else failures) from None
    finally:
        api.close()
