from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from sqlalchemy import text

from gizzi.clock import LiveClock
from gizzi.memory import Memory, keys_of
from gizzi.store import Store, open_store
from gizzi.store import memory_schema as tables
from tools.stores import postgres_server


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    yield from postgres_server()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new store's."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gizzi.db"
    server: str = request.getfixturevalue("postgres_url")
    opened = open_store(server)
    opened.run_now(lambda c: [c.execute(table.delete()) for table in tables.tables.sorted_tables])
    opened.run_now(lambda c: c.execute(tables.head.insert().values(memory=token_hex(16), entries=0, hash="", key="", signature="")))
    opened.run_now(lambda c: c.execute(text("DELETE FROM meta WHERE key = 'mark'")))
    opened.close()
    return server


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def memory(store: Store, url: str, tmp_path: Path) -> Memory:
    return Memory(store, LiveClock(), keys_of(url, tmp_path))
