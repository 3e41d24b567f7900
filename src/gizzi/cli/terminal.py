"""What is shown, and how: colours and columns for a person's terminal, plain aligned text for a pipe, JSON for programs.

What words come from outside is made harmless by `screen.words`.
"""

from __future__ import annotations

import json
import sys
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType

from gizzi.screen.words import HEALTH_SIGN, HEALTH_STYLE, LONGEST_TEXT, SEVERITY_STYLE, clean, grid, heading, text

PIPE_WIDTH = 4000


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


def say(words: str) -> None:
    """A word about progress, for people only."""
    print(clean(words), file=sys.stderr, flush=True)


__all__ = [
    "HEALTH_SIGN",
    "HEALTH_STYLE",
    "LONGEST_TEXT",
    "SEVERITY_STYLE",
    "clean",
    "console",
    "grid",
    "heading",
    "is_terminal",
    "print_json",
    "say",
    "show",
    "text",
]
