"""How a look at the fleet is drawn: a strip with one mark a validator, a table, and what is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gizzi.cli.terminal import HEALTH_SIGN, HEALTH_STYLE, SEVERITY_STYLE, clean, grid, text
from gizzi.clock import duration_text
from gizzi.engine.known import Known
from gizzi.screen.fleet import fleet_strip, health_totals

Validator = dict[str, Any]
NOTHING = "–"
WHY_FROM = 120
"""Narrower screens have the reasons below the table. A column for the chain takes CHAIN_WIDTH more."""
CHAIN_WIDTH = 20
PIPE_ROOM = 600


@dataclass(frozen=True, slots=True)
class Column:
    """from_width: the narrowest screen that has it."""

    title: str
    cell: Callable[[Validator], Text]
    from_width: int = 0
    right: bool = False
    fills: bool = False


def fleet_page(status: dict[str, Any], known: Known, *, width: int | None) -> list[RenderableType]:
    """The page as pieces, one below the other. width: of the terminal; None in a pipe, which has every column and no lines."""
    validators: list[Validator] = status["validators"]
    chains = {validator["chain"] for validator in validators}
    why_from = WHY_FROM + (CHAIN_WIDTH if len(chains) > 1 else 0)
    columns = [c for c in _columns(status["at"], width, why_from) if width is None or width >= c.from_width]
    if len(chains) == 1:
        columns = [column for column in columns if column.title != "chain"]
    return [
        _header(status, width),
        _table(columns, validators, width),
        *([] if columns[-1].fills else _reasons(validators)),
        *_footer(known, width),
    ]


def _header(status: dict[str, Any], width: int | None) -> RenderableType:
    validators: list[Validator] = status["validators"]
    title = Text.assemble((clean(status["network"], 60), "bold"), (f"   {_count(len(validators), 'validator')}", ""))
    totals = health_totals(validators)
    at = Text(_time(status["at"]), "dim")
    if width is None:
        return Text("   ").join([title, totals, at])
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(title, at)
    return Padding(Group(line, Text(), fleet_strip(validators, width), totals), (1, 1, 0, 2))


def _columns(at: str, width: int | None, why_from: int) -> list[Column]:
    figure = _figure if width is not None else _plain_figure
    room = PIPE_ROOM if width is None else 80 if width < why_from + 40 else 200
    return [
        Column("#", lambda v: Text(str(v["number"]), _loud(v) or "dim"), right=True),
        Column("name", lambda v: text(v["name"], _loud(v), 32)),
        Column("chain", lambda v: text(v["chain"], "dim", 24), from_width=90),
        Column("version", lambda v: _or_nothing(v["version"], "dim"), from_width=why_from + 50),
        Column("block", lambda v: figure(v["block_height"]), right=True),
        Column("finalized", lambda v: figure(v["finalized_height"]), from_width=90, right=True),
        Column("lag", lambda v: figure(v["finalization_lag"]), right=True),
        Column("peers", lambda v: figure(v["peers"]), right=True),
        Column("health", lambda v: Text(f"{HEALTH_SIGN[v['health']]} {v['health']}", HEALTH_STYLE[v["health"]])),
        Column("seen", lambda v: _age(v["observed_at"], at), from_width=why_from + 20, right=True),
        Column("why", lambda v: _why(v, room), from_width=why_from, fills=True),
    ]


def _table(columns: Sequence[Column], validators: Sequence[Validator], width: int | None) -> RenderableType:
    table = Table(
        box=None if width is None else box.SIMPLE_HEAD,
        border_style="dim",
        header_style="" if width is None else "dim",
        expand=columns[-1].fills and width is not None,
        pad_edge=width is not None,
        padding=(0, 2, 0, 0) if width is None else (0, 1),
    )
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not column.fills,
            overflow="fold" if column.fills else "ellipsis",
            ratio=1 if column.fills and width is not None else None,
        )
    for validator in validators:
        table.add_row(*(column.cell(validator) for column in columns))
    return table


def _reasons(validators: Sequence[Validator]) -> list[RenderableType]:
    rows = [
        [Text(str(v["number"]), "bold", justify="right"), Text(HEALTH_SIGN[v["health"]], HEALTH_STYLE[v["health"]]), _why(v, 160)]
        for v in validators
        if v["reasons"]
    ]
    return [grid(rows), Text()] if rows else []


def _footer(known: Known, width: int | None) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if known.incidents:
        count = len(known.incidents)
        left = "" if known.watching else ", as the last watch left them"
        parts += [_indented(Text.assemble((_count(count, "open incident"), "bold"), (left, "dim")), width)]
        parts += [grid([_incident(incident, width) for incident in known.incidents[:8]], indent=0 if width is None else 2)]
        if count > 8:
            parts.append(_indented(Text(f"and {count - 8} more: gizzi incidents --open", "dim"), width))
    elif known.watching:
        parts.append(_indented(Text("no open incident", "dim"), width))
    if known.soon:
        more = f", and {len(known.soon) - 1} more within a week" if len(known.soon) > 1 else ""
        told = f"{clean(known.soon[0].text(), 300)}{more}"
        parts.append(_indented(Text.assemble(("next to break: ", "bold"), told), width))
    if known.trouble is not None:
        parts.append(_indented(text(known.trouble, "dark_orange"), width))
    elif not known.watching:
        words = "Nobody watches this fleet now; `gizzi watch` also sees what takes time: stalls, missing votes, flapping."
        parts.append(_indented(Text(words, "dim"), width))
    return [*parts, Text()] if width is not None else parts


def _incident(incident: dict[str, Any], width: int | None) -> list[Text]:
    decision = incident["decision"]
    severity = incident["severity"]
    row = [Text(incident["id"], "bold"), Text(severity, SEVERITY_STYLE.get(severity, "")), text(incident["summary"])]
    if decision is not None and (width is None or width >= 100):
        row.insert(2, Text(f"→ {decision['action']}", "bold"))
    return row


def _loud(validator: Validator) -> str:
    """What is not healthy stands out."""
    return "" if validator["health"] == "healthy" else "bold"


def _why(validator: Validator, room: int) -> Text:
    return text("; ".join(validator["reasons"]), "" if validator["health"] == "critical" else "dim", room)


def _figure(value: int | None) -> Text:
    return Text(NOTHING, "dim") if value is None else Text(f"{value:,}")


def _plain_figure(value: int | None) -> Text:
    return Text(NOTHING if value is None else str(value))


def _or_nothing(value: str | None, style: str) -> Text:
    return Text(NOTHING, "dim") if value is None else text(value, style, 24)


def _age(observed_at: str | None, at: str) -> Text:
    if observed_at is None:
        return Text("never", "dim")
    age_s = (datetime.fromisoformat(at) - datetime.fromisoformat(observed_at)).total_seconds()
    return Text(f"{duration_text(max(0.0, age_s))} ago" if age_s >= 1 else "now", "dim")


def _time(at: str) -> str:
    return datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M:%S UTC")


def _indented(line: Text, width: int | None) -> RenderableType:
    return line if width is None else Padding(line, (0, 1, 0, 2))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


__all__ = ["fleet_page", "fleet_strip", "health_totals"]
