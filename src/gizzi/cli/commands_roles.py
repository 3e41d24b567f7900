"""Commands about roles."""

from __future__ import annotations

from typing import Annotated

import typer

from gizzi.cli.commands import ASK, OPTIONS, Config, Json, app

role = typer.Typer(help="List, run and make roles: personas with tasks.", invoke_without_command=True, **OPTIONS)


@role.callback()
def roles(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@role.command("list")
def list_roles(as_json: Json = False, config: Config = None) -> int:
    """List the roles with their tasks."""
    from gizzi.cli.roles import list_roles as run

    return run(config, as_json=as_json)


@role.command("run")
def run_role(
    name: Annotated[str, typer.Argument(metavar="ROLE", help="Such as devops.")],
    task: Annotated[str, typer.Argument(metavar="TASK", help="One of its tasks.")],
    validator: Annotated[int | None, typer.Option("--validator", metavar="N", help="Only this validator.", show_default=False)] = None,
    options: Annotated[
        list[str] | None, typer.Option("--with", metavar="NAME=VALUE", help="An option of the task, such as version=1.18.0.")
    ] = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Run one task of a role now, and remember its report."""
    from gizzi.cli.roles import run_role as run

    return run(config, name, task, validator=validator, options=options or [], as_json=as_json)


@role.command("new")
def new_role(name: Annotated[str, typer.Argument(metavar="NAME", help="Such as night-watch.")], config: Config = None) -> int:
    """Write a role's file to begin with."""
    from gizzi.cli.roles import new_role as run

    return run(config, name)


app.add_typer(role, name="role", rich_help_panel=ASK)
