"""The API's server, inside the running loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import uvicorn

from gizzi.api.app import create_app
from gizzi.api.auth import is_loopback, tokens_of
from gizzi.api.listen import address_of, bind, url_of
from gizzi.app import App
from gizzi.errors import ConfigError

GRACE_S = 1
"""For how long answers under way may go on once it is told to stop."""
MOST_CONNECTIONS = 500


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for whoever runs the loop."""
        yield


async def serve(app: App, listen: str | None = None, listening: Callable[[str], None] | None = None) -> None:
    """Serve until cancelled. listening: told the address once it answers.

    Raises ConfigError where the address cannot be had, or lies beyond loopback and no token is set.
    """
    place = listen or app.settings.api.listen
    host, _ = address_of(place)
    if not is_loopback(host) and not tokens_of(app.settings):
        name = app.settings.api.token_env
        raise ConfigError(f"[api] listen {place!r} is open to other machines and no token is set; put one into {name}, or use 127.0.0.1")
    api = create_app(app, listen=place)
    bound = bind(place)
    server = _Server(_config(api))
    running = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        if server.started and listening is not None:
            listening(url_of(bound))
        await asyncio.shield(running)
    finally:
        server.should_exit = True
        await asyncio.wait([running], timeout=GRACE_S + 1)
        bound.close()


def _config(api: object) -> uvicorn.Config:
    return uvicorn.Config(
        api,  # type: ignore[arg-type]
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
    )
