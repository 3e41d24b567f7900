"""What breaks next stands below the fleet."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from gizzi.analysis.forecast import Series, outlook
from gizzi.cli.status_table import fleet_page
from gizzi.engine.known import Known

STATUS = {
    **dict.fromkeys(("block_height", "finalized_height", "finalization_lag", "peers", "version", "observed_at", "up", "syncing")),
    "number": 6,
    "name": "a",
    "chain": "main",
    "health": "unknown",
    "reasons": [],
}


def test_the_next_to_break_is_told_in_a_line() -> None:
    soon = [outlook(Series(f"validator {n}", "disk", [(3600.0 * h, 100.0 - h) for h in range(80)])) for n in (6, 7)]
    screen = Console(width=400, record=True, file=StringIO())
    page = {"network": "test", "at": "2026-01-01T00:00:00.000Z", "validators": [STATUS]}
    for known in (Known(watching=True), Known(watching=True, soon=soon)):
        for part in fleet_page(page, known, width=None):
            screen.print(part)
    told = screen.export_text()
    assert told.count("next to break:") == 1
    assert "next to break: validator 6 has a full disk in about 21 h" in told and "and 1 more within a week" in told
