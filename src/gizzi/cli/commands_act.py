"""What people say: what they have seen, what may be done."""

from __future__ import annotations

from typing import Annotated

import typer

from gizzi.cli.commands import ANSWER, OPTIONS, START, Config, For, Json, Why, app

guard = typer.Typer(help="Show whether anything may be carried out; stop it, resume it.", invoke_without_command=True, **OPTIONS)

ApprovalId = Annotated[str, typer.Argument(metavar="ID", help="Such as ap-3.")]


@app.command(rich_help_panel=ANSWER)
def act(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="Such as restart.")],
    validator: Annotated[int, typer.Argument(metavar="N", help="The validator's number.")],
    why: Why,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Propose an action; the guard allows it, asks a person, or denies it. One that only looks is carried out at once."""
    from gizzi.cli.act import act as run

    return run(config, action, validator, why, as_json=as_json)


@app.command(rich_help_panel=ANSWER)
def approvals(as_json: Json = False, config: Config = None) -> int:
    """List what waits for a person's yes or no."""
    from gizzi.cli.approvals import list_approvals

    return list_approvals(config, as_json=as_json)


@app.command(rich_help_panel=ANSWER)
def approve(name: ApprovalId, config: Config = None) -> int:
    """Say yes, once, at a terminal where the validator's number is typed back."""
    from gizzi.cli.approvals import answer

    return answer(config, name, yes=True, why="")


@app.command(rich_help_panel=ANSWER)
def deny(name: ApprovalId, why: Why, config: Config = None) -> int:
    """Say no, and why."""
    from gizzi.cli.approvals import answer

    return answer(config, name, yes=False, why=why)


@app.command(rich_help_panel=START)
def worker(config: Config = None) -> int:
    """Carry out runs beside `gizzi watch`, in an extra process; with PostgreSQL only."""
    from gizzi.cli.worker import work_until_stopped

    return work_until_stopped(config)


@app.command(rich_help_panel=ANSWER)
def ack(
    name: Annotated[str, typer.Argument(metavar="ID", help="Such as inc-3.")],
    false_alarm: Annotated[
        bool, typer.Option("--false-alarm", help="Say that a model was wrong to open it: it is counted, and closed.")
    ] = False,
    config: Config = None,
) -> int:
    """Say that you have seen an incident and look after it."""
    from gizzi.cli.control import acknowledge

    return acknowledge(config, name, false_alarm=false_alarm)


@app.command(rich_help_panel=ANSWER)
def silence(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Such as peers_low.")],
    span: For,
    why: Why,
    validator: Annotated[int | None, typer.Option("--validator", metavar="N", help="Only on this validator.")] = None,
    config: Config = None,
) -> int:
    """Tell nobody of one rule for a while."""
    from gizzi.cli.control import add_silence

    return add_silence(config, rule, validator, span, why)


@app.command(rich_help_panel=ANSWER)
def maintenance(
    whom: Annotated[str, typer.Argument(metavar="N|CHAIN", help="A validator's number, or a chain.")],
    span: For,
    why: Why,
    config: Config = None,
) -> int:
    """Say that somebody works on a validator or a chain."""
    from gizzi.cli.control import add_maintenance

    return add_maintenance(config, whom, span, why)


@guard.callback()
def show_guard(context: typer.Context, config: Config = None) -> int | None:
    if context.invoked_subcommand is not None:
        return None
    from gizzi.cli.guard import show_guard

    return show_guard(config)


@guard.command("check")
def check_guard() -> int:
    """Read proposals as JSON lines from stdin and answer each: allow, ask or deny, and why."""
    from gizzi.cli.guard import check_lines

    return check_lines()


@guard.command("stop")
def stop_guard(
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for those who read it later.", show_default=False)] = "",
    config: Config = None,
) -> int:
    """Stop everything that would be carried out, in every process, at once."""
    from gizzi.cli.guard import stop_guard

    return stop_guard(config, why)


@guard.command("resume")
def resume_guard(config: Config = None) -> int:
    """Let actions be carried out again."""
    from gizzi.cli.guard import resume_guard

    return resume_guard(config)


app.add_typer(guard, name="guard", rich_help_panel=ANSWER)
