"""The table of what became of incidents that a model opened: whether it was right to."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Float, Integer, MetaData, String, Table, Text

tables = MetaData()

findings = Table(
    "model_findings",
    tables,
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text),
)
"""at: epoch seconds when that was known. outcome: hit or false_alarm. by: the person who said so, null where nobody had to. An incident
that is not here is still undecided."""


def create(connection: Connection) -> None:
    tables.create_all(connection)
