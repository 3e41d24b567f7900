"""The ledger's transactions. Each function runs inside one in which nobody else writes the ledger."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, delete, insert, select, update
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

_DAYS = select(spent_days).where(spent_days.c.day.between(bindparam("first"), bindparam("last")))
_DAY = select(spent_days).where(spent_days.c.day == bindparam("day"))
_LOST = select(open_reservations.c.reservation).where(open_reservations.c.at < bindparam("before"))
_CLOSE = delete(open_reservations).where(open_reservations.c.reservation == bindparam("reservation"))
_ENTRY = select(entries).where(entries.c.reservation == bindparam("reservation"), entries.c.entry == bindparam("entry"))
_ADD_ENTRY, _ADD_OPEN, _ADD_DAY = insert(entries), insert(open_reservations), insert(spent_days)
_SET_DAY = (
    update(spent_days)
    .where(spent_days.c.day == bindparam("of_day"))
    .values(usd=bindparam("usd"), tiers=bindparam("tiers"), roles=bindparam("roles"))
)


@cache
def _sql(statement: Executable, dialect: str) -> str:
    """As text with named parameters."""
    made = sqlite.dialect(paramstyle="named") if dialect == "sqlite" else postgresql.dialect(paramstyle="pyformat")  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=made))  # type: ignore[attr-defined]


def _run(connection: Connection, statement: Executable, parameters: Mapping[str, Any]) -> Any:
    """A cursor of the driver's own: the ledger's few statements run before and after every call, and this takes a third of the time."""
    driver: Any = connection.connection.driver_connection
    return driver.execute(_sql(statement, connection.dialect.name), parameters)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a reservation ends. usd: what it cost, None unknown. counted_usd: what budgets count for it, None nothing they could."""

    at: float
    usd: Decimal | None
    counted_usd: Decimal | None
    usage: Usage
    estimated: bool
    outcome: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day's sums, open reservations at their estimates included. tiers, roles: decimal text by name."""

    usd: str
    tiers: Mapping[str, str]
    roles: Mapping[str, str]
    is_new: bool = False


def spent(connection: Connection, day: str) -> Spent:
    return _spent(*_month(connection, day))


def reserve(
    connection: Connection, check: Callable[[Spent], None], *, at: float, usd: Decimal | None, day: str, tier: str, role: str, **more: Any
) -> None:
    """Write a reservation, unless `check` raises."""
    sums, of_month = _month(connection, day)
    check(_spent(sums, of_month))
    text = None if usd is None else money_text(usd)
    fields = {**more, "day": day, "tier": tier, "role": role, "at": at, "usd": text}
    _run(connection, _ADD_ENTRY, {**fields, "entry": "reserve", "counted_usd": None, **_tokens(Usage()), "estimated": True, "outcome": ""})
    _run(connection, _ADD_OPEN, fields)
    _count(connection, sums, usd, day=day, tier=tier, role=role)


def close(connection: Connection, ending: Ending, estimate_usd: Decimal | None, fields: Mapping[str, Any]) -> None:
    """Settle, unless it is settled already; where it was taken for lost, add what it cost beyond its estimate."""
    reservation = fields["reservation"]
    if _run(connection, _CLOSE, {"reservation": reservation}).rowcount:
        _add_ending(connection, "settle", ending, fields, beyond_usd=_difference(ending.counted_usd, estimate_usd))
        return
    settled = _entry(connection, reservation, "settle")
    if settled is None:
        _add_ending(connection, "settle", ending, fields, beyond_usd=ending.counted_usd or ZERO)
    elif settled["outcome"] == LOST and _entry(connection, reservation, "late") is None:
        beyond = _difference(ending.counted_usd, _money(settled["counted_usd"]))
        known = None if ending.usd is None else beyond
        _add_ending(connection, "late", dataclasses.replace(ending, usd=known, counted_usd=beyond), fields, beyond_usd=beyond)


def settle_lost(connection: Connection, now: float) -> None:
    """Settle at its estimate what has been open for too long."""
    for (reservation,) in _run(connection, _LOST, {"before": now - LOST_AFTER_S}).fetchall():
        reserved = _entry(connection, reservation, "reserve")
        assert reserved is not None, f"reservation {reservation} is open but was never entered"
        fields = {name: reserved[name] for name in ("reservation", "day", "model", "tier", "role", "kind", "critical")}
        estimate = _money(reserved["usd"])
        _run(connection, _CLOSE, {"reservation": reservation})
        _add_ending(connection, "settle", Ending(now, estimate, estimate, Usage(), True, LOST), fields, beyond_usd=ZERO)


def _month(connection: Connection, day: str) -> tuple[Day, list[str]]:
    """That day's sums, and the sum of each day of its month."""
    found = Day("0", {}, {}, is_new=True)
    of_month: list[str] = []
    for of_day, usd, tiers, roles in _run(connection, _DAYS, {"first": f"{day[:7]}-01", "last": f"{day[:7]}-31"}):
        of_month.append(usd)
        if of_day == day:
            found = Day(usd, json.loads(tiers), json.loads(roles))
    return found, of_month


def _spent(sums: Day, of_month: Iterable[str]) -> Spent:
    tiers, roles = ({name: Decimal(usd) for name, usd in named.items()} for named in (sums.tiers, sums.roles))
    return Spent(Decimal(sums.usd), total(map(Decimal, of_month)), tiers, roles)


def _entry(connection: Connection, reservation: str, entry: str) -> dict[str, Any] | None:
    row = _run(connection, _ENTRY, {"reservation": reservation, "entry": entry}).fetchone()
    return None if row is None else dict(zip(entries.c.keys(), row, strict=True))


def _add_ending(connection: Connection, entry: str, ending: Ending, fields: Mapping[str, Any], *, beyond_usd: Decimal) -> None:
    """beyond_usd: what it adds to the day's sums, which counted the estimate already."""
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
    if beyond_usd:
        kept = _run(connection, _DAY, {"day": fields["day"]}).fetchone()
        sums = Day(kept[1], json.loads(kept[2]), json.loads(kept[3])) if kept else Day("0", {}, {}, is_new=True)
        _count(connection, sums, beyond_usd, day=fields["day"], tier=fields["tier"], role=fields["role"])


def _count(connection: Connection, sums: Day, usd: Decimal | None, *, day: str, tier: str, role: str) -> None:
    if not usd:
        return
    tiers = {**sums.tiers, tier: _sum(sums.tiers.get(tier, "0"), usd)}
    roles = {**sums.roles, role: _sum(sums.roles.get(role, "0"), usd)} if role else sums.roles
    changed = {"usd": _sum(sums.usd, usd), "tiers": json.dumps(tiers), "roles": json.dumps(roles)}
    if sums.is_new:
        _run(connection, _ADD_DAY, {**changed, "day": day})
    else:
        _run(connection, _SET_DAY, {**changed, "of_day": day})


def _difference(one: Decimal | None, other: Decimal | None) -> Decimal:
    return EXACT.subtract(one or ZERO, other or ZERO)


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _sum(text: str, usd: Decimal) -> str:
    return money_text(EXACT.add(Decimal(text), usd))


def _tokens(usage: Usage) -> dict[str, int]:
    """Never negative, whatever a provider said."""
    names = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens")
    return {name: min(max(getattr(usage, name), 0), _MOST_TOKENS) for name in names}
