"""What every analysis returns: findings with their evidence and the change that mends them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gizzi.readers.text import one_line

Severity = Literal["low", "medium", "high", "critical"]
RANK: dict[str, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}
LONGEST_QUOTE = 300


@dataclass(frozen=True, slots=True)
class Evidence:
    """where: a file and line, a rule's number, or an observation's id. quote: its words, made one harmless line."""

    where: str
    quote: str


def evidence(where: str, text: str) -> Evidence:
    return Evidence(one_line(where, 120), one_line(text, LONGEST_QUOTE))


@dataclass(frozen=True, slots=True)
class Finding:
    """kind: one word for programs. subject: what it is about. fix: what to write or do, exactly; "" where a person has to look first."""

    kind: str
    severity: Severity
    subject: str
    text: str
    evidence: tuple[Evidence, ...] = ()
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Report:
    """findings: the worst first. unknown: what could not be judged, and why; nothing there is a finding, and none of it is safe."""

    findings: tuple[Finding, ...]
    unknown: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"findings": [finding.as_json() for finding in self.findings], "unknown": list(self.unknown)}


def report(findings: Iterable[Finding], unknown: Iterable[str] = ()) -> Report:
    return Report(tuple(sorted(findings, key=lambda found: (RANK[found.severity], found.kind, found.subject))), tuple(unknown))
