"""Findings of an analysis as items of a report."""

from __future__ import annotations

from collections.abc import Iterable

from gizzi import ReportItem
from gizzi.analysis.report import Finding


def items(findings: Iterable[Finding], unknown: Iterable[str] = (), about: str = "") -> list[ReportItem]:
    """What is unknown is told too: it is not safe."""
    found = [
        ReportItem(
            finding.text,
            finding.severity,
            about or finding.subject,
            tuple((seen.where, seen.quote) for seen in finding.evidence),
            finding.fix or None,
        )
        for finding in findings
    ]
    return found + [ReportItem(f"not known: {text}", "low", about) for text in unknown]
