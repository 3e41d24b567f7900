"""The kill switch, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert

from conftest import need
from gizzi.errors import NotFound
from gizzi.store import Store, open_store, switch
from gizzi.store.schema import meta
from tools import postgres


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    initdb, server = need("initdb", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres.running(initdb, server, port) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """Two processes' views of one store."""
    url = f"sqlite:///{tmp_path}/gizzi.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    one, other = open_store(url), open_store(url)
    one.run_now(lambda c: c.execute(delete(meta).where(meta.c.key.in_([switch.KEY, "intent"]))))
    yield one, other
    one.close()
    other.close()


def test_it_is_seen_through_another_connection_at_once(stores: tuple[Store, Store]) -> None:
    one, other = stores
    assert other.run_now(switch.stopped) is None
    one.run_now(lambda c: switch.set_stopped(c, 0.0, "ann", "a bad release"))
    one.run_now(lambda c: switch.set_stopped(c, 60.0, "bob", "x" * 9999))
    assert other.run_now(switch.stopped) == {"at": "1970-01-01T00:01:00.000Z", "by": "bob", "why": "x" * 500}
    assert other.run_now(switch.clear_stopped) is True
    assert one.run_now(switch.clear_stopped) is False
    assert one.run_now(switch.stopped) is None


def test_it_belongs_to_the_transaction_it_stands_in(stores: tuple[Store, Store]) -> None:
    def undone(connection: Any) -> None:
        switch.set_stopped(connection, 0.0, "ann", "")
        assert switch.stopped(connection) is not None
        raise NotFound("the rest of the transaction fails")

    with pytest.raises(NotFound):
        stores[0].run_now(undone)
    assert stores[1].run_now(switch.stopped) is None


def test_no_intent_follows_it(stores: tuple[Store, Store]) -> None:
    """Whoever has written an intent and read the switch ends first; only then it is thrown, and the next one sees it."""
    one, other = stores
    order: list[str] = []

    def throw() -> None:
        other.run_now(lambda c: switch.set_stopped(c, 0.0, "ann", ""))
        order.append("thrown")

    thread = threading.Thread(target=throw)

    def act(connection: Any) -> None:
        connection.execute(insert(meta).values(key="intent", value="restart 6"))
        assert switch.stopped(connection) is None
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "it waits for the end of this transaction"
        order.append("intent")

    one.run_now(act)
    thread.join(10)
    assert order == ["intent", "thrown"]
    assert one.run_now(switch.stopped) is not None


@pytest.mark.parametrize("value", ["", "null", "[]", '{"at": 1}', "{"])
def test_a_row_that_cannot_be_read_stops_too(value: str) -> None:
    store = open_store("sqlite://")
    store.run_now(lambda c: c.execute(insert(meta).values(key=switch.KEY, value=value)))
    found = store.run_now(switch.stopped)
    assert found is not None and "cannot be read" in found["why"]
    store.close()
