"""Blocks of samples as rows of the store, and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gizzi.engine.past.block import MINUTES, QUARTERS, Block, Stretch, Tier, stretch_of
from gizzi.store.history_schema import blocks

FOLDED_AFTER_S = 2 * 3600.0
"""Hours that ended longer ago have joined their day."""


def write(connection: Connection, changed: Iterable[Block], now: float) -> None:
    """Keep them; an hour that has ended joins its day."""
    ready = []
    for block in changed:
        block.changed = False
        ready.append(block)
    _keep(connection, ready)
    ended = [block for block in ready if block.begins_at + block.tier.block_s <= now]
    for begins_at in {QUARTERS.begin(block.begins_at) for block in ended}:
        _fold(connection, [block for block in ended if QUARTERS.begin(block.begins_at) == begins_at], begins_at)


def _fold(connection: Connection, hours: Sequence[Block], begins_at: int) -> None:
    """All of one day."""
    days = {day.number: day for day in read(connection, QUARTERS, {hour.number for hour in hours}, begins_at, begins_at)}
    for hour in hours:
        hour.fold(days.setdefault(hour.number, Block(hour.number, QUARTERS, begins_at)))
    _keep(connection, [day for day in days.values() if day.changed])


def _keep(connection: Connection, ready: Sequence[Block]) -> None:
    if ready:
        rows = [{"validator": b.number, "step_s": b.tier.step_s, "begins_at": b.begins_at, "packed": b.pack()} for b in ready]
        connection.execute(upsert(connection.dialect.name, blocks), rows)


def read(connection: Connection, tier: Tier, numbers: Collection[int], first: int, last: int) -> list[Block]:
    """Of these validators, that begin between these times; by number, then time."""
    query = select(blocks).where(
        blocks.c.validator.in_(sorted(numbers)), blocks.c.step_s == tier.step_s, blocks.c.begins_at.between(first, last)
    )
    found = []
    for row in connection.execute(query.order_by(blocks.c.validator, blocks.c.begins_at)):
        block = Block(row.validator, tier, row.begins_at)
        block.take_up(bytes(row.packed))
        found.append(block)
    return found


def last_hour(connection: Connection, before: int) -> int | None:
    """When the latest hour of which anything is kept began, before that time."""
    query = select(func.max(blocks.c.begins_at)).where(blocks.c.step_s == MINUTES.step_s, blocks.c.begins_at < before)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def stretch(connection: Connection, number: int, tier: Tier, since: float, until: float, running: Block | None = None) -> Stretch:
    """running: the hour that is not kept yet, which counts for more than what the store holds of it."""
    hours_since = since if tier is MINUTES else until - FOLDED_AFTER_S
    hours = read(connection, MINUTES, [number], MINUTES.begin(hours_since), int(until))
    if running is not None:
        hours = [hour for hour in hours if hour.begins_at != running.begins_at] + [running]
    if tier is MINUTES:
        return stretch_of(hours, tier, since, until)
    days = {day.begins_at: day for day in read(connection, tier, [number], tier.begin(since), int(until))}
    for hour in hours:
        begins_at = tier.begin(hour.begins_at)
        hour.fold(days.setdefault(begins_at, Block(number, tier, begins_at)))
    return stretch_of(list(days.values()), tier, since, until)


def prune(connection: Connection, now: float) -> None:
    """Drop what is older than it is to be kept, and what lies in the future by more than a day: the clock was wrong then."""
    for tier in (MINUTES, QUARTERS):
        old = (blocks.c.begins_at < int(now - tier.kept_s)) | (blocks.c.begins_at > int(now + 86400))
        connection.execute(delete(blocks).where(blocks.c.step_s == tier.step_s, old))


@cache
def upsert(dialect: str, table: Table) -> Any:
    """Insert rows, or change those that are there."""
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)
