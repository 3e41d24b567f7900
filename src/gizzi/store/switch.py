"""The kill switch: one row of `meta`, so that every process that shares the store obeys it at once.

Whoever is about to act calls `stopped` in the very transaction in which it writes its intent: then an intent that is there was written
before the switch was thrown, and none follows it.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from gizzi.clock import iso
from gizzi.store.schema import meta

KEY = "guard_stopped"
LONGEST_WHY = 500


def stopped(connection: Connection) -> dict[str, Any] | None:
    """`{"at", "by", "why"}` while the guard is stopped, None while it is not. A row that cannot be read stops it too."""
    value = connection.execute(select(meta.c.value).where(meta.c.key == KEY)).scalar()
    if value is None:
        return None
    try:
        row = json.loads(value)
        return {"at": str(row["at"]), "by": str(row["by"]), "why": str(row["why"])}
    except (ValueError, TypeError, KeyError):
        return {"at": "an unknown time", "by": "an unknown hand", "why": f"the row {KEY} of the store cannot be read"}


def set_stopped(connection: Connection, at: float, by: str, why: str) -> None:
    """Throw it; said again, the newest reason stands. at: epoch seconds."""
    value = json.dumps({"at": iso(at), "by": by, "why": why[:LONGEST_WHY]})
    changed = connection.execute(update(meta).where(meta.c.key == KEY).values(value=value))
    if changed.rowcount == 0:
        connection.execute(insert(meta).values(key=KEY, value=value))


def clear_stopped(connection: Connection) -> bool:
    """Whether it had been stopped."""
    return connection.execute(delete(meta).where(meta.c.key == KEY)).rowcount > 0
