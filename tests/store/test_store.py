"""The same behaviour on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from conftest import need
from gizzi.errors import AlreadyOver, NotFound, StoreError
from gizzi.store import Store, open_store, schema
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
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    else:
        opened = open_store(request.getfixturevalue("postgres_url"))
        opened.run_now(lambda c: [c.execute(table.delete()) for table in reversed(schema.metadata.sorted_tables) if table.name != "meta"])
        opened.run_now(lambda c: c.execute(text("delete from meta where key = 'lease'")))
    yield opened
    opened.close()


def incident(number: int, state: str = "triggered", **more: Any) -> dict[str, Any]:
    row = {
        "id": number,
        "rule": "peers_low",
        "severity": "high",
        "chain": "flare",
        "validators": "[6]",
        "state": state,
        "summary": "Validator 6: 1 peer",
        "opened_at": 100.0,
        "resolved_at": None,
        "acknowledged_by": None,
        "decision": None,
        "decide_at": None,
        "merged_into": None,
    }
    return row | more


def alert(**more: Any) -> dict[str, Any]:
    row = {
        "subject": "validator/6",
        "rule": "peers_low",
        "since": 90.0,
        "chain": "flare",
        "severity": "high",
        "text": "1 peer",
        "validators": "[6]",
        "evidence": json.dumps([["6/peers", "peers = 1"]]),
        "state": "firing",
        "fired_at": 100.0,
        "resolved_at": None,
        "flaps": 0,
        "muted": None,
        "incident": 1,
    }
    return row | more


async def test_what_is_open_comes_back(store: Store) -> None:
    await store.record([(incident(1), True), (incident(2, "resolved"), True)], [alert(), alert(subject="validator/7", incident=None)], [])
    incidents, alerts, next_id = await store.open_state()
    assert [row["id"] for row in incidents] == [1]
    assert {row["subject"] for row in alerts} == {"validator/6", "validator/7"}
    assert next_id == 3


async def test_writing_the_same_again_changes_nothing(store: Store) -> None:
    for _ in range(3):
        await store.record([(incident(1), True)], [alert()], [])
    assert len(await store.incident_rows()) == 1
    assert len(await store.alert_rows()) == 1


async def test_an_acknowledgement_survives_the_loops_next_write(store: Store) -> None:
    await store.record([(incident(1), True)], [], [])
    await store.acknowledge(1, "ada", 110.0)
    await store.record([(incident(1, summary="Validator 6: 0 peers"), False)], [], [])
    row = await store.incident_row(1)
    assert (row["state"], row["acknowledged_by"], row["summary"]) == ("acknowledged", "ada", "Validator 6: 0 peers")
    assert await store.acknowledged() == {1: "ada"}
    assert [e["kind"] for e in await store.event_rows(1)] == ["acknowledged"]


async def test_acknowledging_what_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(NotFound, match="inc-9"):
        await store.acknowledge(9, "ada", 1.0)
    await store.record([(incident(1, "resolved"), True)], [], [])
    with pytest.raises(AlreadyOver, match="already resolved"):
        await store.acknowledge(1, "ada", 1.0)


async def test_a_failed_write_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.record([(incident(1), True)], [alert(incident=99)], [])
    assert await store.incident_rows() == []


async def test_one_loop_at_a_time(store: Store) -> None:
    await store.take_lease("host:1", 100.0, lambda _: False)
    await store.take_lease("host:1", 105.0, lambda _: False)
    with pytest.raises(StoreError, match=r"host:1.*already watches"):
        await store.take_lease("host:2", 110.0, lambda _: False)
    await store.take_lease("host:2", 111.0, lambda holder: holder == "host:1")
    await store.take_lease("host:3", 140.0, lambda _: False)
    await store.drop_lease("host:2")
    assert await store.lease() == ("host:3", 140.0)
    await store.drop_lease("host:3")
    assert await store.lease() is None


async def test_silences_end_by_themselves(store: Store) -> None:
    row = {"rule": "peers_low", "validator": None, "why": "known", "by": "ada", "created_at": 0.0}
    await store.add_silence({**row, "until": 50.0})
    await store.add_silence({**row, "until": 150.0})
    await store.add_maintenance({"validator": 6, "chain": None, "until": 150.0, "why": "disk", "by": "ada", "created_at": 0.0})
    silences, windows = await store.mute_rows(100.0)
    assert ([s["until"] for s in silences], [w["validator"] for w in windows]) == ([150.0], [6])


async def test_watermarks_are_kept(store: Store) -> None:
    await store.set_watermarks({6: 2**40, 7: 5})
    await store.set_watermarks({6: 2**40 + 1})
    assert await store.watermarks() == {6: 2**40 + 1, 7: 5}


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    open_store(url).close()
    with sqlite3.connect(tmp_path / "new.db") as connection:
        connection.execute("update meta set value = '999' where key = 'schema_version'")
    with pytest.raises(StoreError, match="newer Gizzi"):
        open_store(url)


@pytest.mark.parametrize("url", ["mysql://x", "not a url", "sqlite:////no/such/folder/x.db", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_store_that_cannot_be_opened_is_one_line(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)


def test_a_password_in_the_url_is_never_shown() -> None:
    with pytest.raises(StoreError) as caught:
        open_store("postgresql://gizzi:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)


def test_a_read_only_or_broken_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("this is not a database, and long enough to be sure of it" * 20)
    with pytest.raises(StoreError, match="not a database"):
        open_store(f"sqlite:///{tmp_path}/x.db")


async def test_a_locked_store_says_so(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/x.db")
    store.run_now(lambda c: c.execute(text("pragma busy_timeout = 10")))
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("begin exclusive")
    with pytest.raises(StoreError, match="locked"):
        await store.record([(incident(1), True)], [], [])
    other.close()
    await store.record([(incident(1), True)], [], [])
    store.close()


def test_a_store_from_before_there_were_workflows_gets_their_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gizzi.db"
    open_store(url).close()
    with sqlite3.connect(tmp_path / "gizzi.db") as connection:
        connection.execute("drop table workflow_steps")
        connection.execute("drop table workflow_runs")
        connection.execute("alter table actions drop column given")
        version = schema.MIGRATIONS.index(schema.workflow_schema.create)
        connection.execute("update meta set value = ? where key = 'schema_version'", (str(version),))
        connection.execute(
            "insert into actions (id, run, action, validator, why, proposed_by, evidence, hash, state, reasons, proposed_at)"
            " values (1, 'inc-1-1', 'restart', 6, '', '', '[]', '', 'closed', '[]', 1.0)"
        )
    store = open_store(url)
    given, runs = store.run_now(
        lambda c: (c.execute(text("select given from actions")).scalar(), c.execute(text("select count(*) from workflow_runs")).scalar())
    )
    assert (given, runs) == ("{}", 0)
    store.close()
