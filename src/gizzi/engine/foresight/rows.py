"""Forecasts in the store: the latest of each subject, and earlier ones beside what came."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any

from sqlalchemy import Connection, delete, select, update

from gizzi.analysis.forecast import Outlook, outlook_of
from gizzi.analysis.trend import Point
from gizzi.engine.past.rows import upsert
from gizzi.store.history_schema import checks, outlooks
from gizzi.store.ledger_schema import entries

KEPT_S = 30 * 86400.0
NEAR_S = 1800.0
"""A sample so near to the time that was foretold counts as what came."""
MOST = 2000
"""So many of the latest that came due tell how good forecasts are."""
OLD_S = 6 * 3600.0
"""Older forecasts are not shown: nobody has looked since."""


@dataclass(frozen=True, slots=True)
class Record:
    """How earlier forecasts of a kind did: of `tests` that have come due, `held` is the share within their interval (four fifths were
    promised), `error` the median of the errors, in the series' own unit."""

    tests: int
    held: float
    error: float


def keep(connection: Connection, found: Iterable[Outlook], now: float) -> None:
    rows = [{"subject": o.subject, "what": o.what, "made_at": now, "outlook": json.dumps(o.as_json())} for o in found]
    if rows:
        connection.execute(upsert(connection.dialect.name, outlooks), rows)


def latest(connection: Connection, now: float) -> list[Outlook]:
    """Those that are not old."""
    found = connection.execute(select(outlooks.c.outlook).where(outlooks.c.made_at.between(now - OLD_S, now))).scalars()
    return [outlook_of(json.loads(text)) for text in found]


def forget(connection: Connection, now: float) -> None:
    """What is too old to be of use."""
    connection.execute(delete(outlooks).where(outlooks.c.made_at < now - KEPT_S))
    connection.execute(delete(checks).where(checks.c.due_at < now - KEPT_S))


def note(connection: Connection, made: Iterable[Outlook], now: float) -> None:
    """Remember what each says of the end of its reach, unless an earlier one of its kind waits for its time."""
    known = [found for found in made if found.end is not None]
    subjects = {found.subject for found in known}
    query = select(checks.c.subject, checks.c.what).where(checks.c.subject.in_(subjects), checks.c.due_at > now)
    waiting = {(row.subject, row.what) for row in connection.execute(query)}
    rows = [
        {"subject": o.subject, "what": o.what, "due_at": v.at, "made_at": now, "came": None}
        | {"low": v.low, "likely": v.likely, "high": v.high}
        for o in known
        if (v := o.end) is not None and (o.subject, o.what) not in waiting and v.at > now
    ]
    if rows:
        connection.execute(upsert(connection.dialect.name, checks), rows)


def settle(connection: Connection, subject: str, what: str, points: Sequence[Point], now: float) -> None:
    """Note what came of those whose time has come. points: of the time since, oldest first."""
    due = select(checks.c.due_at).where(checks.c.subject == subject, checks.c.what == what, checks.c.came.is_(None), checks.c.due_at <= now)
    for due_at in connection.execute(due).scalars().all():
        nearest = min(points, key=lambda point: abs(point[0] - due_at), default=None)
        if nearest is not None and abs(nearest[0] - due_at) <= NEAR_S:
            one = (checks.c.subject == subject) & (checks.c.what == what) & (checks.c.due_at == due_at)
            connection.execute(update(checks).where(one).values(came=float(nearest[1])))


def records(connection: Connection) -> dict[str, Record]:
    """By what was foretold."""
    query = select(checks).where(checks.c.came.is_not(None)).order_by(checks.c.due_at.desc()).limit(MOST)
    by_what: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        by_what.setdefault(row.what, []).append(row)
    return {
        what: Record(
            len(rows), sum(row.low <= row.came <= row.high for row in rows) / len(rows), median(abs(row.came - row.likely) for row in rows)
        )
        for what, rows in by_what.items()
    }


def spent(connection: Connection, since: float) -> list[Point]:
    """(epoch seconds, US$) of every call since then, oldest first; where the cost is not known, what budgets count."""
    ended = select(entries.c.at, entries.c.usd, entries.c.counted_usd).where(entries.c.at >= since, entries.c.entry.in_(("settle", "late")))
    return [(row.at, float(Decimal(row.usd or row.counted_usd or 0))) for row in connection.execute(ended.order_by(entries.c.at))]
