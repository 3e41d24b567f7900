"""What a source saw of one validator at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gizzi.errors import FailureKind

Value = float | int | bool | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nothing was seen: its kind, which rules look at, and one line for people."""

    kind: FailureKind
    text: str


@dataclass(slots=True)
class Collected:
    """One collection of one source from one validator.

    at: epoch seconds when it ended. values: by observation name; what was not seen is not in it. failure: why it failed; values may
    still hold what was seen before the failure. fresh_for_s: how long these values may be believed. by: who collected it, where several
    report as one source.
    """

    validator: int
    source: str
    at: float
    values: Mapping[str, Value]
    failure: Failure | None = None
    fresh_for_s: float = 15.0
    by: str = ""


def text(name: str, value: Value) -> str:
    """What a prompt or a piece of evidence shows of an observation; quotes must occur in it."""
    if isinstance(value, bool):
        shown = "yes" if value else "no"
    elif isinstance(value, float):
        shown = f"{value:.6g}" if abs(value) < 1e15 and value != int(value) else f"{value:.0f}"
    elif isinstance(value, tuple):
        shown = ", ".join(value)
    else:
        shown = str(value)
    return f"{name} = {shown}"
