"""`gizzi mcp` as a process of its own: over standard input and output, or over streamable HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from gizzi.api.listen import address_of, bind, url_of
from gizzi.config import Settings, forget_approvers
from gizzi.errors import ConfigError
from gizzi.mcp.gate import Gate
from gizzi.mcp.server import PATH, http_app, open_server
from gizzi.serving.people import is_loopback, people_of

TOKEN_NAME = "GIZZI_MCP_TOKEN"
"""The variable that the printed snippet for HTTP takes its token from, on the client's machine."""


async def serve_stdio(settings: Settings, by: str, *, read_only: bool = False) -> None:
    """Answer until the client closes its end. Approvers' tokens are forgotten first: whoever starts it is a model's program."""
    forget_approvers(settings)
    async with open_server(settings, by, read_only=read_only) as server:
        await server.run_stdio_async()


async def serve_http(settings: Settings, listen: str, by: str, listening: Callable[[str], None], *, read_only: bool = False) -> None:
    """Answer until cancelled. Raises ConfigError where the address cannot be had, or lies beyond loopback and no token is set."""
    host, _ = address_of(listen)
    people = people_of(settings)
    local = is_loopback(host)
    if not local and not people:
        raise ConfigError(
            f"--http {listen!r} is open to other machines and no token is set; put one into {settings.api.token_env}, or use 127.0.0.1"
        )
    async with open_server(settings, by, read_only=read_only) as server:
        bound = bind(listen)
        listening(url_of(bound) + PATH)
        gate = Gate(http_app(server, "127.0.0.1" if local else host), people, open_reads=local)
        config = uvicorn.Config(
            gate, http="h11", ws="none", lifespan="on", log_config=None, access_log=False, proxy_headers=False, server_header=False
        )
        try:
            await uvicorn.Server(config).serve(sockets=[bound])
        finally:
            bound.close()


def claude_config(program: list[str], config: Path | None, http: str | None, *, read_only: bool = False) -> dict[str, Any]:
    """What Claude Code reads from .mcp.json. No token stands in it."""
    if http is not None:
        headers = {"Authorization": f"Bearer ${{{TOKEN_NAME}}}"}
        return {"mcpServers": {"gizzi": {"type": "http", "url": f"http://{http}{PATH}", "headers": headers}}}
    words = [
        *program[1:],
        "mcp",
        *(["--read-only"] if read_only else []),
        *(["--config", str(config.resolve())] if config is not None else []),
    ]
    return {"mcpServers": {"gizzi": {"type": "stdio", "command": program[0], "args": words, "env": {}}}}
