"""Full-text search: FTS5 where SQLite has it, to_tsvector on PostgreSQL, LIKE otherwise.

Whatever is searched for is cut into words, and only words reach the database's query language. The index only says where to look: what is
shown comes from the entries. SQLite's index is filled when somebody searches, so that adding an entry costs nothing for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, literal_column, or_, select

from gizzi.memory.rows import rows_of
from gizzi.store import memory_schema as schema

MOST_WORDS = 16
LONGEST_WORD = 64
_WORD = re.compile(r"\w+")


def find(connection: Connection, text: str, limit: int) -> list[dict[str, Any]]:
    """Rows of memory_entries in which every word occurs, as a word or the beginning of one, the newest first."""
    words = [word[:LONGEST_WORD] for word in _WORD.findall(text)[:MOST_WORDS]]
    table = schema.entries
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    if not words:
        plain = text.strip().replace("\x00", "").encode(errors="replace").decode()[:LONGEST_WORD]
        return rows_of(connection, query.where(_like(plain))) if plain else []
    if connection.dialect.name == "postgresql":
        return rows_of(connection, query.where(_vector_match(words)))
    if not connection.exec_driver_sql("SELECT sqlite_compileoption_used('ENABLE_FTS5')").scalar():
        return rows_of(connection, query.where(and_(*(_like(word) for word in words))))
    _index_new(connection)
    wanted = " ".join(f'"{word}"*' for word in words)
    numbers = connection.exec_driver_sql(
        "SELECT rowid FROM memory_search WHERE memory_search MATCH ? ORDER BY rowid DESC LIMIT ?", (wanted, limit)
    )
    return rows_of(connection, query.where(table.c.number.in_([row[0] for row in numbers])))


def _vector_match(words: Sequence[str]) -> Any:
    wanted = " & ".join(f"'{word}':*" for word in words)
    return literal_column(schema.SEARCH_VECTOR).op("@@")(func.to_tsquery(literal_column("'simple'::regconfig"), wanted))


def _like(text: str) -> Any:
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    return or_(*(schema.entries.c[name].ilike(f"%{escaped}%", escape="\\") for name in schema.SEARCHED))


def _index_new(connection: Connection) -> None:
    """Bring the index up to the newest entry."""
    connection.exec_driver_sql("CREATE VIRTUAL TABLE IF NOT EXISTS memory_search USING fts5(text)")
    connection.exec_driver_sql(
        f"INSERT INTO memory_search (rowid, text) SELECT number, {schema.SEARCH_TEXT} FROM memory_entries "
        "WHERE number > (SELECT coalesce(max(rowid), 0) FROM memory_search)"
    )
