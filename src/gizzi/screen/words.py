"""Names, versions and log words come from machines that may be in wrong hands: `clean` makes every one of them harmless, and no markup is
ever read out of them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gizzi.readers.text import one_line

LONGEST_TEXT = 600
HEALTH_STYLE = {"healthy": "green", "warning": "dark_orange", "critical": "bold red", "unknown": "magenta"}
HEALTH_SIGN = {"healthy": "✓", "warning": "▲", "critical": "✗", "unknown": "?"}
HEALTHS = ("critical", "warning", "unknown", "healthy")
"""The worst first."""
SEVERITY_STYLE = {"critical": "bold red", "high": "red", "medium": "dark_orange", "low": "cyan"}


def clean(value: object, limit: int = LONGEST_TEXT) -> str:
    """A text from outside as one printable line."""
    return one_line(str(value), limit)


def text(value: object, style: str = "", limit: int = LONGEST_TEXT) -> Text:
    """The same, in a style; what looks like markup in it is shown as it is."""
    return Text(clean(value, limit), style)


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
