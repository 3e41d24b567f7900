"""Commands for the fine-tuning of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gizzi.cli.commands import OPTIONS, PRACTISE, Config, Json, app

tune = typer.Typer(help="Fine-tune a model on your incidents, and add it.", invoke_without_command=True, **OPTIONS)


@tune.callback()
def tuning(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@tune.command("export")
def export(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for what is written.")] = Path("tune"),
    base: Annotated[
        str, typer.Option("--base", metavar="MODEL", help="What the Modelfile builds on: a model of Ollama's, or a GGUF file.")
    ] = "llama3.1:8b",
    adapter: Annotated[
        str | None, typer.Option("--adapter", metavar="FILE", help="The trained adapter, for the Modelfile.", show_default=False)
    ] = None,
    config: Config = None,
) -> int:
    """Write closed incidents that have a verdict as chat examples, redacted, with a card of what is in them and a Modelfile for Ollama."""
    from gizzi.cli.tune import export_examples

    return export_examples(config, out, base=base, adapter=adapter)


@tune.command("register")
def register_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What its provider calls it, such as ft:gpt-6-luna:etrid.")],
    base: Annotated[str, typer.Option("--base", metavar="PROVIDER/MODEL", help="The model it was tuned from.")],
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="P", help="Where it is reached; its base's by default.", show_default=False)
    ] = None,
    tier: Annotated[
        str | None, typer.Option("--tier", metavar="T", help="local, standard or frontier; its base's by default.", show_default=False)
    ] = None,
    price: Annotated[
        str | None,
        typer.Option("--price", metavar="IN/OUT", help="US$ per million tokens, such as 0.60/3.00.", show_default=False),
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Add it also where it or its base could not be asked.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Compare a fine-tuned model with its base on our 200 questions, within your budget, and add it as a row."""
    from gizzi.cli.register import register

    return register(config, name, base=base, provider=provider, tier=tier, price=price, anyway=anyway, as_json=as_json)


app.add_typer(tune, name="tune", rich_help_panel=PRACTISE)
