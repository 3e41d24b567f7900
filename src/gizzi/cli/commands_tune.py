"""Commands that prepare the fine-tuning of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gizzi.cli.commands import OPTIONS, PRACTISE, Config, app

tune = typer.Typer(help="Prepare the fine-tuning of a model.", invoke_without_command=True, **OPTIONS)


@tune.callback()
def tuning(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@tune.command("export")
def export(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for train.jsonl, test.jsonl and card.md.")] = Path("tune"),
    config: Config = None,
) -> int:
    """Write closed incidents that have a verdict as chat examples, redacted, with a card of what is in them."""
    from gizzi.cli.tune import export_examples

    return export_examples(config, out)


app.add_typer(tune, name="tune", rich_help_panel=PRACTISE)
