"""Tables of workflows that people start: each run and its steps; and what an action is given besides its validator."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text, inspect, text

metadata = MetaData()

runs = Table(
    "workflow_runs",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("workflow", String(128), nullable=False),
    Column("given", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("by", Text, nullable=False),
    Column("wanted_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("text", Text),
)
"""given: what it was started with, a JSON object of texts. state: wanted (not taken up), running, done, stopped (it says why in text),
failed (a fault of its own)."""
Index("workflow_runs_state", runs.c.state)

steps = Table(
    "workflow_steps",
    metadata,
    Column("run", String(128), ForeignKey("workflow_runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("times", Integer, nullable=False),
    Column("began_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("text", Text),
)
"""number: from 1, in the order in which the workflow comes to them. state: running, done, failed, said. times: how often it was begun; more
than once where a process ended in it."""


def create(connection: Connection) -> None:
    metadata.create_all(connection)
    if "given" not in {column["name"] for column in inspect(connection).get_columns("actions")}:
        connection.execute(text("ALTER TABLE actions ADD COLUMN given TEXT NOT NULL DEFAULT '{}'"))
