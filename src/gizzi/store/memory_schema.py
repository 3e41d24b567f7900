"""The memory's tables. Every column is under the hash chain or a signature; the search index beside them follows from them and is not.

`memory_entries` is only ever added to. `memory_keys` holds the public keys that may sign, each signed by the root key, which signs itself.
`memory_head` is one row: how many entries there are and the hash of the last. Hashes, keys and signatures are lower-case hexadecimal.
"""

from __future__ import annotations

import secrets

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, String, Table, Text, insert, select

tables = MetaData()

entries = Table(
    "memory_entries",
    tables,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("author", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("event", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("tags", Text, nullable=False),
    Column("validators", Text, nullable=False),
    Column("incident", Integer),
    Column("body", Text, nullable=False),
    Column("key", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
)
"""number: from 1, without gaps. at_ms: milliseconds since the epoch. tags, validators: JSON lists. key: the public key that signed."""
Index("memory_entries_kind", entries.c.kind, entries.c.number)

keys = Table(
    "memory_keys",
    tables,
    Column("key", String(64), primary_key=True),
    Column("author", String(64), nullable=False),
    Column("from_entry", Integer, nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
)
"""key: the public key. from_entry: the first entry it signed; 0 for the root key, which is its own issuer."""

head = Table(
    "memory_head",
    tables,
    Column("memory", String(32), primary_key=True),
    Column("entries", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("key", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
)
"""memory: a random name, so that nothing signed for one store fits into another."""

SEARCHED = ("author", "kind", "event", "action", "tags", "body")


SEARCH_TEXT = " || ' ' || ".join(SEARCHED)
SEARCH_VECTOR = f"to_tsvector('simple'::regconfig, {SEARCH_TEXT})"
"""What PostgreSQL searches; the index is on the same expression."""


def create(connection: Connection) -> None:
    tables.create_all(connection)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS memory_entries_search ON memory_entries USING gin ({SEARCH_VECTOR})")
    if connection.execute(select(head.c.memory)).first() is None:
        in_memory = connection.dialect.name == "sqlite" and connection.engine.url.database in (None, "", ":memory:")
        name = "0" * 32 if in_memory else secrets.token_hex(16)
        connection.execute(insert(head).values(memory=name, entries=0, hash="", key="", signature=""))
