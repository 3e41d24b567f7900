"""Days until each validator's disk is full: `check_disk_space`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gizzi.analysis.forecast import Outlook, Series, outlook
from gizzi.analysis.report import Finding, Severity, evidence, report
from gizzi.analysis.trend import Point
from gizzi.clock import duration_text

_DAY_S = 86400.0
ALMOST_FULL = 0.05
"""Share of the disk: below it a database may fail to compact. As in the rule disk_filling."""
LOW = 0.10
SOON_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class DiskHistory:
    """What is known of one validator's disk. points: (epoch seconds, free bytes). size_bytes: None where it is unknown."""

    number: int
    points: Sequence[Point]
    size_bytes: float | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class DiskRow:
    """days: until it is full, by the trend; soonest and latest hold it with a probability of four fifths. None: not in sight.

    unknown: why there is no forecast; what is free may be known all the same.
    """

    number: int
    name: str
    free_bytes: float | None
    size_bytes: float | None
    days: float | None
    soonest_days: float | None
    latest_days: float | None
    per_day_bytes: float | None
    past_error_bytes: float | None
    unknown: str


@dataclass(frozen=True, slots=True)
class DiskReport:
    """rows: every validator, the fullest to be first."""

    rows: tuple[DiskRow, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        rows = [asdict(row) for row in self.rows]
        return {"rows": rows, "findings": [finding.as_json() for finding in self.findings], "unknown": list(self.unknown)}


def check_disk_space(disks: Iterable[DiskRow]) -> DiskReport:
    rows = sorted(disks, key=_urgency)
    unknown = tuple(f"validator {row.number}: {row.unknown}" for row in rows if row.unknown)
    return DiskReport(tuple(rows), report(f for row in rows if (f := _finding(row)) is not None).findings, unknown)


def disk_row(disk: DiskHistory) -> DiskRow:
    """What its history tells: some milliseconds of work."""
    free = max(disk.points, key=lambda point: point[0])[1] if disk.points else None
    seen: Outlook = outlook(Series(f"validator {disk.number}", "disk", disk.points))
    why = "nothing was observed of its disk" if free is None else seen.unknown
    return DiskRow(
        disk.number,
        disk.name,
        free,
        disk.size_bytes,
        _days(seen.likely_s),
        _days(seen.soonest_s),
        _days(seen.latest_s),
        seen.per_day,
        seen.past_error,
        why,
    )


def _days(span_s: float | None) -> float | None:
    return None if span_s is None else span_s / _DAY_S


def _share(row: DiskRow) -> float | None:
    return row.free_bytes / row.size_bytes if row.free_bytes is not None and row.size_bytes else None


def _urgency(row: DiskRow) -> tuple[float, float, int]:
    never = float("inf")
    share = _share(row)
    return (never if row.days is None else row.days), (never if share is None else share), row.number


def _finding(row: DiskRow) -> Finding | None:
    share = _share(row)
    low = share is not None and share < LOW
    soon = row.days is not None and row.days <= SOON_DAYS
    if not low and not soon:
        return None
    severity: Severity = "high" if (share is not None and share < ALMOST_FULL) or (soon and (row.days or 0) < 1) else "medium"
    left = f"{(row.free_bytes or 0) / 1e9:.3g} GB free" + (f", {share:.0%} of it" if share is not None else "")
    when = f"; full in about {duration_text((row.days or 0) * _DAY_S)}{_between(row)}" if soon else ""
    quotes = (evidence(f"{row.number}/disk_free_bytes", f"disk_free_bytes = {row.free_bytes:.0f}"),)
    fix = "free space, or grow the disk; prune logs and old snapshots first, never the database of an active authority"
    return Finding("disk", severity, f"validator {row.number}", f"{left}{when}", quotes, fix)


def _between(row: DiskRow) -> str:
    soonest = duration_text((row.soonest_days or 0.0) * _DAY_S)
    latest = "never" if row.latest_days is None else duration_text(row.latest_days * _DAY_S)
    return f" (between {soonest} and {latest}, 80 %)" if row.soonest_days is not None else ""
