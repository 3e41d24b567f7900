"""Commands that judge a file alone: a log, a firewall's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gizzi.cli.commands import LOOK, OPTIONS, Json, app

scan = typer.Typer(help="Judge logs and firewall rules from files; needs no configuration.", invoke_without_command=True, **OPTIONS)


@scan.callback()
def scans(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@scan.command("logs")
def scan_logs(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Logs in any usual form, also gzipped; - is standard input.")],
    as_json: Json = False,
) -> int:
    """Find attacks in logs: guessed passwords, break-ins, scans, equivocations."""
    from gizzi.cli.scan import show_attacks

    return show_attacks(files, as_json=as_json)


@scan.command("firewall")
def scan_firewall(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What nft, iptables-save or ufw lists; - is standard input.")],
    as_json: Json = False,
) -> int:
    """Find what a validator's firewall leaves open or closes wrongly, with the change that mends it."""
    from gizzi.cli.scan import show_firewall

    return show_firewall(file, as_json=as_json)


app.add_typer(scan, name="scan", rich_help_panel=LOOK)
