"""Claude Code, where it is installed, takes the printed configuration, starts the server and calls a tool.

Only ever with a dummy key, a fresh home and a made-up model on loopback.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import gizzi as gizzi_package
from conftest import missing
from tools import claude_code
from tools.fleet import gizzi, served, write_config
from tools.loopback import loopback

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
TOOL = "mcp__gizzi__network_status"
SOURCES = str(Path(gizzi_package.__file__).parents[1])
"""These, wherever the command is installed from."""


@pytest.fixture(autouse=True)
def installed() -> None:
    if not claude_code.is_installed():
        missing("Claude Code is not installed; run: python tests/tools/install.py claude_code")


async def claude(*words: str, cwd: Path, env: dict[str, str]) -> str:
    """What it prints; it must end well."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        claude_code.program(), *words, cwd=cwd, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(100):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, (out, err)
    return out.decode()


async def test_it_starts_the_server_from_the_printed_configuration(tmp_path: Path) -> None:
    model = claude_code.Anthropic(tool=TOOL)
    async with served(4, {"kind": "peers_drop", "validators": [2], "peers": 1}) as server, loopback(model) as provider:
        write_config(tmp_path, server, '[api]\nlisten = "127.0.0.1:9"\n')
        printed = (await gizzi("mcp", "--print-config", cwd=tmp_path)).stdout
        one = json.loads(printed)["mcpServers"]["gizzi"]
        assert one["command"].endswith("gizzi"), one
        one["env"] = {"PYTHONPATH": SOURCES}
        (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"gizzi": one}}))
        env = claude_code.environment(tmp_path / "home", provider.url)
        options = ("--mcp-config", str(tmp_path / "mcp.json"), "--strict-mcp-config", "--allowedTools", TOOL)
        await claude("-p", "How is the fleet?", *options, cwd=tmp_path, env=env)
    assert {"mcp__gizzi__propose_action", "mcp__gizzi__incident"} <= model.tools
    assert model.results and "critical" in model.results[0] and "peers" in model.results[0], model.results


@pytest.mark.parametrize(
    "words", [("mcp", "--print-config"), ("mcp", "--print-config", "--read-only"), ("workflow", "install", "--claude")]
)
async def test_the_written_mcp_json_is_one_it_accepts_and_connects_to(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Its own health check starts the server. A server that people have not approved yet is read, but not started."""
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    home.mkdir()
    (project / "gizzi.toml").write_text('[[validators]]\nnumber = 1\nmetrics_url = "http://127.0.0.1:9/metrics"\n')
    printed = (await gizzi(*words, cwd=project)).stdout
    file = project / ".mcp.json"
    if not file.exists():
        file.write_text(printed)
    env = claude_code.environment(home, "http://127.0.0.1:9")
    env |= {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": SOURCES}
    listed = await claude("mcp", "list", cwd=project, env=env)
    assert "gizzi" in listed and "Pending approval" in listed and "arning" not in listed and "rror" not in listed
    trusted: dict[str, Any] = {"enabledMcpjsonServers": ["gizzi"], "hasTrustDialogAccepted": True}
    (home / ".claude.json").write_text(json.dumps({"projects": {str(project): trusted}}))
    shown = await claude("mcp", "get", "gizzi", cwd=project, env=env)
    assert "Connected" in shown and "Type: stdio" in shown and "Project config" in shown, shown


async def test_it_refuses_one_that_is_none(tmp_path: Path) -> None:
    """So that what it says about ours is worth something."""
    (tmp_path / ".mcp.json").write_text('{"mcpServers": {"gizzi": {"type": "stdio", "comand": "gizzi"}}}')
    listed = await claude("mcp", "list", cwd=tmp_path, env=claude_code.environment(tmp_path / "home", "http://127.0.0.1:9"))
    assert "invalid MCP server config" in listed
