"""The API's server, inside the running loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from gizzi.api.app import create_app
from gizzi.api.errors import LastResort
from gizzi.api.listen import address_of, bind, url_of
from gizzi.app import App
from gizzi.errors import ConfigError
from gizzi.serving.people import is_loopback, people_of

GRACE_S = 1
"""For how long answers under way may go on once it is told to stop."""
MOST_CONNECTIONS = 1200
API_PATHS = ("/api/", "/v1/")
API_PAGES = frozenset({"/api", "/v1", "/health", "/metrics", "/openapi.json"})


class _Server(uvicorn.Server):
    listening: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.listening is not None:
            self.listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for whoever runs the loop."""
        yield


class ApiServer:
    """The API on its address, which is taken at once.

    pages: makes what answers beside the API, told whether it listens on loopback. Raises ConfigError where the address cannot be had, or
    lies beyond loopback and no token is set.
    """

    def __init__(self, app: App, listen: str | None = None, pages: Callable[[bool], ASGIApp] | None = None) -> None:
        place = listen or app.settings.api.listen
        host, _ = address_of(place)
        if not is_loopback(host) and not people_of(app.settings):
            name = app.settings.api.token_env
            why = "is open to other machines and no token is set"
            raise ConfigError(f"[api] listen {place!r} {why}; put one into {name}, or listen on 127.0.0.1")
        served: ASGIApp = create_app(app, listen=place)
        if pages is not None:
            served = Beside(served, LastResort(pages(is_loopback(host))))
        self._server = _Server(_config(served))
        self._events = app.live.events
        self._socket = bind(place)
        self.url = url_of(self._socket)

    async def run(self, listening: Callable[[str], None] | None = None) -> None:
        """Answer until cancelled. listening: told the URL once it answers."""
        server = self._server
        server.listening = None if listening is None else lambda: listening(self.url)
        running = asyncio.create_task(server.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(running)
        finally:
            server.should_exit, server.listening = True, None
            self._events.hang_up()
            await asyncio.wait([running], timeout=GRACE_S + 1)
            self.close()

    def close(self) -> None:
        self._socket.close()


class Beside:
    """The API under its own paths, the pages under all others."""

    def __init__(self, api: ASGIApp, pages: ASGIApp) -> None:
        self._api = api
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        ours = path.startswith(API_PATHS) or path in API_PAGES
        await (self._api if ours else self._pages)(scope, receive, send)


async def serve(
    app: App,
    listen: str | None = None,
    listening: Callable[[str], None] | None = None,
    pages: Callable[[bool], ASGIApp] | None = None,
) -> None:
    """Serve until cancelled; raises ConfigError as ApiServer does."""
    await ApiServer(app, listen, pages).run(listening)


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
