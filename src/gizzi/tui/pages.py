"""What is shown in full: a validator, an approval, the panels, the keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gizzi.clock import duration_text
from gizzi.screen.incident import alert_rows
from gizzi.screen.words import HEALTH_SIGN, HEALTH_STYLE, clean, grid, heading, text
from gizzi.tui.lines import LAG_TOP, NOTHING, PEERS_TOP, age
from gizzi.tui.trend import PERIOD_S, Trends, spark

Row = Mapping[str, Any]
KEYS = (
    ("arrows, PgUp, PgDn", "move; the mouse works too"),
    ("Tab, or 1 2 3", "go to the fleet, the incidents, the approvals"),
    ("Enter, Esc", "show in full, and back"),
    ("/", "list only what has these words; Esc in it lists all again"),
    ("s", "sort the fleet by number, health, lag, peers, block or name"),
    ("p", "panels: quorum, spend, memory, actions, and those of plugins"),
    ("a, d", "approve or deny what waits; you type the validator's number back"),
    ("k", "acknowledge the incident: you have seen it and look after it"),
    ("?, q", "these keys; quit"),
)


def validator_page(status: Row, detail: Row | None, trends: Trends, width: int, now: float) -> RenderableType:
    """detail: None while it is not there yet."""
    health = status["health"]
    title = Text.assemble((f"{status['number']}  ", "bold"), (clean(status["name"], 80), "bold"), "  ")
    title.append(f"{HEALTH_SIGN[health]} {health}", HEALTH_STYLE[health])
    seen = f"seen {age(status['observed_at'], now)} ago" if status["observed_at"] else "never seen"
    about = [f"chain {clean(status['chain'], 40)}", f"version {clean(status['version'] or 'unknown', 40)}", seen]
    parts: list[RenderableType] = [title, Text(" · ".join(about), "dim")]
    if status["reasons"]:
        parts += [Text(), grid(([text(reason)] for reason in status["reasons"]), indent=0)]
    parts += [Text(), *_past(status, trends, width)]
    if detail is None or detail.get("number") != status["number"]:
        return Group(*parts, Text(), Text("asking for the rest …", "dim"))
    return Group(*parts, *_facts(detail), *_observed(detail, now))


def _past(status: Row, trends: Trends, width: int) -> list[RenderableType]:
    number, room = status["number"], max(8, min(60, width - 22))
    span = duration_text(room * PERIOD_S)
    rows = (
        ("block", status["block_height"], spark(trends.progress(number), room), "cyan"),
        ("lag", status["finalization_lag"], spark(trends.lag(number), room, least_top=LAG_TOP), "dark_orange"),
        ("peers", status["peers"], spark(trends.peers(number), room, least_top=PEERS_TOP), "blue"),
    )
    lines = [
        Text.assemble((f"{name:<6}", "dim"), f"{NOTHING if value is None else value:>10}  ", (line, style))
        for name, value, line, style in rows
    ]
    return [*lines, Text(f"blocks gained, lag and peers, at most the last {span}", "dim")]


def _facts(detail: Row) -> list[RenderableType]:
    parts: list[RenderableType] = []
    forecasts = [[text(f["text"], "" if f["sure"] else "dim", 300)] for f in detail.get("forecasts", ())]
    if forecasts:
        parts += [Text(), heading("What will break, and when"), grid(forecasts)]
    facts = [[Text(name.replace("_", " "), "dim"), _yes(value, good=name == "up")] for name, value in detail.get("facts", {}).items()]
    if facts:
        parts += [Text(), heading("What a restart stands on"), grid(facts)]
    if detail.get("alerts"):
        parts += [Text(), heading("Alerts"), grid(alert_rows(detail["alerts"]))]
    failures = [[text(name, "dim", 40), text(f["kind"], "", 20), text(f["text"])] for name, f in detail.get("failures", {}).items()]
    if failures:
        parts += [Text(), heading("What fails"), grid(failures)]
    return parts


def _yes(value: object, *, good: bool) -> Text:
    """good: whether yes is what one wants to read."""
    return Text("unknown", "magenta") if value is None else Text("yes" if value else "no", "" if bool(value) is good else "bold red")


def _observed(detail: Row, now: float) -> list[RenderableType]:
    rows = [
        [Text(age(o["at"], now), "dim", justify="right"), text(o["text"], "" if o["fresh"] else "dim", 200)]
        for o in detail.get("observations", {}).values()
    ]
    return [Text(), heading("Observations, and how old they are"), grid(rows)] if rows else []


def approval_page(approval: Row, now: float) -> RenderableType:
    left_s = datetime.fromisoformat(approval["expires_at"]).timestamp() - now
    title = Text.assemble((approval["id"], "bold"), "  ", (f"{clean(approval['action'], 40)} validator {approval['validator']}", "bold"))
    state = f"{duration_text(left_s)} left" if approval["state"] == "waiting" and left_s > 0 else approval["state"]
    rows = [[Text("because", "dim"), text(approval["because"])]]
    rows += [[Text("asks since" if at == 0 else "", "dim"), text(reason)] for at, reason in enumerate(approval["reasons"])]
    if approval["incident"]:
        rows.append([Text("incident", "dim"), text(approval["incident"])])
    return Group(title, Text(state, "dark_orange"), Text(), grid(rows, indent=0))


def panels_page(panels: Sequence[Row] | None, width: int) -> RenderableType:
    """Every panel below the other, the one in trouble with its reason."""
    if panels is None:
        return Text("asking for the panels …", "dim")
    parts: list[RenderableType] = []
    for panel in panels:
        parts += [heading(clean(panel["title"], 60)), *_value(panel, width)]
        if panel["error"]:
            parts.append(text(f"no newer one: {panel['error']}" if panel["kind"] else f"failed: {panel['error']}", "dark_orange"))
        parts.append(Text())
    return Group(*parts)


def _value(panel: Row, width: int) -> Iterable[RenderableType]:
    value = panel["value"]
    match panel["kind"]:
        case "number":
            yield Text(f"  {value:g}" if isinstance(value, float) else f"  {value}", "bold")
        case "text":
            yield grid([text(line)] for line in str(value).split("\n"))
        case "table":
            yield _table(value) if value["rows"] else Text("  nothing", "dim")
        case "series":
            yield from _series(value, width)
        case _ if panel["error"] is None:
            yield Text("  not answered yet", "dim")


def _table(value: Row) -> RenderableType:
    table = Table(box=None, header_style="dim", pad_edge=True, padding=(0, 1))
    for at, column in enumerate(value["columns"]):
        numbers = all(not isinstance(row[at], str) for row in value["rows"])
        table.add_column(Text(clean(column, 40)), justify="right" if numbers else "left", overflow="fold")
    for row in value["rows"]:
        table.add_row(*(Text(f"{cell:g}" if isinstance(cell, float) else clean(cell, 200)) for cell in row))
    return table


def _series(points: Sequence[Sequence[float]], width: int) -> Iterable[RenderableType]:
    """From its least to its largest, which stand beside it."""
    values = [value for _, value in points]
    if not values:
        yield Text("  nothing", "dim")
        return
    low, high, room = min(values), max(values), max(8, min(len(values), width - 30))
    scaled = [round((value - low) / (high - low) * 600) if high > low else 300 for value in values]
    yield Text.assemble("  ", (spark(scaled, room, least_top=600), "cyan"), f"  {values[-1]:g}", (f"  ({low:g} to {high:g})", "dim"))


def help_page() -> RenderableType:
    return Group(heading("Keys"), Text(), grid(([Text(key, "bold"), Text(words)] for key, words in KEYS), indent=0))
