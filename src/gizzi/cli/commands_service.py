"""The command that makes Gizzi a service of the machine."""

from __future__ import annotations

from typing import Annotated

import typer

from gizzi.cli.commands import OPTIONS, START, Config, app

service = typer.Typer(help="Run the daemon under systemd.", invoke_without_command=True, **OPTIONS)


@service.callback()
def services(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@service.command("install")
def install(
    only_print: Annotated[bool, typer.Option("--print", help="Print the unit; write nothing.")] = False,
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="The account it runs as.")] = "gizzi",
    config: Config = None,
) -> int:
    """Write a hardened systemd unit to /etc/systemd/system/gizzi.service; needs root."""
    from gizzi.cli.service import install_service

    return install_service(config, user=user, only_print=only_print)


app.add_typer(service, name="service", rich_help_panel=START)
