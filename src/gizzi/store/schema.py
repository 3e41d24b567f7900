"""Tables, and the steps that bring an older database to them. Times are epoch seconds; lists and objects are JSON text."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    update,
)

from gizzi.errors import StoreError
from gizzi.store import (
    action_schema,
    finding_schema,
    history_schema,
    ledger_schema,
    memory_schema,
    outcome_schema,
    session_schema,
    tell_schema,
    workflow_schema,
)

metadata = MetaData()

meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

incidents = Table(
    "incidents",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("rule", String(128), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("chain", Text),
    Column("validators", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("summary", Text, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("resolved_at", Float),
    Column("acknowledged_by", Text),
    Column("decision", Text),
    Column("decide_at", Float),
    Column("merged_into", Integer),
    Column("cost_usd", Text, nullable=False, server_default="0"),
)
Index("incidents_state", incidents.c.state)

alerts = Table(
    "alerts",
    metadata,
    Column("subject", String(128), primary_key=True),
    Column("rule", String(128), primary_key=True),
    Column("since", Float, primary_key=True),
    Column("chain", Text),
    Column("severity", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("validators", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("fired_at", Float),
    Column("resolved_at", Float),
    Column("flaps", Integer, nullable=False),
    Column("muted", Text),
    Column("incident", Integer, ForeignKey("incidents.id")),
)
Index("alerts_state", alerts.c.state)
Index("alerts_incident", alerts.c.incident)

events = Table(
    "incident_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident", Integer, ForeignKey("incidents.id"), nullable=False),
    Column("at", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("text", Text, nullable=False),
)
Index("incident_events_incident", events.c.incident)

silences = Table(
    "silences",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rule", String(128), nullable=False),
    Column("validator", Integer),
    Column("until", Float, nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

maintenance = Table(
    "maintenance",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("validator", Integer),
    Column("chain", Text),
    Column("until", Float, nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("validator", Integer, primary_key=True, autoincrement=False),
    Column("finalized_height", BigInteger, nullable=False),
)


def _create(connection: Connection) -> None:
    metadata.create_all(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _create,
    ledger_schema.create,
    action_schema.create,
    memory_schema.create,
    tell_schema.create,
    outcome_schema.create,
    workflow_schema.create,
    finding_schema.create,
    history_schema.create,
    session_schema.create,
)
"""Step n brings version n to n + 1. Never change one that has been released: add one."""


def migrate(connection: Connection) -> None:
    """Bring the database to this version. Raises StoreError where it comes from a newer one."""
    version = 0
    if inspect(connection).has_table("meta"):
        row = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar()
        version = int(row) if row is not None else 0
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the store has schema version {version}, this Gizzi knows {len(MIGRATIONS)}: it was written by a newer Gizzi; upgrade this one"
        )
    for step in MIGRATIONS[version:]:
        step(connection)
    if version == 0:
        connection.execute(insert(meta).values(key="schema_version", value=str(len(MIGRATIONS))))
    elif version < len(MIGRATIONS):
        connection.execute(update(meta).where(meta.c.key == "schema_version").values(value=str(len(MIGRATIONS))))
