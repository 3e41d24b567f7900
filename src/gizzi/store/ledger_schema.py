"""The ledger's and the answer cache's tables.

`entries` is the truth and is only ever added to. `open_reservations` and `spent_days` follow from it and are kept in the same
transaction, so that a reservation costs the same in an old ledger as in a new one. Money is decimal text in US$: exact at any precision,
on both databases. Times are epoch seconds; days are UTC, such as 2026-11-22.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Connection, Float, Index, Integer, MetaData, String, Table, Text

tables = MetaData()
_LOCK = 0x47697A7A69
"""The ledger's advisory lock on PostgreSQL; any number nobody else uses."""

entries = Table(
    "ledger_entries",
    tables,
    Column("reservation", String(32), primary_key=True),
    Column("entry", String(8), primary_key=True),
    Column("at", Float, nullable=False),
    Column("day", String(10), nullable=False),
    Column("model", String(256), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("role", String(128), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("usd", Text),
    Column("counted_usd", Text),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cached_input_tokens", Integer, nullable=False),
    Column("cache_write_tokens", Integer, nullable=False),
    Column("reasoning_tokens", Integer, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("outcome", String(200), nullable=False),
)
"""entry: reserve, settle, or late (what a call cost beyond the estimate it was settled at, after it had been taken for lost).

day: that of the reservation, also for what settles it on the next one. usd: null where nobody knows it. counted_usd: what budgets count,
the estimate where the cost is not known.
"""
Index("ledger_entries_day", entries.c.day, entries.c.entry)

open_reservations = Table(
    "ledger_open",
    tables,
    Column("reservation", String(32), primary_key=True),
    Column("at", Float, nullable=False),
    Column("day", String(10), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("role", String(128), nullable=False),
    Column("usd", Text),
)

spent_days = Table(
    "ledger_days",
    tables,
    Column("day", String(10), primary_key=True),
    Column("usd", Text, nullable=False),
    Column("tiers", Text, nullable=False),
    Column("roles", Text, nullable=False),
)
"""What is counted on each day, open reservations at their estimates. tiers, roles: JSON, name -> decimal text."""

answers = Table(
    "answer_cache",
    tables,
    Column("key", String(64), primary_key=True),
    Column("near", String(64), nullable=False),
    Column("words", Text, nullable=False),
    Column("stored_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("model", String(256), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("response", Text, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
)
Index("answer_cache_near", answers.c.near)
Index("answer_cache_expires", answers.c.expires_at)


def create(connection: Connection) -> None:
    tables.create_all(connection)


def alone(connection: Connection) -> None:
    """Until the transaction ends, nobody else reads the ledger to write it: what is checked here still holds when it is written."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
