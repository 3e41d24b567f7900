"""Closed incidents that resemble an open one, as memory gives them. Memory itself is elsewhere; it is handed in as a function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gizzi.alerts.incident import Incident


@dataclass(frozen=True, slots=True)
class Case:
    """One closed incident. action: what was decided. verdict: what verification found, None where nothing was done or it is not known.
    closed_at: epoch seconds. reasoning: why it was decided so; untrusted, as everything that a model wrote."""

    incident: str
    closed_at: float
    rule: str
    validators: tuple[int, ...]
    summary: str
    action: str
    verdict: str | None = None
    reasoning: str = ""


Recall = Callable[[Incident], Awaitable[Sequence[Case]]]
"""Similar cases, the most similar first."""
Search = Callable[[str], Awaitable[Sequence[Case]]]
"""Cases whose text holds these words."""


def precedent(incident: Incident, cases: Sequence[Case]) -> Case | None:
    """A case of the same rule, about as many validators, whose remedy was seen to work; none where the latest such remedy failed."""
    alike = [case for case in cases if case.rule == incident.rule and len(case.validators) == len(incident.validators)]
    latest = max((case for case in alike if case.verdict is not None), key=lambda case: case.closed_at, default=None)
    return latest if latest is not None and latest.verdict == "resolved" else None
