"""A watched fleet with the API before it, on real ports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from gizzi.api.serve import serve
from gizzi.app import App, open_app
from tools.fleet import served, settings_of, until


@dataclass
class Api:
    app: App
    url: str
    http: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """The status and the body; JSON where it is some."""
        async with self.http.get(self.url + path, headers=headers) as answer:
            text = await answer.text()
            return answer.status, await answer.json(content_type=None) if "json" in answer.content_type else text

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition)


@contextlib.asynccontextmanager
async def watched_api(*faults: dict[str, Any], listen: str = "127.0.0.1:0", **settings: Any) -> AsyncIterator[Api]:
    async with (
        served(4, *faults) as server,
        open_app(settings_of(server, **settings)) as app,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http,
        serving(app, listen) as url,
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(app.run())
        yield Api(app, url, http)
        watching.cancel()


@contextlib.asynccontextmanager
async def serving(app: App, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """The API's address, as this machine reaches it."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    answering = asyncio.create_task(serve(app, listen, told.set_result))
    await asyncio.wait({told, answering}, return_when=asyncio.FIRST_COMPLETED)
    if answering.done():
        answering.result()
    try:
        yield told.result().replace("0.0.0.0", "127.0.0.1")
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
