from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from gizzi.errors import NotFound
from gizzi.store import open_store, switch
from gizzi.store.schema import meta


def test_it_is_seen_through_another_connection_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gizzi.db"
    one, other = open_store(url), open_store(url)
    try:
        assert other.run_now(switch.stopped) is None
        one.run_now(lambda c: switch.set_stopped(c, 0.0, "ann", "a bad release"))
        one.run_now(lambda c: switch.set_stopped(c, 60.0, "bob", "x" * 9999))
        assert other.run_now(switch.stopped) == {"at": "1970-01-01T00:01:00.000Z", "by": "bob", "why": "x" * 500}
        assert other.run_now(switch.clear_stopped) is True
        assert one.run_now(switch.clear_stopped) is False
        assert one.run_now(switch.stopped) is None
    finally:
        one.close()
        other.close()


def test_it_belongs_to_the_transaction_it_stands_in() -> None:
    store = open_store("sqlite://")

    def undone(connection: object) -> None:
        switch.set_stopped(connection, 0.0, "ann", "")  # type: ignore[arg-type]
        assert switch.stopped(connection) is not None  # type: ignore[arg-type]
        raise NotFound("the rest of the transaction fails")

    with pytest.raises(NotFound):
        store.run_now(undone)
    assert store.run_now(switch.stopped) is None
    store.close()


@pytest.mark.parametrize("value", ["", "null", "[]", '{"at": 1}', "{"])
def test_a_row_that_cannot_be_read_stops_too(value: str) -> None:
    store = open_store("sqlite://")
    store.run_now(lambda c: c.execute(insert(meta).values(key=switch.KEY, value=value)))
    found = store.run_now(switch.stopped)
    assert found is not None and "cannot be read" in found["why"]
    store.close()
