"""A watched fleet, and the MCP server beside it in its ways to be reached."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mcp import Client

from gizzi.config import Settings
from gizzi.mcp.server import open_server

BY = "kim through mcp"


@contextlib.asynccontextmanager
async def client_of(settings: Settings, *, read_only: bool = False) -> AsyncIterator[Client]:
    """The SDK's own client, in this process; in a task of its own, which is what its library needs where a fixture opens it."""
    opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
    enough = asyncio.Event()

    async def own() -> None:
        async with open_server(settings, BY, read_only=read_only) as server, Client(server) as client:
            opened.set_result(client)
            await enough.wait()

    task = asyncio.create_task(own())
    await asyncio.wait({task, opened}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    try:
        yield opened.result()
    finally:
        enough.set()
        await task


async def call(client: Client, name: str, **arguments: Any) -> Any:
    """The structured answer; fails with what was said where it is an error."""
    found = await client.call_tool(name, arguments)
    assert not found.is_error, said(found)
    return found.structured_content


async def refused(client: Client, name: str, **arguments: Any) -> str:
    """What is said about a call that does not work."""
    found = await client.call_tool(name, arguments)
    assert found.is_error, found.structured_content
    return said(found)


def said(found: Any) -> str:
    return "\n".join(part.text for part in found.content)


def store_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'gizzi.db'}"
