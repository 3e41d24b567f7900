"""The tables of what was seen over time and of what was foretold from it. Times are epoch seconds, of blocks whole ones."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

tables = MetaData()

blocks = Table(
    "history_blocks",
    tables,
    Column("validator", Integer, primary_key=True, autoincrement=False),
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("begins_at", BigInteger, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
)
"""One row holds an hour of samples a minute apart (step_s 60), or a day of samples a quarter of an hour apart (900)."""
Index("history_blocks_age", blocks.c.step_s, blocks.c.begins_at)

outlooks = Table(
    "forecasts",
    tables,
    Column("subject", String(128), primary_key=True),
    Column("what", String(16), primary_key=True),
    Column("made_at", Float, nullable=False),
    Column("outlook", Text, nullable=False),
)
"""The latest forecast of each subject. outlook: as JSON."""

checks = Table(
    "forecast_checks",
    tables,
    Column("subject", String(128), primary_key=True),
    Column("what", String(16), primary_key=True),
    Column("due_at", Float, primary_key=True),
    Column("made_at", Float, nullable=False),
    Column("low", Float, nullable=False),
    Column("likely", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("came", Float),
)
"""What was foretold for a time, and what came then: null until then, and where nobody saw it."""
Index("forecast_checks_due", checks.c.due_at)


def create(connection: Connection) -> None:
    tables.create_all(connection)
