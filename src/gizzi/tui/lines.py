"""One row of each list as a line. Words from outside go through `clean`; nothing is read as markup."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

from gizzi.clock import duration_text
from gizzi.screen.incident import STATE_STYLE
from gizzi.screen.words import HEALTH_SIGN, HEALTH_STYLE, HEALTHS, SEVERITY_STYLE, clean
from gizzi.tui.trend import Trends, spark

Row = Mapping[str, Any]
NOTHING = "–"
NARROWEST_NAME, WIDEST_NAME, NARROWEST_WHY = 7, 24, 16
LAG_TOP, PEERS_TOP = 8, 8
"""Where a line of blocks reaches its top at the earliest: a lag of 2 is no mountain."""


@dataclass(frozen=True, slots=True)
class Column:
    """width: in columns of the screen; 0 for what is left. from_width: the narrowest list that has it."""

    title: str
    width: int
    cell: Callable[[Row], Text]
    right: bool = False
    from_width: int = 0


def fleet_columns(
    trends: Trends, width: int, *, chains: bool, longest: int = WIDEST_NAME, longest_block: int | None = None
) -> list[Column]:
    """What fits into that width; the name has 7 to 24 columns, and reasons come where 16 are left. longest: of
    the names, in columns. longest_block: the highest block."""
    long = 12 if width >= 140 else 8 if width >= 100 else 6
    digits = 10 if longest_block is None else max(5, len(str(longest_block)))
    columns = [
        Column("#", 4, lambda v: Text(str(v["number"]), "" if v["health"] == "healthy" else "bold"), right=True),
        Column("name", 0, lambda v: Text(clean(v["name"], 60), "" if v["health"] == "healthy" else "bold")),
        Column("chain", 12, lambda v: Text(clean(v["chain"], 24), "dim"), from_width=96 if chains else 10_000),
        Column("block", digits, lambda v: _figure(v["block_height"]), right=True, from_width=44),
        Column(
            "blocks" if long < 8 else "progress", long, lambda v: Text(spark(trends.progress(v["number"]), long), "cyan"), from_width=52
        ),
        Column("lag", 4, lambda v: _figure(v["finalization_lag"]), right=True),
        Column("", long, lambda v: Text(spark(trends.lag(v["number"]), long, least_top=LAG_TOP), "dark_orange"), from_width=60),
        Column("peers", 5, lambda v: _figure(v["peers"]), right=True),
        Column("", long, lambda v: Text(spark(trends.peers(v["number"]), long, least_top=PEERS_TOP), "blue"), from_width=66),
        Column("health", 10, lambda v: Text(f"{HEALTH_SIGN[v['health']]} {v['health']}", HEALTH_STYLE[v["health"]])),
    ]
    columns = [column for column in columns if width >= column.from_width]
    left = width - sum(column.width + 1 for column in columns)
    name = max(NARROWEST_NAME, min(WIDEST_NAME, longest, left))
    columns = [column if column.width else Column(column.title, name, column.cell) for column in columns]
    if left - name - 2 >= NARROWEST_WHY:
        columns.append(Column("why", left - name - 2, lambda v: Text(clean("; ".join(v["reasons"]), 300), "dim")))
    return columns


def headings(columns: Sequence[Column]) -> Text:
    return _line(columns, lambda column: Text(column.title, "dim"))


def fleet_line(columns: Sequence[Column], v: Row) -> Text:
    return _line(columns, lambda column: column.cell(v))


def incident_line(row: Row, width: int, now: float) -> Text:
    """Its id, severity, state, age, and from 110 columns the decision."""
    over = row["state"] == "resolved"
    ended = "over" if over else "seen" if row["state"] == "acknowledged" else "open"
    columns = [
        Column("", 7, lambda i: Text(i["id"], "dim" if over else "bold")),
        Column("", 8, lambda i: Text(i["severity"], "dim" if over else SEVERITY_STYLE.get(i["severity"], ""))),
        Column("", 5, lambda i: Text(ended, STATE_STYLE.get(i["state"], ""))),
        Column("", 7, lambda i: Text(age(i["opened_at"], now), "dim"), right=True),
        Column("", 13, _decided, from_width=72),
    ]
    columns = [column for column in columns if width >= column.from_width]
    rest = width - sum(column.width + 1 for column in columns)
    return _line(
        [*columns, Column("", max(rest, 1), lambda i: Text(clean(i["summary"], 300), "dim" if over else ""))], lambda c: c.cell(row)
    )


def approval_line(row: Row, width: int, now: float) -> Text:
    left_s = _epoch(row["expires_at"]) - now
    what = f"{clean(row['action'], 20)} validator {row['validator']}"
    columns = [
        Column("", 6, lambda a: Text(a["id"], "bold")),
        Column("", 24, lambda a: Text(what, "bold")),
        Column("", 11, lambda a: Text(f"{duration_text(left_s)} left" if left_s > 0 else "expired", "dark_orange")),
    ]
    rest = width - sum(column.width + 1 for column in columns)
    return _line([*columns, Column("", max(rest, 1), lambda a: Text(clean(a["because"], 300)))], lambda c: c.cell(row))


def strip(statuses: Sequence[Row], width: int) -> Text:
    """The fleet in one line: a mark a validator; where they are too many, one for several, as bad as the worst of them."""
    each = max(1, -(-len(statuses) // max(1, width)))
    gap = " " if 2 * len(statuses) <= width else ""
    groups = [statuses[at : at + each] for at in range(0, len(statuses), each)]
    worst = [min((v["health"] for v in group), key=HEALTHS.index) for group in groups]
    return Text(gap).join(Text("■" if health == "healthy" else HEALTH_SIGN[health], HEALTH_STYLE[health]) for health in worst)


def age(at: str, now: float) -> str:
    """How long ago that was, or will be."""
    return duration_text(max(0.0, now - _epoch(at)))


def _epoch(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _decided(incident: Row) -> Text:
    decision = incident["decision"]
    return Text(f"→ {clean(decision['action'], 12)}" if decision else NOTHING, "dim" if incident["state"] == "resolved" else "")


def _figure(value: int | None) -> Text:
    return Text(NOTHING, "dim") if value is None else Text(str(value))


def _line(columns: Sequence[Column], cell: Callable[[Column], Text]) -> Text:
    line = Text(no_wrap=True)
    for at, column in enumerate(columns):
        line.append(" " if at else "")
        text = cell(column)
        text.truncate(column.width, overflow="ellipsis")
        text.align("right" if column.right else "left", column.width)
        line.append_text(text)
    return line
