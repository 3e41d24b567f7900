"""The ledger's transactions. Each function runs inside one in which nobody else writes the ledger."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gizzi.models.budget import EXACT, ZERO, Spent, money_text, total
from gizzi.models.task import Usage
from gizzi.readers.text import one_line
from gizzi.store.ledger_schema import entries, open_reservations, spent_days

LOST_AFTER_S = 600.0
"""A reservation nobody has settled for this long is taken for lost: far beyond any task's time limit."""
LOST = "lost: nobody settled it"
RELEASED = "released"
_LONGEST_OUTCOME = 200
_MOST_TOKENS = 2**31 - 1

_OPEN = select(open_reservations)
_DAYS = select(spent_days).where(spent_days.c.day.between(bindparam("first"), bindparam("last")))
_DAY = select(spent_days).where(spent_days.c.day == bindparam("day"))
_SET_DAY = (
    update(spent_days)
    .where(spent_days.c.day == bindparam("of_day"))
    .values(usd=bindparam("usd"), tiers=bindparam("tiers"), roles=bindparam("roles"))
)
_LOST = select(open_reservations).where(open_reservations.c.at < bindparam("before"))
_CLOSE = delete(open_reservations).where(open_reservations.c.reservation == bindparam("reservation"))
_ENTRY = select(entries).where(entries.c.reservation == bindparam("reservation"), entries.c.entry == bindparam("entry"))
_ADD_ENTRY, _ADD_OPEN, _ADD_DAY = insert(entries), insert(open_reservations), insert(spent_days)


@cache
def _sql(statement: Executable, dialect: str) -> str:
    """As text with named parameters: the ledger's few statements run before and after every call, and this halves their time."""
    made = sqlite.dialect(paramstyle="named") if dialect == "sqlite" else postgresql.dialect(paramstyle="pyformat")  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=made))  # type: ignore[attr-defined]


def _run(connection: Connection, statement: Executable, parameters: Mapping[str, Any] | None = None) -> CursorResult[Any]:
    return connection.exec_driver_sql(_sql(statement, connection.dialect.name), dict(parameters or {}))


@dataclass(frozen=True, slots=True)
class Ending:
    """How a reservation ends. usd: what it cost, None unknown. counted_usd: what budgets count for it, None nothing they could."""

    at: float
    usd: Decimal | None
    counted_usd: Decimal | None
    usage: Usage
    estimated: bool
    outcome: str


def spent(connection: Connection, day: str) -> Spent:
    month = {"first": f"{day[:7]}-01", "last": f"{day[:7]}-31"}
    tiers: dict[str, list[Decimal]] = defaultdict(list)
    roles: dict[str, list[Decimal]] = defaultdict(list)
    of_day, of_month = [], []
    for row in _run(connection, _DAYS, month):
        of_month.append(Decimal(row.usd))
        if row.day == day:
            of_day.append(Decimal(row.usd))
            for sums, written in ((tiers, row.tiers), (roles, row.roles)):
                for name, usd in json.loads(written).items():
                    sums[name].append(Decimal(usd))
    for row in _run(connection, _OPEN):
        usd = Decimal(row.usd or 0)
        if row.day[:7] == day[:7]:
            of_month.append(usd)
        if row.day == day:
            of_day.append(usd)
            tiers[row.tier].append(usd)
            roles[row.role].append(usd)
    return Spent(total(of_day), total(of_month), _totals(tiers), _totals(roles))


def add_reservation(connection: Connection, *, at: float, usd: Decimal | None, **fields: Any) -> None:
    text = None if usd is None else money_text(usd)
    row = {**fields, "entry": "reserve", "at": at, "usd": text, "counted_usd": None, **_tokens(Usage()), "estimated": True, "outcome": ""}
    _run(connection, _ADD_ENTRY, row)
    shown = {name: fields[name] for name in ("reservation", "day", "tier", "role")}
    _run(connection, _ADD_OPEN, {**shown, "at": at, "usd": text})


def close(connection: Connection, ending: Ending, **fields: Any) -> None:
    """Settle, unless it is settled already; where it was taken for lost, add what it cost beyond its estimate."""
    if _run(connection, _CLOSE, {"reservation": fields["reservation"]}).rowcount:
        _add_ending(connection, "settle", ending, fields)
        return
    settled = _run(connection, _ENTRY, {"reservation": fields["reservation"], "entry": "settle"}).first()
    if settled is None:
        _add_ending(connection, "settle", ending, fields)
        return
    late = _run(connection, _ENTRY, {"reservation": fields["reservation"], "entry": "late"}).first()
    if settled.outcome == LOST and late is None:
        beyond = EXACT.subtract(ending.counted_usd or ZERO, Decimal(settled.counted_usd or 0))
        known = None if ending.usd is None else beyond
        _add_ending(connection, "late", dataclasses.replace(ending, usd=known, counted_usd=beyond), fields)


def settle_lost(connection: Connection, now: float) -> None:
    """Settle at its estimate what has been open for too long."""
    for lost in _run(connection, _LOST, {"before": now - LOST_AFTER_S}).all():
        reserved = _run(connection, _ENTRY, {"reservation": lost.reservation, "entry": "reserve"}).one()
        fields = {name: getattr(reserved, name) for name in ("reservation", "day", "model", "tier", "role", "kind", "critical")}
        estimate = None if reserved.usd is None else Decimal(reserved.usd)
        _run(connection, _CLOSE, {"reservation": lost.reservation})
        _add_ending(connection, "settle", Ending(now, estimate, estimate, Usage(), True, LOST), fields)


def _add_ending(connection: Connection, entry: str, ending: Ending, fields: Mapping[str, Any]) -> None:
    row = {
        **fields,
        "entry": entry,
        "at": ending.at,
        "usd": None if ending.usd is None else money_text(ending.usd),
        "counted_usd": None if ending.counted_usd is None else money_text(ending.counted_usd),
        **_tokens(ending.usage),
        "estimated": ending.estimated,
        "outcome": one_line(ending.outcome, _LONGEST_OUTCOME),
    }
    _run(connection, _ADD_ENTRY, row)
    if ending.counted_usd:
        _count(connection, fields, ending.counted_usd)


def _count(connection: Connection, fields: Mapping[str, Any], usd: Decimal) -> None:
    row = _run(connection, _DAY, {"day": fields["day"]}).first()
    tiers, roles = (json.loads(row.tiers), json.loads(row.roles)) if row else ({}, {})
    tiers[fields["tier"]] = _sum(tiers.get(fields["tier"], "0"), usd)
    if fields["role"]:
        roles[fields["role"]] = _sum(roles.get(fields["role"], "0"), usd)
    changed = {"usd": _sum(row.usd if row else "0", usd), "tiers": json.dumps(tiers), "roles": json.dumps(roles)}
    if row:
        _run(connection, _SET_DAY, {**changed, "of_day": fields["day"]})
    else:
        _run(connection, _ADD_DAY, {**changed, "day": fields["day"]})


def _sum(text: str, usd: Decimal) -> str:
    return money_text(EXACT.add(Decimal(text), usd))


def _totals(lists: Mapping[str, list[Decimal]]) -> dict[str, Decimal]:
    return {name: total(amounts) for name, amounts in lists.items()}


def _tokens(usage: Usage) -> dict[str, int]:
    """Never negative, whatever a provider said."""
    names = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens")
    return {name: min(max(getattr(usage, name), 0), _MOST_TOKENS) for name in names}
