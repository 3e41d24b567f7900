"""What people were told, and what they are still to be told. Times are epoch seconds; lists and objects are JSON text.

No table holds the address of a channel, which is a secret: `channel` is a hash of it.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Connection, Float, Index, Integer, MetaData, String, Table, Text

tables = MetaData()

told = Table(
    "told",
    tables,
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
)
"""What people know of an incident. state: JSON of the engine's `Told`. version: one more with each change, so that none is told twice."""

notes = Table(
    "told_notes",
    tables,
    Column("key", String(160), primary_key=True),
    Column("incident", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", Float, nullable=False),
    Column("expires_at", Float),
    Column("detail", Text, nullable=False),
    Column("said", Boolean, nullable=False),
)
"""What does not show in the incident itself: approvals asked for, actions carried out; and what is said of no incident (it is 0 then), such
as how a run ended."""
Index("told_notes_said", notes.c.said)

outbox = Table(
    "told_outbox",
    tables,
    Column("id", Integer, primary_key=True),
    Column("incident", Integer, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("label", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("message", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("claim", String(32)),
    Column("sent_at", Float),
    Column("error", Text),
)
"""One message to one channel. state: waiting, claimed (being sent; due_at says until when), sent, or lost (given up).

claim: by which attempt. error: why the latest attempt failed.
"""
Index("told_outbox_state", outbox.c.state, outbox.c.due_at)


def create(connection: Connection) -> None:
    tables.create_all(connection)
