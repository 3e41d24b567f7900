"""Who has logged in to the pages. Times are epoch seconds. No table holds what a cookie holds, or a token, or anything to guess one by."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Float, Index, MetaData, String, Table, Text

tables = MetaData()

sessions = Table(
    "page_sessions",
    tables,
    Column("key", String(64), primary_key=True),
    Column("person", Text, nullable=False),
    Column("proof", String(64), nullable=False),
    Column("until", Float, nullable=False),
)
"""key: the hash of what the cookie holds. proof: the person's token under that as the key, so that another token ends the session."""
Index("page_sessions_until", sessions.c.until)


def create(connection: Connection) -> None:
    tables.create_all(connection)
