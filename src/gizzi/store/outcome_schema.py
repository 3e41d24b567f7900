"""The table of answers that somebody may call good or bad: what the learned router learns from. No text is in it."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Connection, Float, Index, Integer, MetaData, String, Table, Text

tables = MetaData()

outcomes = Table(
    "model_outcomes",
    tables,
    Column("id", String(32), primary_key=True),
    Column("at", Float, nullable=False),
    Column("model", String(256), nullable=False),
    Column("features", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("good", Boolean),
    Column("said_by", String(16)),
)
"""at: epoch seconds. features: of the prompt and the answer, as JSON; version: of what features there are. good: null while nobody has said
so. said_by: a person, or what found the answer wrong (facts, schema)."""
Index("model_outcomes_at", outcomes.c.at)


def create(connection: Connection) -> None:
    tables.create_all(connection)
