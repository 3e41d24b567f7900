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


@workflow.command("diagnostic")
def write_diagnostic(
    issue: Annotated[str, typer.Option("--issue", metavar="TEXT", help="What is wrong; it goes into the file as data.")],
    number: Annotated[str | None, typer.Argument(metavar="N", help="The validator's number.", show_default=False)] = None,
    chain: Annotated[
        str | None, typer.Option("--chain", metavar="ID", help="All validators of this chain instead.", show_default=False)
    ] = None,
    config: Config = None,
) -> int:
    """Write workflows/diagnostic_validator_N.md, which Claude Code follows to find out what is wrong."""
    from gizzi.cli.workflow_files import write_diagnostic

    return write_diagnostic(config, number, chain, issue)


@workflow.command("code-review")
def write_code_review(
    number: Annotated[str, typer.Argument(metavar="PR", help="The pull request's number.")], config: Config = None
) -> int:
    """Write workflows/code_review_pr_PR.md, which Claude Code follows to review a pull request."""
    from gizzi.cli.workflow_files import write_code_review

    return write_code_review(config, number)


@workflow.command("upgrade")
def write_upgrade(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version to upgrade to.")], config: Config = None
) -> int:
    """Write workflows/upgrade_VERSION.md, which Claude Code follows to prepare and explain a rolling upgrade."""
    from gizzi.cli.workflow_files import write_upgrade

    return write_upgrade(config, version)


@workflow.command("postmortem")
def write_postmortem(name: Annotated[str, typer.Argument(metavar="ID", help="The incident, such as inc-3.")], config: Config = None) -> int:
    """Write workflows/postmortem_ID.md, which Claude Code follows to write the postmortem of an incident."""
    from gizzi.cli.workflow_files import write_postmortem

    return write_postmortem(config, name)


@workflow.command("install")
def lay_out(
    claude: Annotated[bool, typer.Option("--claude", help="For Claude Code: commands, a skill and .mcp.json.")] = False,
    config: Config = None,
) -> int:
    """Lay out the workflow files as commands of a coding agent in this folder, with the MCP server."""
    from gizzi.cli.workflow_files import lay_out

    return lay_out(config, claude=claude)


app.add_typer(workflow, name="workflow", rich_help_panel=ANSWER)
