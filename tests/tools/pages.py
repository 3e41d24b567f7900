"""Pages for scrapers on loopback, which a test may change or take away while they are scraped."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Pages:
    """by_path: "/a/metrics" -> its text; a path that is not in it closes the connection, like a node that is down."""

    port: int = 0
    by_path: dict[str, str] = field(default_factory=dict)
    scrapes: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.Response:
        self.scrapes += 1
        text = self.by_path.get(request.path)
        if text is None:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPServiceUnavailable
        return web.Response(text=text)


@contextlib.asynccontextmanager
async def serving(**by_path: str) -> AsyncIterator[Pages]:
    """Serves pages until the context ends."""
    pages = Pages(by_path=dict(by_path))
    app = web.Application()
    app.router.add_get("/{path:.*}", pages.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pages.port = runner.addresses[0][1]
    try:
        yield pages
    finally:
        await runner.cleanup()


def node_page(best: int, finalized: int, *, name: str = "Alice", chain: str = "flare", peers: int = 21, roles: int = 4) -> str:
    """A small page of a Substrate node."""
    of = f'chain="{chain}"'
    return (
        "# TYPE substrate_block_height gauge\n"
        f'substrate_block_height{{status="best",{of}}} {best}\n'
        f'substrate_block_height{{status="finalized",{of}}} {finalized}\n'
        f'substrate_build_info{{name="{name}",version="1.2.3",{of}}} 1\n'
        f"substrate_node_roles{{{of}}} {roles}\n"
        f"substrate_sub_libp2p_peers_count{{{of}}} {peers}\n"
        f'substrate_unbounded_channel_size{{entity="mpsc_import",{of}}} 7\n'
        f'substrate_unbounded_channel_size{{entity="mpsc_network",{of}}} 300\n'
        f'substrate_tasks_ended_total{{kind="async",reason="finished",task_group="default",task_name="informant",{of}}} 0\n'
        f'substrate_tasks_ended_total{{kind="async",reason="finished",task_group="a",task_name="approval-checks",{of}}} 5\n'
    )
