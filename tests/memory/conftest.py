from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from gizzi.clock import LiveClock
from gizzi.memory import Memory, keys_of
from gizzi.store import Store, open_store
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
    name = f"of_{abs(hash(request.node.name)):x}"
    engine = create_engine(server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres", f"/{name}")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def memory(store: Store, url: str, tmp_path: Path) -> Memory:
    return Memory(store, LiveClock(), keys_of(url, tmp_path))
