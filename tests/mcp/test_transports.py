"""The server as a process of its own, over standard input and output and over streamable HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from gizzi.config import forget_approvers, parse
from tools.fleet import gizzi, served, start, write_config
from tools.mcp import call, refused

TOKEN, VIEWER = "open-sesame-2f7c", "look-only-77aa"
PEOPLE = '[[api.tokens]]\nname = "kim"\nrole = "viewer"\ntoken_env = "KIMS"\n'
PEERS = {"kind": "peers_drop", "validators": [2], "peers": 1}


def stdio(folder: Path, **env: str) -> Any:
    base = {key: value for key, value in os.environ.items() if not key.startswith("GIZZI_")}
    given = {**base, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), **env}
    return stdio_client(StdioServerParameters(command=sys.executable, args=["-m", "gizzi", "mcp"], cwd=folder, env=given))


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_over_standard_input_and_output(tmp_path: Path, mode: Any) -> None:
    async with served(4, PEERS) as server:
        write_config(tmp_path, server, '[api]\nlisten = "127.0.0.1:9"\n')
        async with Client(stdio(tmp_path, GIZZI_API_TOKEN=TOKEN), mode=mode) as client:
            page = await call(client, "network_status")
            assert page["count"]["critical"] == 1 and page["seen_by"] == "one look"
            assert len((await client.list_tools()).tools) == 12
            assert "unknown key nummer" in await refused(client, "validator", nummer=1)


async def test_it_works_where_nothing_is_configured(tmp_path: Path) -> None:
    async with Client(stdio(tmp_path)) as client:
        assert "no validators are configured" in await refused(client, "network_status")
        assert (await call(client, "route", text="What is a validator?"))["tier"]


def test_approvers_tokens_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = parse(
        {
            "api": {
                "tokens": [{"name": "kim", "token_env": "KIMS"}, {"name": "lee", "role": "approver", "token_env": "LEES"}],
            }
        },
        "the test",
    )
    for name in ("GIZZI_API_TOKEN", "KIMS", "LEES"):
        monkeypatch.setenv(name, "x")
    assert forget_approvers(settings) == ["GIZZI_API_TOKEN", "LEES"]
    assert {name for name in ("GIZZI_API_TOKEN", "KIMS", "LEES") if name in os.environ} == {"KIMS"}
    assert settings.secret("LEES") is None and forget_approvers(settings) == []


@contextlib.asynccontextmanager
async def over_http(folder: Path, listen: str, *words: str, **env: str) -> AsyncIterator[str]:
    process = await start("mcp", "--http", listen, *words, cwd=folder, env=env)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            line = (await process.stderr.readline()).decode()
        assert "gizzi answers at http://" in line, line
        yield line.rpartition(" ")[2].strip().replace("0.0.0.0", "127.0.0.1")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.communicate(), 60)


def remote(url: str, token: str | None = None) -> Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Client(streamable_http_client(url, http_client=httpx2.AsyncClient(headers=headers, timeout=60)))


async def test_over_http_on_loopback(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Reading is open; asking and proposing needs a token; a page in somebody's browser gets nothing."""
    async with served(4, PEERS) as server:
        write_config(tmp_path, server, f'[api]\nlisten = "127.0.0.1:9"\n{PEOPLE}')
        env = {"GIZZI_API_TOKEN": TOKEN, "KIMS": VIEWER}
        async with over_http(tmp_path, f"127.0.0.1:{free_port()}", **env) as url:
            async with remote(url) as client:
                assert (await call(client, "network_status"))["count"]["critical"] == 1
                wish = {"action": "restart", "validator": 2, "why": "x"}
                assert "this needs a token" in await refused(client, "propose_action", **wish)
                assert "this needs a token" in await refused(client, "ask", text="Is validator 1 up?")
            async with remote(url, VIEWER) as client:
                assert "kim is a viewer; this needs an approver's token" in await refused(client, "propose_action", **wish)
                assert (await call(client, "ask", text="Is validator 1 up?"))["model"] == "gizzi/reflex"
            async with remote(url, TOKEN) as client:
                assert "nobody has watched" in await refused(client, "propose_action", **wish)
            assert await post(url, Authorization="Bearer wrong") == 401
            assert await post(url, Host="evil.example") in (403, 421)
            assert await post(url, Origin="http://evil.example") == 403


async def post(url: str, **headers: str) -> int:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    given = {"Accept": "application/json, text/event-stream", **headers}
    async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=given) as answer:
        return answer.status


async def test_beyond_loopback_only_with_a_token(tmp_path: Path, free_port: Callable[[], int]) -> None:
    async with served(4) as server:
        write_config(tmp_path, server, '[api]\nlisten = "127.0.0.1:9"\n')
        ended = await gizzi("mcp", "--http", "0.0.0.0:0", cwd=tmp_path)
        assert ended.returncode == 2 and "no token is set; put one into GIZZI_API_TOKEN" in ended.stderr and ended.stdout == ""
        async with over_http(tmp_path, f"0.0.0.0:{free_port()}", GIZZI_API_TOKEN=TOKEN) as url:
            assert await post(url) == 401
            async with remote(url, TOKEN) as client:
                assert (await call(client, "network_status"))["count"]["healthy"] == 4


async def test_the_configuration_for_claude_code(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text('network.name = "x"\n')
    printed = json.loads((await gizzi("mcp", "--print-config", cwd=tmp_path)).stdout)["mcpServers"]["gizzi"]
    assert printed["type"] == "stdio" and printed["args"] == ["mcp", "--config", str(tmp_path / "gizzi.toml")] and printed["env"] == {}
    printed = json.loads((await gizzi("mcp", "--print-config", "--http", "gizzi.example:8090", cwd=tmp_path)).stdout)
    one = printed["mcpServers"]["gizzi"]
    assert one["url"] == "http://gizzi.example:8090/mcp" and one["headers"] == {"Authorization": "Bearer ${GIZZI_MCP_TOKEN}"}
