"""Commands about the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gizzi.cli.commands import LOOK, OPTIONS, Config, Json, app

memory = typer.Typer(help="Read, search and verify what is remembered.", invoke_without_command=True, **OPTIONS)


@memory.callback()
def memories(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


Newest = Annotated[int, typer.Option("-n", "--number", metavar="N", min=1, max=10_000, help="At most so many, the newest.")]


@memory.command("tail")
def memory_tail(number: Newest = 20, as_json: Json = False, config: Config = None) -> int:
    """Show the newest entries, the newest last."""
    from gizzi.cli.memory import show_tail

    return show_tail(config, number, as_json=as_json)


@memory.command("search")
def memory_search(
    words: Annotated[str, typer.Argument(metavar="TEXT", help="Words, or the beginnings of words; all of them must occur.")],
    number: Newest = 20,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Find entries, the newest first."""
    from gizzi.cli.memory import show_search

    return show_search(config, words, number, as_json=as_json)


@memory.command("verify")
def memory_verify(as_json: Json = False, config: Config = None) -> int:
    """Check that every entry is as it was written; exit with 1, and name the entry, where one is not."""
    from gizzi.cli.memory import show_verification

    return show_verification(config, as_json=as_json)


@memory.command("export")
def memory_export(
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write this file instead of stdout.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one an entry.")] = False,
    config: Config = None,
) -> int:
    """Write all entries, the oldest first, in the form of GLOBAL_MEMORY.md."""
    from gizzi.cli.memory import export

    return export(config, to, as_json=as_json)


@memory.command("note")
def memory_note(
    words: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be remembered.")],
    validator: Annotated[
        list[int] | None, typer.Option("--validator", metavar="N", min=0, help="A validator it is about; may be said again.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="T", help="A word to find it by; may be said again.")] = None,
    priority: Annotated[str, typer.Option("--priority", metavar="LOW|MEDIUM|HIGH|CRITICAL", help="How much it matters.")] = "LOW",
    config: Config = None,
) -> int:
    """Remember something yourself, signed with your account's name."""
    from gizzi.cli.memory import add_note

    return add_note(config, words, validators=validator or (), tags=tag or (), priority=priority)


app.add_typer(memory, name="memory", rich_help_panel=LOOK)
