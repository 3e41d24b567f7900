"""Tables of what Gizzi does: proposed writes with intent and outcome, the approvals asked for them, and what their runs wait for."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text, inspect, text

metadata = MetaData()

actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", String(128), nullable=False, unique=True),
    Column("incident", Integer),
    Column("action", String(128), nullable=False),
    Column("validator", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("given", Text, nullable=False, server_default="{}"),
    Column("hash", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("permission", String(8)),
    Column("reasons", Text, nullable=False),
    Column("approved_by", Text),
    Column("outcome", String(16)),
    Column("verdict", String(16)),
    Column("detail", Text),
    Column("before", Text),
    Column("worker", Text),
    Column("proposed_at", Float, nullable=False),
    Column("intent_at", Float),
    Column("ended_at", Float),
    Column("verdict_at", Float),
)
"""state: wanted (by a person, not taken up),
proposed (not yet permitted), intent (under way), ended (with an outcome), closed (nothing will follow)."""
Index("actions_state", actions.c.state)
Index("actions_incident", actions.c.incident)
Index("actions_validator", actions.c.validator)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("action", Integer, ForeignKey("actions.id"), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("reasons", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("decided_at", Float),
    Column("decided_by", Text),
    Column("why", Text),
)
"""state: waiting, approved, denied, expired, used, withdrawn."""
Index("approvals_state", approvals.c.state)
Index("approvals_action", approvals.c.action)


def create(connection: Connection) -> None:
    """And what an incident's models cost, where an older store does not have it."""
    metadata.create_all(connection)
    if "cost_usd" not in {column["name"] for column in inspect(connection).get_columns("incidents")}:
        connection.execute(text("ALTER TABLE incidents ADD COLUMN cost_usd TEXT NOT NULL DEFAULT '0'"))
