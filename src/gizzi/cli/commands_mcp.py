"""The command for other programs' models."""

from __future__ import annotations

from typing import Annotated

import typer

from gizzi.cli.commands import ASK, Config, app


@app.command(rich_help_panel=ASK)
def mcp(
    http: Annotated[
        str | None,
        typer.Option("--http", metavar="HOST:PORT", help="Answer over streamable HTTP there, not over standard input and output."),
    ] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print what Claude Code needs in .mcp.json, and end.")] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only tools that look, and what they answer without secrets, as cloud models get it.")
    ] = False,
    config: Config = None,
) -> int:
    """Let Claude Code, or another client of the Model Context Protocol, look at the fleet and propose actions."""
    from gizzi.cli.mcp import run_mcp

    return run_mcp(config, http, print_config=print_config, read_only=read_only)
