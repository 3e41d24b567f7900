"""How the demo is told: a live screen on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gizzi.cli.status_table import fleet_strip, health_totals
from gizzi.cli.terminal import SEVERITY_STYLE, clean, console, grid, show

STYLE = {
    "note": "dim",
    "fault": "bold cyan",
    "opened": "bold red",
    "reopened": "bold red",
    "decided": "bold",
    "waiting": "dim",
    "asked": "bold yellow",
    "acting": "bold",
    "acted": "bold",
    "verdict": "bold green",
    "not done": "yellow",
    "resolved": "green",
}
SIGN = {
    "note": " ",
    "fault": "≈",
    "opened": "●",
    "reopened": "●",
    "decided": "→",
    "waiting": "…",
    "asked": "?",
    "acting": "▶",
    "acted": "▶",
    "verdict": "✓",
    "not done": "–",
    "resolved": "✓",
}
FEED_LINES = 14


@dataclass(frozen=True, slots=True)
class Line:
    """kind: one of those in SIGN."""

    kind: str
    at_s: float
    text: str


class Teller(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def progress(self, words: str) -> None: ...

    def tell(self, line: Line) -> None: ...

    def refresh(self, elapsed_s: float, statuses: list[dict[str, Any]], incidents: list[dict[str, Any]]) -> None: ...

    def summary(self, result: dict[str, Any], failures: list[str]) -> None: ...


class Plain:
    """One line a happening, on stderr, so that --json stays alone on stdout."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def progress(self, words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    def tell(self, line: Line) -> None:
        print(f"{line.at_s:5.1f} s  {line.kind:<9} {clean(line.text)}", file=sys.stderr, flush=True)

    def refresh(self, elapsed_s: float, statuses: list[dict[str, Any]], incidents: list[dict[str, Any]]) -> None:
        pass

    def summary(self, result: dict[str, Any], failures: list[str]) -> None:
        show(*_summary(result, failures))


class Screen:
    """The fleet as a strip, the story below it, and what is open, redrawn in place."""

    def __init__(self, for_s: float) -> None:
        self._for_s = for_s
        self._console = console()
        self._live = Live(console=self._console, refresh_per_second=4, transient=True, vertical_overflow="crop")
        self._feed: deque[Line] = deque(maxlen=FEED_LINES)
        self._told: list[Line] = []

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.__exit__(kind, error, trace)

    def progress(self, words: str) -> None:
        self._live.update(Padding(Text(words, "dim"), (1, 2)))

    def tell(self, line: Line) -> None:
        self._feed.append(line)
        self._told.append(line)

    def refresh(self, elapsed_s: float, statuses: list[dict[str, Any]], incidents: list[dict[str, Any]]) -> None:
        open_ones = [incident for incident in incidents if incident["state"] != "resolved"]
        head = Table.grid(expand=True)
        head.add_column(ratio=1)
        head.add_column(justify="right")
        left_s = max(0.0, self._for_s - elapsed_s)
        head.add_row(Text("Gizzi demo", "bold"), Text(f"{elapsed_s:3.0f} s, {left_s:.0f} s to go", "dim"))
        parts: list[RenderableType] = [
            head,
            Text(),
            fleet_strip(statuses, self._console.width),
            health_totals(statuses),
            Text(),
            _feed(self._feed),
        ]
        if open_ones:
            parts += [Text(), grid([_open(incident) for incident in open_ones[:3]], indent=0)]
        self._live.update(Padding(Group(*parts), (1, 2)))

    def summary(self, result: dict[str, Any], failures: list[str]) -> None:
        show(Padding(_feed(self._told), (1, 2)))
        show(*_summary(result, failures))


def _feed(lines: Any) -> RenderableType:
    rows = [
        [Text(f"{line.at_s:3.0f} s", "dim"), Text(SIGN[line.kind], STYLE[line.kind]), Text(clean(line.text), STYLE[line.kind])]
        for line in lines
    ]
    return grid(rows, indent=0)


def _open(incident: dict[str, Any]) -> list[Text]:
    severity = incident["severity"]
    return [Text(incident["id"], "bold"), Text(severity, SEVERITY_STYLE.get(severity, "")), Text(clean(incident["summary"]))]


def _done(actions: list[dict[str, Any]]) -> str:
    done = [action for action in actions if action["outcome"] is not None]
    if not done:
        return "The restart by hand raised nothing, and nothing was done without a person."
    verdicts = ", ".join(str(action["verdict"] or "no verdict yet").replace("_", " ") for action in done)
    one = len(done) == 1
    what = f"Gizzi did one thing itself, a {done[0]['action']}" if one else f"Gizzi did {len(done)} things itself"
    return f"The restart by hand raised nothing. {what}, when the guard allowed it; seen afterwards: {verdicts}."


def _summary(result: dict[str, Any], failures: list[str]) -> list[RenderableType]:
    incidents = result["incidents"]
    count, resolved = len(incidents), sum(incident["state"] == "resolved" for incident in incidents)
    decided = ", ".join(incident["decision"]["action"] for incident in reversed(incidents) if incident["decision"]) or "nothing yet"
    are_over = "all over" if resolved == count else f"{resolved} over"
    lines = [
        f"{result['validators']} validators went through a lost network, a restart by hand and a chain without finality.",
        f"You were told of {count} incidents ({are_over}), not of {result['validators']} validators. Decided: {decided}.",
        _done(result["actions"]),
        "Next: gizzi init writes a gizzi.toml for your own validators.",
    ]
    shown: list[RenderableType] = [Padding(Text(line, "bold" if i == 1 else ""), (0, 0, 0, 2)) for i, line in enumerate(lines)]
    shown += [Padding(Text(f"The story did not go as told: {failure}", "bold red"), (0, 0, 0, 2)) for failure in failures]
    return [*shown, Text()]
