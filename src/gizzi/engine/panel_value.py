"""What a panel returned, as faces show it. PURE. A plugin's words are untrusted: bounded, one printable line each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from gizzi.errors import GizziError
from gizzi.readers.text import one_line

MOST_ROWS = 200
MOST_COLUMNS = 12
MOST_POINTS = 2000
MOST_LINES = 20
LONGEST_CELL = 200
NOTHING = "nothing is known"


class PanelFault(GizziError):
    """A panel returned what is none of the four kinds."""


def value_of(drawn: Any) -> tuple[str, Any]:
    """(kind, value). Raises PanelFault."""
    if drawn is None:
        return "text", NOTHING
    if isinstance(drawn, str):
        lines = drawn[: LONGEST_CELL * MOST_LINES].splitlines()[:MOST_LINES]
        return "text", "\n".join(one_line(line, LONGEST_CELL) for line in lines)
    number = _number(drawn)
    if number is not None:
        return "number", number
    if isinstance(drawn, Sequence) and all(isinstance(row, Mapping) for row in drawn):
        return "table", _table(drawn)
    if isinstance(drawn, Sequence) and all(_is_point(point) for point in drawn):
        return "series", [[float(at), _number(value)] for at, value in drawn[-MOST_POINTS:]]
    what = "a number that is not finite" if isinstance(drawn, int | float | Decimal) else f"a {type(drawn).__name__}"
    raise PanelFault(f"it returned {what}: no number, text, table (mappings with the same keys) or series (pairs of time and number)")


def _number(value: Any) -> int | float | None:
    """As JSON has it; None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if isinstance(value, int):
        return value if abs(value) < 2**53 else float(min(max(value, -(10**300)), 10**300))
    if isinstance(value, Decimal) and value.is_nan():  # a signalling one may not even be asked by `math`
        return None
    return float(value) if math.isfinite(value) else None


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, Sequence)
        and not isinstance(point, str)
        and len(point) == 2
        and None not in (_number(point[0]), _number(point[1]))
    )


def _table(rows: Sequence[Mapping[Any, Any]]) -> dict[str, Any]:
    """Columns are those of the first row; another row's missing ones are empty."""
    keys = list(rows[0])[:MOST_COLUMNS] if rows else []
    return {
        "columns": [one_line(str(key), LONGEST_CELL) for key in keys],
        "rows": [[_cell(row.get(key)) for key in keys] for row in rows[:MOST_ROWS]],
    }


def _cell(value: Any) -> int | float | str:
    number = _number(value)
    return number if number is not None else one_line("" if value is None else str(value), LONGEST_CELL)
