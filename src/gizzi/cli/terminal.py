"""What is shown, and how: colours and columns for a person's terminal, plain aligned text for a pipe, JSON for programs.

Names, versions and log words come from machines that may be in wrong hands: `clean` makes every one of them harmless, and no markup is ever
read out of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gizzi.readers.text import one_line

PIPE_WIDTH = 4000
LONGEST_TEXT = 600
HEALTH_STYLE = {"healthy": "green", "warning": "dark_orange", "critical": "bold red", "unknown": "magenta"}
HEALTH_SIGN = {"healthy": "✓", "warning": "▲", "critical": "✗", "unknown": "?"}
SEVERITY_STYLE = {"critical": "bold red", "high": "red", "medium": "dark_orange", "low": "cyan"}


def clean(value: object, limit: int = LONGEST_TEXT) -> str:
    """A text from outside as one printable line."""
    return one_line(str(value), limit)


def text(value: object, style: str = "", limit: int = LONGEST_TEXT) -> Text:
    """The same, in a style; what looks like markup in it is shown as it is."""
    return Text(clean(value, limit), style)


def print_json(value: Any, *, one_a_line: bool = False) -> None:
    """Valid JSON on stdout. What a terminal might obey, or a person not see, is escaped."""
    shown = json.dumps(value, ensure_ascii=False, indent=None if one_a_line else 2)
    print("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in shown), flush=one_a_line)


def is_terminal() -> bool:
    return console().is_terminal


def console(*, stderr: bool = False) -> Console:
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)


def show(*parts: RenderableType, on: Console | None = None) -> None:
    """Print for whoever reads: as it is on a terminal; without colour, lines as long as they need, in a pipe."""
    screen = on or console()
    if screen.is_terminal:
        screen.print(*parts, sep="\n")
        return
    page = StringIO()
    plain = Console(file=page, width=PIPE_WIDTH, color_system=None, markup=False, highlight=False, emoji=False, force_terminal=False)
    plain.print(*parts, sep="\n")
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines()))


def grid(rows: Iterable[Iterable[RenderableType]], *, indent: int = 2, gap: int = 2) -> RenderableType:
    """Aligned columns without lines. Only the last wraps."""
    lines = [list(row) for row in rows]
    table = Table.grid(padding=(0, gap, 0, 0), pad_edge=False)
    columns = max((len(line) for line in lines), default=0)
    for column in range(columns):
        last = column == columns - 1
        table.add_column(no_wrap=not last, overflow="fold" if last else "ellipsis", ratio=1 if last else None)
    for line in lines:
        table.add_row(*line)
    return Padding(table, (0, 1, 0, indent))


def heading(words: str) -> Text:
    return Text(words, "bold")


def say(words: str) -> None:
    """A word about progress, for people only."""
    print(clean(words), file=sys.stderr, flush=True)
