"""`gizzi mcp`: the fleet for Claude Code and other clients of the Model Context Protocol."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from gizzi.cli.terminal import print_json, say
from gizzi.cli.words import settings_of, who
from gizzi.mcp_process import claude_config, serve_http, serve_stdio


def run_mcp(config: Path | None, http: str | None, *, print_config: bool, read_only: bool) -> int:
    """Standard output belongs to the protocol: nothing else is written there."""
    settings = settings_of(config)
    by = f"{who()} through mcp"
    if print_config:
        print_json(claude_config(_program(), settings.file, http, read_only=read_only))
        say("put this into .mcp.json where Claude Code is started, or into its user settings")
        return 0
    if http is not None:
        asyncio.run(serve_http(settings, http, by, lambda url: say(f"gizzi answers at {url}"), read_only=read_only))
        return 0
    asyncio.run(serve_stdio(settings, by, read_only=read_only))
    return 0


def _program() -> list[str]:
    """The words that start this very Gizzi, wherever they are run from."""
    beside = Path(sys.executable).with_name("gizzi")
    return [str(beside)] if beside.is_file() else [found] if (found := shutil.which("gizzi")) else [sys.executable, "-m", "gizzi"]
