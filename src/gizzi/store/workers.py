"""Which processes work on runs, and which of them have died: rows of `meta`."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from gizzi.store.schema import meta

_PREFIX = "worker:"


def beat(connection: Connection, worker: str, now: float) -> None:
    """This worker lives."""
    key = _PREFIX + worker
    if connection.execute(update(meta).where(meta.c.key == key).values(value=repr(now))).rowcount == 0:
        connection.execute(insert(meta).values(key=key, value=repr(now)))


def dead_workers(connection: Connection, seen_since: float) -> list[str]:
    """Those not seen since then."""
    rows = connection.execute(select(meta.c.key, meta.c.value).where(meta.c.key.like(f"{_PREFIX}%")))
    return [row.key.removeprefix(_PREFIX) for row in rows if float(row.value) < seen_since]


def forget(connection: Connection, worker: str) -> None:
    """Strike it from the list."""
    connection.execute(delete(meta).where(meta.c.key == _PREFIX + worker))
