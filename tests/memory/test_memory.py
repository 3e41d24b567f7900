"""Adding, reading, searching: the same on SQLite and on a real PostgreSQL, whoever else writes and whatever dies."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from gizzi.clock import LiveClock
from gizzi.errors import StoreError
from gizzi.memory import Case, Entry, FolderKeys, Memory, SeededKeys, Situation, case_of, entry_of, keys_of
from gizzi.store import Store, open_store

TESTS = Path(__file__).parents[1]
AT = 1_764_000_000.0


def entry(event: str = "Validator 6: 1 peer", **more: Any) -> Entry:
    return Entry(**{"at": AT, "author": "incident-responder", "kind": "note", "event": event, **more})


def case(number: int = 1, rule: str = "peers_low", **more: Any) -> Case:
    situation = Situation(rule, "high", "flare", (6,), f"Validator 6: {number} peers, at least 3 are needed", (rule,))
    return Case(**{"situation": situation, "decision": "restart", "action": "restart 6", "verdict": "resolved", "incident": number, **more})


async def test_what_was_added_comes_back(memory: Memory) -> None:
    given = entry(
        action="restart 6: resolved",
        status="RESOLVED",
        priority="HIGH",
        tags=("peers", "ëtrid"),
        validators=(7, 6),
        incident=3,
        body="a\nb",
    )
    assert await memory.add(given) == 1
    assert await memory.add(entry("second")) == 2
    first, second = await memory.tail(5)
    assert (first.number, first.entry) == (1, given)
    assert first.entry.validators == (6, 7)
    assert first.as_json()["incident"] == "inc-3"
    assert (second.number, second.entry.event) == (2, "second")
    assert [found.number for found in await memory.tail(1)] == [2]
    assert [found.number for found in await memory.since(1)] == [2]
    assert (await memory.verify()).ok


async def test_an_empty_memory_is_whole(memory: Memory) -> None:
    found = await memory.verify()
    assert (found.ok, found.entries, found.fault) == (True, 0, None)
    assert await memory.tail() == []
    assert await memory.similar(case().situation) == []


async def test_an_entry_of_a_transaction_that_fails_was_never_there(memory: Memory, store: Store) -> None:
    await memory.add(entry("kept"))

    def work(connection: Any) -> None:
        assert memory.add_in(connection, entry("not kept", author="another")) == 2
        raise StoreError("the caller failed")

    with pytest.raises(StoreError, match="the caller failed"):
        await store.run(work)
    assert await memory.add(entry("next")) == 2
    assert [found.entry.event for found in await memory.tail()] == ["kept", "next"]
    assert (await memory.verify()).ok


async def test_an_entry_joins_the_transaction_of_its_caller(memory: Memory, store: Store) -> None:
    def work(connection: Any) -> int:
        connection.execute(text("INSERT INTO meta (key, value) VALUES ('mark', '1')"))
        memory.add_in(connection, entry("one"))
        return memory.add_in(connection, entry("two"))

    assert await store.run(work) == 2
    await memory.witness()
    assert (await memory.verify()).ok
    assert [found.number for found in await memory.tail()] == [1, 2]


HOSTILE = [
    "",
    " ",
    '"',
    "'",
    '" OR 1=1 --',
    "NEAR(",
    "a*",
    "^a",
    "a AND",
    "-a",
    "a:b",
    "event:x",
    "\x00",
    "\ud800",
    "%",
    "_",
    "\\",
    "&|!<->",
    "'x':*",
    "²",
]


@pytest.mark.parametrize("query", [*HOSTILE, "x" * 10_000, "a " * 10_000], ids=lambda query: ascii(query)[:20])
async def test_no_text_breaks_the_search(memory: Memory, query: str) -> None:
    await memory.add(entry("something else"))
    await memory.search(query)
    assert (await memory.verify()).ok


async def test_search(memory: Memory) -> None:
    await memory.add(entry("Validator 6: 1 peer", tags=("peers_low",)))
    await memory.add(entry("Validator 7 does not vote", author="ada", body="its keys\nwere changed"))
    await memory.add(entry("Validator 6 is syncing", action="wait"))

    async def numbers(query: str) -> list[int]:
        return [found.number for found in await memory.search(query)]

    assert await numbers("validator") == [3, 2, 1]
    assert await numbers("Validator 6") == [3, 1]
    assert await numbers("peers_low") == [1]
    assert await numbers("sync") == [3], "the beginning of a word is enough"
    assert await numbers("keys changed") == [2]
    assert await numbers("ada") == [2]
    assert await numbers("nothing like it") == []
    assert [found.number for found in await memory.search("validator", 2)] == [3, 2]
    await memory.add(entry("Validator 9"))
    assert await numbers("validator 9") == [4], "what came after the first search is found too"


async def test_similar_cases_come_with_what_ended_them(memory: Memory) -> None:
    await memory.add(entry_of(case(1, "best_stalled", decision="wait", action=None, verdict=None), AT, "incident-responder"))
    given = case(2, reasoning="it has had 1 peer for an hour", evidence=(("6/peers", "peers = 1"),), cost_usd="0.0123", lasted_s=130.5)
    await memory.add(entry_of(given, AT, "incident-responder", ("fleet",)))
    await memory.add(entry("Validator 6: 2 peers, at least 3 are needed"))
    found = await memory.similar(case(9).situation)
    assert [case.number for case in found] == [2, 1]
    first = found[0]
    assert (first.decision, first.action, first.verdict, first.incident, first.closed_at) == ("restart", "restart 6", "resolved", 2, AT)
    assert (first.situation, first.evidence, first.cost_usd, first.lasted_s) == (given.situation, given.evidence, "0.0123", 130.5)
    assert await memory.similar(Situation("disk_filling", "low", "other", (1,), "the disk is nearly full")) == []


async def test_a_planted_case_is_not_recalled(memory: Memory, store: Store) -> None:
    for number in (1, 2):
        await memory.add(entry_of(case(number), AT + number, "incident-responder"))
    await store.run(lambda c: c.execute(text("UPDATE memory_entries SET body = replace(body, 'restart', 'purge') WHERE number = 2")))
    assert [case.number for case in await memory.similar(case(9).situation)] == [1]


async def test_a_case_survives_hostile_and_endless_text(memory: Memory) -> None:
    given = Case(
        Situation("r" * 999, "h", "c\x00\ud800", tuple(range(9999)), "s\n# " * 9999, ("a",) * 999), "d" * 99, reasoning="x" * 99_999
    )
    await memory.add(entry_of(given, AT, "a" * 999))
    (stored,) = await memory.tail()
    found = case_of(stored)
    assert found is not None and found.decision == "d" * 31 + "…"
    assert (await memory.verify()).ok


async def test_many_at_once_in_one_process(memory: Memory) -> None:
    numbers = await asyncio.gather(*(memory.add(entry(f"{n}", author=f"role-{n % 3}")) for n in range(30)))
    assert sorted(numbers) == list(range(1, 31))
    assert (await memory.verify()).ok


def rememberer(url: str, folder: Path, author: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tools.rememberer", url, str(folder), author, str(count)]
    return subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def test_two_processes_make_one_chain(memory: Memory, url: str, tmp_path: Path) -> None:
    processes = [rememberer(url, tmp_path, author, 40) for author in ("one", "two")]
    try:
        out = [process.communicate(timeout=60) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], out
    assert sorted(int(word) for stdout, _ in out for word in stdout.split()) == list(range(1, 81))
    found = await memory.verify()
    assert (found.ok, found.entries, found.trusted) == (True, 80, True), found


async def test_processes_that_are_killed_leave_a_whole_chain(memory: Memory, url: str, tmp_path: Path) -> None:
    told = 0
    for turn in range(4):
        process = rememberer(url, tmp_path, f"role-{turn}", 10_000)
        try:
            assert process.stdout is not None
            told = int(process.stdout.readline())
            await asyncio.sleep(0.03 * turn)
        finally:
            process.kill()
            process.communicate(timeout=20)
        found = await memory.verify()
        assert found.ok and found.entries >= told, found
    assert await memory.add(entry("after them")) >= told
    assert (await memory.verify()).ok


async def test_private_keys_are_files_of_their_owner_and_never_in_the_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gizzi.db"
    store = open_store(url)
    await Memory(store, LiveClock(), keys_of(url, tmp_path)).add(entry(author="root"))
    store.close()
    folder = tmp_path / "gizzi.db.keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    keys = list(folder.glob("*.key"))
    assert len(keys) == 2, "a person called root has another key than the memory's root"
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("gizzi.db*") if path.is_file())  # noqa: ASYNC240
    for key in keys:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        secret = key.read_text().strip()
        assert secret.encode() not in raw and bytes.fromhex(secret) not in raw


async def test_without_the_keys_nothing_is_added_and_the_line_says_why(memory: Memory, store: Store, tmp_path: Path) -> None:
    await memory.add(entry())
    elsewhere = Memory(store, LiveClock(), FolderKeys(tmp_path / "elsewhere"))
    with pytest.raises(StoreError, match="another root key"):
        await elsewhere.add(entry())
    await store.run(lambda c: c.execute(text("UPDATE memory_head SET entries = 0")))
    with pytest.raises(StoreError, match="head was changed"):
        await memory.add(entry())


async def test_a_spoilt_key_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "root.key").write_text("nonsense")
    with pytest.raises(StoreError, match=r"root\.key holds no key"):
        FolderKeys(tmp_path / "keys").root()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the memory's keys in"):
        FolderKeys(tmp_path / "file").root()


async def test_a_store_in_memory_is_the_same_every_time() -> None:
    hashes = []
    for _ in range(2):
        store = open_store("sqlite://")
        memory = Memory(store, LiveClock(), SeededKeys(1))
        await memory.add(entry())
        hashes.append((await memory.verify()).head)
        store.close()
    assert hashes[0] == hashes[1]


@given(st.text(), st.text(), st.lists(st.text()), st.text(), st.floats(0, 2e9))
def test_an_entry_is_printable_and_bounded_whatever_it_is_made_of(author: str, event: str, tags: list[str], body: str, at: float) -> None:
    made = Entry(at=at, author=author, kind="note", event=event, tags=tuple(tags), body=body)
    assert made.author and made.event.isprintable() and all(tag and tag.isprintable() for tag in made.tags)
    assert made.body.replace("\n", "").replace("\t", "").isprintable()
    assert Entry(at=made.at, author=made.author, kind="note", event=made.event, tags=made.tags, body=made.body) == made


@pytest.mark.parametrize("wrong", [{"status": "DONE"}, {"priority": "low"}, {"at": float("nan")}, {"at": -1.0}, {"at": 1e15}])
def test_an_entry_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        entry(**wrong)


def test_where_the_keys_lie(tmp_path: Path) -> None:
    def folder(url: str) -> Path:
        keys = keys_of(url, tmp_path)
        assert isinstance(keys, FolderKeys)
        return keys.folder

    assert folder("sqlite:////var/lib/gizzi/gizzi.db") == Path("/var/lib/gizzi/gizzi.db.keys")
    assert folder("postgresql://gizzi:secret@db.example:5433/../x") == tmp_path / "keys" / "db.example-5433-..-x"
    assert folder("postgresql+psycopg://db.example/gizzi") == tmp_path / "keys" / "db.example-default-gizzi"
    assert isinstance(keys_of("sqlite://", tmp_path), SeededKeys)


async def test_a_memory_whose_keys_are_lost_begins_anew_as_the_docs_say(tmp_path: Path) -> None:
    page = (TESTS.parent / "docs" / "explanation" / "memory.md").read_text()
    (statements,) = re.findall(r'^sqlite3 gizzi.db "(.*)"$', page, flags=re.MULTILINE)
    url = f"sqlite:///{tmp_path}/gizzi.db"
    for turn in range(2):
        store = open_store(url)
        memory = Memory(store, LiveClock(), keys_of(url, tmp_path))
        assert await memory.add(entry("found")) == 1, turn
        assert len(await memory.search("found")) == 1
        assert (await memory.verify()).ok
        store.close()
        if turn == 0:
            (tmp_path / "gizzi.db.keys").rename(tmp_path / "lost")
            with sqlite3.connect(tmp_path / "gizzi.db") as raw:
                raw.executescript(statements)
