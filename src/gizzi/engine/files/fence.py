"""Text from outside, as data in a Markdown file that a model will follow."""

from __future__ import annotations

import re

MOST_LINES = 200
LONGEST_LINE = 500


class Outside:
    """Text that nobody may take for instructions. However a template prints it, it comes out fenced."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return fenced(self._text)


def fenced(text: str) -> str:
    """A block of its own in which each line begins with a bar, so that none can close the fence, begin a heading or be taken for a task.

    Only what is printable is kept, of at most so many lines and so much of each.
    """
    lines = [_shown(line) for line in text[: MOST_LINES * LONGEST_LINE].splitlines()] or [""]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"… {len(lines) - MOST_LINES} more lines"]
    fence = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    return "\n".join(["", f"{fence}text", *(f"| {line}".rstrip() for line in lines), fence, ""])


def _shown(line: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in line[:LONGEST_LINE]).rstrip()
    return shown + "…" if len(line) > LONGEST_LINE else shown
