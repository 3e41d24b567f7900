"""The fleet in one glance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from gizzi.screen.words import HEALTH_SIGN, HEALTH_STYLE, HEALTHS

Validator = dict[str, Any]
STRIP_MARK = "■"


def health_totals(validators: Sequence[Validator]) -> Text:
    healths = Counter(validator["health"] for validator in validators)
    return Text("   ").join(
        Text(f"{HEALTH_SIGN[health]} {healths[health]} {health}", HEALTH_STYLE[health]) for health in HEALTHS if healths[health]
    )


def fleet_strip(validators: Sequence[Validator], width: int) -> Text:
    """The fleet in one glance: a mark a validator, in order of number."""
    gap = " " if 2 * len(validators) < width - 4 else ""
    return Text(gap).join(Text(STRIP_MARK, HEALTH_STYLE[validator["health"]].removeprefix("bold ")) for validator in validators)
