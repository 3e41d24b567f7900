"""The pages over a watched simulated fleet, as the daemon serves them, and Chromium before them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from gizzi.api.serve import ApiServer
from gizzi.app import App, open_app
from gizzi.reach import Reach
from gizzi.reach.http import HttpClient
from gizzi.reach.node import HttpNode
from gizzi.sim.server import SimServer
from gizzi.web.pages import create_pages
from tools.fleet import served, settings_of

TOKEN = "open-sesame-2f7c"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
FLAGS += ("--disable-component-update", "--disable-sync")
WITHIN_MS = 90_000
"""How long a page may take for anything, on a busy machine."""


class Site:
    """stop and start break and mend the connection of whoever looks; the app watches on."""

    def __init__(self, app: App, sim: SimServer, panels: Any = None) -> None:
        self.app = app
        self.sim = sim
        self._panels = panels or app.panels.shown
        self._running: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        place = self.url.removeprefix("http://") or "127.0.0.1:0"
        server = ApiServer(self.app, place, lambda open_reads: create_pages(self.app, open_reads=open_reads, panels=self._panels))
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(server.run(told.set_result))
        await asyncio.wait({told, self._running}, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            self._running.result()
        self.url = told.result()

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)


@contextlib.asynccontextmanager
async def site(*faults: dict[str, Any], validators: int = 4, panels: Any = None, **settings: Any) -> AsyncIterator[Site]:
    """Restarts reach the simulated hosts. The operator's token is TOKEN where GIZZI_API_TOKEN is set to it."""
    collect = {"every": "0.5s", "timeout": "5s", "host_every": "1s"}
    settings = {"collect": collect, "rules": {"peers_low": {"hold": "1s"}}, "ssh": {"user": "test"}, **settings}
    async with served(validators, *faults) as sim:
        node, http = HttpNode(), HttpClient(timeout_s=10)
        reach = Reach(node, sim.fleet.reach().ssh, http)
        try:
            async with open_app(settings_of(sim, **settings), reach=reach, lasting=False) as app, asyncio.TaskGroup() as group:
                watching = group.create_task(app.run())
                one = Site(app, sim, panels)
                await one.start()
                try:
                    yield one
                finally:
                    await one.stop()
                    watching.cancel()
        finally:
            await node.close()
            await http.close()


@dataclass
class Chrome:
    browser: Any

    async def page(self, width: int = 1280, height: int = 900, *, dark: bool = False, context: Any = None) -> Any:
        """A page of its own profile, or of that context's."""
        if context is None:
            look = {"viewport": {"width": width, "height": height}, "color_scheme": "dark" if dark else "light"}
            context = await self.browser.new_context(**look)
            context.set_default_timeout(WITHIN_MS)
        return await context.new_page()


@contextlib.asynccontextmanager
async def chrome(executable: str) -> AsyncIterator[Chrome]:
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=executable, args=list(FLAGS))
        try:
            yield Chrome(browser)
        finally:
            await browser.close()


async def log_in(page: Any, url: str, to: str = "/") -> None:
    await page.goto(f"{url}/login?next={to}")
    await page.fill("#token", TOKEN)
    await page.click("main button")
    await page.wait_for_selector("text=Log out")
