"""What the watcher's model is shown: a report's evidence in pages that a small model can read, each fenced. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gizzi.engine.decide.evidence import Evidence
from gizzi.engine.decide.prompt import LONGEST_ID, clean
from gizzi.kinds import ReportItem
from gizzi.models.hard import BYTES_PER_TOKEN

PAGE_TOKENS = 2500
"""Well within what a small model takes, instructions and answer beside it."""
MOST_LINES = 24
"""Of one validator."""
_ABOUT = re.compile(r"validator (\d{1,10})")


@dataclass
class Page:
    """Some validators, with what was observed of them."""

    validators: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)
    bytes: int = 0

    def text(self, nonce: str) -> str:
        numbers = ", ".join(map(str, self.validators))
        shown = "\n".join((f"<observed-{nonce}>", *self.lines, f"</observed-{nonce}>"))
        return f"Validators {numbers}, as they are now and in the latest lines of their logs.\n{shown}\nWhat looks wrong?"


def pages(items: Iterable[ReportItem], validators: Collection[int], nonce: str) -> Iterator[Page]:
    """Of these validators; those that stand out come first."""
    page = Page()
    for number, item in sorted(_numbered(items), key=lambda pair: (pair[1].severity == "low", pair[0])):
        block = list(_lines(number, item, nonce)) if number in validators else []
        size = sum(len(name.encode()) + len(said.encode("utf-8", "replace")) + 3 for name, said in block)
        if page.lines and page.bytes + size > PAGE_TOKENS * BYTES_PER_TOKEN:
            yield page
            page = Page()
        if block:
            page.validators.append(number)
            page.bytes += size
        for name, said in block:
            page.lines.append(f"{name}: {said}")
            page.evidence.add(name, said)
    if page.lines:
        yield page


def _numbered(items: Iterable[ReportItem]) -> Iterator[tuple[int, ReportItem]]:
    for item in items:
        match = _ABOUT.fullmatch(item.about)
        if match:
            yield int(match[1]), item


def _lines(number: int, item: ReportItem, nonce: str) -> Sequence[tuple[str, str]]:
    own = [(name, said) for name, said in item.evidence if name.startswith(f"{number}/")]
    return [(clean(name, nonce, LONGEST_ID), clean(said, nonce)) for name, said in own[:MOST_LINES]]
