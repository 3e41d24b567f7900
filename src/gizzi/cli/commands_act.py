"""Commands that propose and permit actions."""

from __future__ import annotations

from typing import Annotated

import typer

from gizzi.cli.commands import ANSWER, START, Config, Json, Why, app

ApprovalId = Annotated[str, typer.Argument(metavar="ID", help="Such as ap-3.")]


@app.command(rich_help_panel=ANSWER)
def act(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="Such as restart.")],
    validator: Annotated[int, typer.Argument(metavar="N", help="The validator's number.")],
    why: Why,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Propose an action; the guard allows it, asks a person, or denies it."""
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
