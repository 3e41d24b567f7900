"""Commands of Consensus Day."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gizzi.cli.commands import ASK, OPTIONS, Config, Json, app

propose = typer.Typer(help="Propose a model, vote on it, and count the votes.", invoke_without_command=True, **OPTIONS)
To = Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write it here.", show_default=False)]


@propose.callback()
def proposals(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@propose.command("model")
def propose_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A TOML file with the model's row and, where it is new, its provider's.")],
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=365, help="How long votes are taken, from now.")] = 7,
    quorum: Annotated[str, typer.Option("--quorum", metavar="SHARE", help="The part of all stake that must vote.")] = "1/3",
    majority: Annotated[
        str, typer.Option("--supermajority", metavar="SHARE", help="The part of the stake for and against that must be for.")
    ] = "2/3",
    evaluate: Annotated[
        bool, typer.Option("--evaluate/--no-evaluate", help="Ask it our 200 questions, within your budget, where it can be reached.")
    ] = True,
    to: To = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Write a signed proposal to add a model: its row, its evaluation, what it would cost."""
    from gizzi.cli.propose import propose_model as run

    return run(config, file, days=days, quorum=quorum, majority=majority, evaluate=evaluate, to=to, as_json=as_json)


@propose.command("vote")
def vote_on(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The proposal.")],
    choice: Annotated[str, typer.Argument(metavar="for|against|abstain", help="Your vote.")],
    config: Config = None,
) -> int:
    """Print your vote on a proposal as one line of JSON, signed with your key."""
    from gizzi.cli.propose import cast

    return cast(config, file, choice)


@propose.command("tally")
def tally_votes(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The votes: a JSON list, JSON lines, or an object with votes.")],
    proposal: Annotated[
        Path | None, typer.Option("--proposal", metavar="FILE", help="The proposal, where FILE holds none.", show_default=False)
    ] = None,
    stakes: Annotated[
        Path | None,
        typer.Option("--stakes", metavar="FILE", help="Stake by public key as a JSON object, where FILE holds none.", show_default=False),
    ] = None,
    to: To = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Count signed votes by stake, and write the signed result; exit 1 where it does not enact the proposal."""
    from gizzi.cli.propose import tally

    return tally(config, file, proposal=proposal, stakes=stakes, to=to, as_json=as_json)


app.add_typer(propose, name="propose", rich_help_panel=ASK)
