"""Rows out of the store, as plain mappings."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection


def rows_of(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in connection.execute(query).mappings()]
