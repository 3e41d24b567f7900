"""Commands about plugins."""

from __future__ import annotations

from typing import Annotated

import typer

from gizzi.cli.commands import OPTIONS, START, Config, Json, app

plugin = typer.Typer(help="Add to Gizzi: write plugins, list those that are there.", invoke_without_command=True, **OPTIONS)
_KINDS = "source, rule, strategy, action, workflow, notifier, panel, task or wire."


@plugin.callback()
def plugins(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@plugin.command("new")
def new_plugin(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=_KINDS)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as pool_size; the files are called after it.")],
    config: Config = None,
) -> int:
    """Write a plugin that works, and its test, to begin with."""
    from gizzi.cli.plugins import new_plugin as run

    return run(config, kind, name)


@plugin.command("list")
def list_plugins(as_json: Json = False, config: Config = None) -> int:
    """List what plugins brought, and what could not be loaded."""
    from gizzi.cli.plugins import list_plugins as run

    return run(config, as_json=as_json)


app.add_typer(plugin, name="plugin", rich_help_panel=START)
