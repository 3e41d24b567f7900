"""Commands about models: questions, choices, costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gizzi.cli.commands import ASK, OPTIONS, PRACTISE, Config, Json, app

learning = typer.Typer(help="Learn from outcomes which model answers what.", invoke_without_command=True, **OPTIONS)
evaluation = typer.Typer(help="Measure how well models are chosen.", invoke_without_command=True, **OPTIONS)
catalogue = typer.Typer(
    help="List the models with their tier, price and whether they can be reached; and what an Ollama server has besides.",
    invoke_without_command=True,
    **OPTIONS,
)
costs = typer.Typer(help="Show what models cost this month, and what is left.", invoke_without_command=True, **OPTIONS)


@app.command(rich_help_panel=ASK)
def ask(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="The question; - reads it from stdin.")],
    critical: Annotated[bool, typer.Option("--critical", help="It matters: ask the frontier tier.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Ask this model, or this tier.")] = None,
    role: Annotated[str | None, typer.Option("--role", metavar="R", help="Who asks, for that role's budget.")] = None,
    show_prompt: Annotated[bool, typer.Option("--show-prompt", help="Show exactly what would be sent, and send nothing.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Ask a question; the cheapest model that can answers it, or none where live status does."""
    from gizzi.cli.ask import ask_once

    return ask_once(config, question, critical=critical, model=model, role=role, as_json=as_json, show_prompt=show_prompt)


@app.command(rich_help_panel=ASK)
def compare(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="The question; - reads it from stdin.")],
    critical: Annotated[bool, typer.Option("--critical", help="It may use the budget kept for critical work.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Ask every reachable model the same, and say what they agree on."""
    from gizzi.cli.ask import compare_all

    return compare_all(config, question, critical=critical, as_json=as_json)


@app.command(rich_help_panel=ASK)
def route(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="The question; - reads JSON lines from stdin.")],
    critical: Annotated[bool, typer.Option("--critical", help="It matters: the frontier tier.")] = False,
    private: Annotated[bool, typer.Option("--private", help="It may not leave the local tier.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Ask for this model, or this tier.")] = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Say which model would answer, and why no other; nothing is called."""
    from gizzi.cli.route import show_route

    return show_route(config, question, critical=critical, private=private, model=model, as_json=as_json)


@catalogue.callback()
def models(context: typer.Context, as_json: Json = False, config: Config = None) -> int | None:
    """List the models with their tier, price and whether they can be reached; and what an Ollama server has besides."""
    if context.invoked_subcommand is not None:
        return None
    from gizzi.cli.models import show_models

    return show_models(config, as_json=as_json)


@catalogue.command("adopt")
def adopt_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An enacted result of `gizzi propose tally`.")],
    trust: Annotated[list[str] | None, typer.Option("--trust", metavar="KEY", help="A public key whose counting you believe.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it without asking.")] = False,
    config: Config = None,
) -> int:
    """Add the model of an enacted proposal: write its row into the plugins folder. The votes are counted again first."""
    from gizzi.cli.propose import adopt

    return adopt(config, file, trust=trust or [], yes=yes)


@app.command(rich_help_panel=ASK)
def feedback(
    answer: Annotated[str, typer.Argument(metavar="ANSWER-ID", help="As `gizzi ask` shows it.")],
    verdict: Annotated[str, typer.Argument(metavar="good|bad", help="How the answer was.")],
    config: Config = None,
) -> int:
    """Say how an answer was; `gizzi learn train` learns from it."""
    from gizzi.cli.learn import give_feedback

    return give_feedback(config, answer, verdict)


@learning.callback()
def learnings(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@learning.command("train")
def train_router(
    file: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Learn from this .csv or .csv.gz instead: prompt, model, right; or prompt, weak, strong."
        ),
    ] = None,
    weak: Annotated[str | None, typer.Option("--weak", metavar="ID", help="The model of the column weak.")] = None,
    strong: Annotated[str | None, typer.Option("--strong", metavar="ID", help="The model of the column strong.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Learn this model alone; the others stay as they are.")] = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Train the router that the strategy `learned` asks, from feedback and from answers that facts contradicted."""
    from gizzi.cli.learn import train

    return train(config, file, weak=weak, strong=strong, model=model, as_json=as_json)


@costs.callback()
def show_costs(
    context: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="model|tier|role|kind|day", help="What to add up by.")] = "model",
    as_json: Json = False,
    config: Config = None,
) -> int | None:
    if context.invoked_subcommand is not None:
        return None
    from gizzi.cli.spend import show_costs

    return show_costs(config, by, as_json)


@costs.command("project")
def project_costs(
    mix: Annotated[str, typer.Option("--mix", metavar="SHARES", help="Such as local=70,standard=20,frontier=10, in percent.")],
    queries: Annotated[
        int | None,
        typer.Option("--queries-per-day", metavar="N", min=0, max=1_000_000_000, help="How many questions a day.", show_default=False),
    ] = None,
    tokens_in: Annotated[
        int | None, typer.Option("--tokens-in", metavar="N", min=0, max=100_000_000, help="Tokens of a question.", show_default=False)
    ] = None,
    tokens_out: Annotated[
        int | None, typer.Option("--tokens-out", metavar="N", min=0, max=100_000_000, help="Tokens of an answer.", show_default=False)
    ] = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Work out what a mix of tiers would cost in a month."""
    from gizzi.cli.costs import show_projection

    return show_projection(config, mix, queries_per_day=queries, tokens_in=tokens_in, tokens_out=tokens_out, as_json=as_json)


@evaluation.callback()
def evaluations(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@evaluation.command("routing")
def eval_routing(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .csv.gz file with the columns prompt, weak and strong.")],
    train: Annotated[int, typer.Option("--train", metavar="N", help="Train on so many rows, and test on the others.")] = 1500,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Draws the rows to train on.")] = 0,
    cascade: Annotated[bool, typer.Option("--cascade", help="Read weak_response, the weak model's answer, before choosing.")] = False,
    as_json: Json = False,
) -> int:
    """Train a router on some rows of a file, and measure on the others how well it chooses."""
    from gizzi.cli.evaluate import eval_routing

    return eval_routing(file, train=train, seed=seed, cascade=cascade, as_json=as_json)


@evaluation.command("questions")
def eval_questions(as_json: Json = False, config: Config = None) -> int:
    """Measure the configured routing on 200 questions of operators; nothing is called."""
    from gizzi.cli.evaluate import eval_questions

    return eval_questions(config, as_json=as_json)


app.add_typer(catalogue, name="models", rich_help_panel=ASK)
app.add_typer(costs, name="costs", rich_help_panel=ASK)
app.add_typer(learning, name="learn", rich_help_panel=ASK)
app.add_typer(evaluation, name="eval", rich_help_panel=PRACTISE)
