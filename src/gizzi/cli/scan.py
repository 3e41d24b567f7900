"""`gizzi scan`: logs and firewall rules out of files, judged by themselves."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from rich.console import RenderableType
from rich.text import Text

from gizzi.analysis.attack_report import Attack, ScanReport
from gizzi.analysis.attacks import scan_logs_for_attacks
from gizzi.analysis.firewall import review_firewall_rules
from gizzi.analysis.report import Evidence, Finding, Report
from gizzi.cli.terminal import SEVERITY_STYLE, clean, grid, print_json, show, text
from gizzi.clock import LiveClock, duration_text, iso
from gizzi.errors import UsageError
from gizzi.readers.rules import UnreadableRules

PIECE_BYTES = 1 << 20
MOST_RULE_BYTES = 4_000_000
STDIN = Path("-")
LONGEST_FIX = 4000


def show_attacks(files: Sequence[Path], *, as_json: bool) -> int:
    """The oldest file first, so that a rotation is read in its order. Raises UsageError for a file that cannot be read."""
    ages = {path: _written_at(path) for path in dict.fromkeys(files)}
    paths = sorted(ages, key=lambda path: ages[path])
    streams = {str(path): _pieces(path) for path in paths}
    report = scan_logs_for_attacks(streams, reference={str(path): ages[path] for path in paths})
    if as_json:
        print_json(report.as_json())
    else:
        show(*(part for attack in report.findings for part in _attack_lines(attack)), *_scan_foot(report))
    return 0


def show_firewall(file: Path, *, as_json: bool) -> int:
    """Raises UsageError for a file that cannot be read, or holds no rules."""
    listing = b"".join(_pieces(file, most=MOST_RULE_BYTES)).decode("utf-8", "replace")
    try:
        report = review_firewall_rules(listing)
    except UnreadableRules as error:
        raise UsageError(f"{file}: {error}") from None
    if as_json:
        print_json(report.as_json())
    else:
        show(*(part for finding in report.findings for part in _finding_lines(finding)), *_rules_foot(report))
    return 0


def _written_at(path: Path) -> float:
    if path == STDIN:
        return LiveClock().now()
    try:
        return path.stat().st_mtime
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> UsageError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "it ends too early"
    return UsageError(f"{path} cannot be read: {why}")


def _pieces(path: Path, most: int | None = None) -> Iterator[bytes]:
    """Raises UsageError."""
    left = most
    try:
        with _opened(path) as file:
            while piece := file.read(PIECE_BYTES if left is None else min(left, PIECE_BYTES)):
                yield piece
                left = None if left is None else left - len(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from None


def _opened(path: Path) -> IO[bytes]:
    if path == STDIN:
        return sys.stdin.buffer
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if zipped else path.open("rb")


def _attack_lines(attack: Attack) -> Iterator[RenderableType]:
    style = SEVERITY_STYLE[attack.severity]
    yield Text.assemble((attack.severity, style), " ", (attack.kind, "bold"), " ", clean(attack.source, 120))
    rows = [_row("", attack.text)]
    rows += [_row("when", _when(attack))] if attack.first_at is not None else []
    rows += [_row("users", ", ".join(attack.users))] if attack.users else []
    rows += [_row("sources", ", ".join(attack.sources[:10]) + (", …" if len(attack.sources) > 10 else ""))] if attack.sources else []
    yield grid([*rows, *_evidence(attack.evidence), _row("to do", attack.fix)])


def _when(attack: Attack) -> str:
    first, last = attack.first_at or 0.0, attack.last_at or 0.0
    return f"{_time(first)}, for {duration_text(last - first)}" if last > first else _time(first)


def _time(at: float) -> str:
    return (iso(at) or "")[:19].replace("T", " ") + " UTC"


def _row(name: str, words: str, limit: int = 600) -> list[RenderableType]:
    return [text(name, "dim"), Text(clean(words, limit))]


def _evidence(found: Sequence[Evidence]) -> list[list[RenderableType]]:
    return [[text(quote.where, "dim"), text(quote.quote, "dim")] for quote in found]


def _scan_foot(report: ScanReport) -> Iterator[RenderableType]:
    span = f", {_time(report.first_at)} to {_time(report.last_at)}" if report.first_at and report.last_at else ""
    yield Text(f"{len(report.findings)} findings in {report.lines} lines, {report.events} of them about logins or misbehaviour{span}")
    for line in report.unknown:
        yield Text.assemble(("unknown", "magenta"), " ", clean(line))


def _finding_lines(finding: Finding) -> Iterator[RenderableType]:
    yield Text.assemble((finding.severity, SEVERITY_STYLE[finding.severity]), " ", (finding.kind, "bold"), " ", clean(finding.subject, 120))
    fixes = [_row("change" if i == 0 else "", line, LONGEST_FIX) for i, line in enumerate(finding.fix.split("\n")) if line]
    yield grid([_row("", finding.text), *_evidence(finding.evidence), *fixes])


def _rules_foot(report: Report) -> Iterator[RenderableType]:
    for line in report.unknown:
        yield Text.assemble(("unknown", "magenta"), " ", clean(line))
    if not report.findings:
        yield Text(
            "nothing is open that should be closed, nor closed that should be open" + (", as far as is known" if report.unknown else "")
        )
