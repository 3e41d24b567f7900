"""The kill switch: one row of `meta`, so that every process that shares the store obeys it at once.

Whoever is about to act writes its intent and then calls `stopped`, in one transaction, which it rolls back where that says so. Then an
intent that is there was written before the switch was thrown, and none follows it: on SQLite the written intent keeps everybody else from
writing until the end of the transaction, on PostgreSQL a lock of the switch's own does.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gizzi.clock import iso
from gizzi.store.schema import meta

KEY = "guard_stopped"
LONGEST_WHY = 500
_LOCK = 0x47697A7A6A
"""The switch's advisory lock on PostgreSQL; any number nobody else uses."""


def stopped(connection: Connection) -> dict[str, Any] | None:
    """`{"at", "by", "why"}` while the guard is stopped, None while it is not. A row that cannot be read stops it too."""
    _lock(connection, "pg_advisory_xact_lock_shared")
    value = connection.execute(select(meta.c.value).where(meta.c.key == KEY)).scalar()
    if value is None:
        return None
    try:
        row = json.loads(value)
        return {"at": str(row["at"]), "by": str(row["by"]), "why": str(row["why"])}
    except (ValueError, TypeError, KeyError):
        return {"at": "an unknown time", "by": "an unknown hand", "why": f"the row {KEY} of the store cannot be read"}


def set_stopped(connection: Connection, at: float, by: str, why: str) -> None:
    """Throw it, once transactions in which it was read have ended; said again, the newest reason stands. at: epoch seconds."""
    _lock(connection, "pg_advisory_xact_lock")
    value = json.dumps({"at": iso(at), "by": by, "why": why[:LONGEST_WHY]})
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(meta).values(key=KEY, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def clear_stopped(connection: Connection) -> bool:
    """Whether it had been stopped."""
    return connection.execute(delete(meta).where(meta.c.key == KEY)).rowcount > 0


def _lock(connection: Connection, function: str) -> None:
    """Until the end of the transaction. SQLite has one writer at a time as it is."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT {function}({_LOCK})")
