"""A role's report: the facts it found, and words about them that add none. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from gizzi.clock import iso
from gizzi.kinds import SEVERITIES, ReportItem
from gizzi.memory.entry import Entry, Priority
from gizzi.readers.text import one_line

MOST_ITEMS = 200
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_PRIORITIES: dict[str, Priority] = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "critical": "CRITICAL"}


@dataclass(frozen=True, slots=True)
class Report:
    """words: a summary by a model, empty where none could be asked or it added something. model: who wrote it. note: why there is none.
    next: what will break next and when, whatever the task was."""

    role: str
    task: str
    at: float
    items: tuple[ReportItem, ...]
    validators: tuple[int, ...]
    words: str = ""
    model: str | None = None
    cost_usd: Decimal = Decimal(0)
    note: str = ""
    next: tuple[ReportItem, ...] = ()

    @property
    def severity(self) -> str:
        """That of the gravest item; low where there is none."""
        return max((item.severity for item in self.items), key=SEVERITIES.index, default="low")

    def as_json(self) -> dict[str, Any]:
        return {
            "role": self.role,
            "task": self.task,
            "at": iso(self.at),
            "severity": self.severity,
            "validators": list(self.validators),
            "items": [_item_json(item) for item in self.items],
            "next": [_item_json(item) for item in self.next],
            "summary": self.words or plain(self.items),
            "model": self.model,
            "cost_usd": str(self.cost_usd),
            "note": self.note,
        }


def _item_json(item: ReportItem) -> dict[str, Any]:
    return {**asdict(item), "next_at": iso(item.next_at), "evidence": [list(pair) for pair in item.evidence]}


def plain(items: Sequence[ReportItem]) -> str:
    """The report in a sentence, without any model."""
    if not items:
        return "Nothing was found."
    counts = [f"{sum(item.severity == severity for item in items)} {severity}" for severity in reversed(SEVERITIES)]
    some = ", ".join(count for count in counts if not count.startswith("0 "))
    return f"{len(items)} found ({some}). First: {items[0].text}"


def facts_text(items: Sequence[ReportItem]) -> str:
    """The facts as a model is shown them, one a line."""
    return "\n".join(_line(item) for item in items[:MOST_ITEMS])


def _line(item: ReportItem) -> str:
    about = f"{item.about}: " if item.about else ""
    seen = "; ".join(f"{name}: {one_line(words, 200)}" for name, words in item.evidence[:5])
    proposal = f" Proposed: {item.proposal}" if item.proposal else ""
    return f"- [{item.severity}] {about}{one_line(item.text, 500)}" + (f" ({seen})" if seen else "") + one_line(proposal, 300)


def adds_nothing(words: str, items: Sequence[ReportItem]) -> bool:
    """Whether every number in the words stands in the facts: a model may phrase them, never add one. Counts of items may be said."""
    known = set(_NUMBER.findall(facts_text(items))) | {str(count) for count in range(len(items) + 1)}
    return all(number in known for number in _NUMBER.findall(words))


def entry_of(report: Report) -> Entry:
    """What memory keeps of it, signed by the role."""
    return Entry(
        at=report.at,
        author=report.role,
        kind="report",
        event=f"{report.task}: {report.words or plain(report.items)}",
        action="reported; nothing was changed",
        status="PENDING" if report.severity in ("high", "critical") else "COMPLETED",
        priority=_PRIORITIES[report.severity],
        tags=("report", report.task),
        validators=report.validators,
        body=facts_text([*report.items, *report.next]),
    )
