"""Findings of an analysis as items of a report."""

from __future__ import annotations

from collections.abc import Iterable

from gizzi import ReportItem
from gizzi.analysis.report import Finding


def items(findings: Iterable[Finding], unknown: Iterable[str] = (), about: str = "") -> list[ReportItem]:
    """What is unknown is told too: it is not safe."""
    found = [
        ReportItem(f.text, f.severity, about or f.subject, tuple((seen.where, seen.quote) for seen in f.evidence), f.fix or None)
        for f in findings
    ]
    return found + [not_known(text, about) for text in unknown]


def not_known(text: str, about: str = "") -> ReportItem:
    return ReportItem(f"not known: {text}", "low", about)
