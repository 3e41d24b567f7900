"""Commands for workflows: in Python, and the files that Claude Code follows."""

from __future__ import annotations

from typing import Annotated

import typer

from gizzi.cli.commands import ANSWER, OPTIONS, Config, Json, app

workflow = typer.Typer(help="Run procedures, and write those that Claude Code follows.", invoke_without_command=True, **OPTIONS)


@workflow.callback()
def workflows(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@workflow.command("list")
def list_workflows(as_json: Json = False, config: Config = None) -> int:
    """List the workflows, with what each is started with."""
    from gizzi.cli.workflow import list_workflows

    return list_workflows(config, as_json=as_json)


@workflow.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run_workflow(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `gizzi workflow list` names it; its own words follow, as --word VALUE.")],
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Run a workflow in the daemon, or here where none runs; one that was cut off goes on."""
    from gizzi.cli.workflow import run_workflow

    return run_workflow(config, name, context.args, as_json=as_json)


@workflow.command("show")
def show_run(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Such as rolling-upgrade-5f3a91c2; all runs without it.")] = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Show a run step by step, at a terminal until it ends."""
    from gizzi.cli.workflow import show_run

    return show_run(config, run, as_json=as_json)


app.add_typer(workflow, name="workflow", rich_help_panel=ANSWER)
