"""Whatever is changed in the memory's tables is found, and named; what was not changed is whole."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gizzi.clock import LiveClock
from gizzi.errors import StoreError
from gizzi.memory import Entry, FolderKeys, Memory, SeededKeys, chain, keys_of, memory, verify
from gizzi.memory.keys import Signer
from gizzi.store import Store, open_store

AT = 1_764_000_000.0
TABLES = ("memory_entries", "memory_keys", "memory_head")
texts = st.text(max_size=20)
entries = st.builds(
    Entry,
    at=st.floats(0, 4e9),
    author=st.sampled_from(["incident-responder", "ada", "root"]),
    kind=st.sampled_from(["case", "note"]),
    event=texts,
    action=texts,
    status=st.sampled_from(["PENDING", "RESOLVED"]),
    priority=st.sampled_from(["LOW", "HIGH"]),
    tags=st.lists(texts, max_size=3).map(tuple),
    validators=st.lists(st.integers(1, 30), max_size=3).map(tuple),
    incident=st.none() | st.integers(1, 99),
    body=texts,
)
values = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=8) | st.binary(max_size=8)


class Opened:
    """A memory in memory, and the connection below it."""

    def __init__(self, added: list[Entry]) -> None:
        self.store = open_store("sqlite://")
        self.memory = Memory(self.store, LiveClock(), SeededKeys(1))
        for entry in added:
            asyncio.run(self.memory.add(entry))

    def raw(self, work: Callable[[sqlite3.Connection], None]) -> bool:
        """Do that to the tables. Returns whether anything in them is different now."""

        def inside(connection: Any) -> bool:
            raw: sqlite3.Connection = connection.connection.driver_connection
            before = dump(raw)
            work(raw)
            return before != dump(raw)

        return self.store.run_now(inside)

    def verify(self) -> Any:
        return asyncio.run(self.memory.verify())


def dump(raw: sqlite3.Connection) -> list[Any]:
    """Every value with its type: 1 and 1.0 are two."""
    return [sorted(repr(row) for row in raw.execute(f"SELECT * FROM {table}")) for table in TABLES]


def columns(raw: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]


@st.composite
def tamperings(draw: st.DrawFn) -> Callable[[sqlite3.Connection], None]:
    """One statement that an intruder might run."""
    kind = draw(st.sampled_from(["edit", "edit", "edit", "edit", "affix", "delete", "cut", "empty", "copy", "swap", "renumber"]))
    table, pick, value = draw(st.sampled_from(TABLES)), draw(st.integers(0, 99)), draw(values)
    column, other, affix = draw(st.integers(0, 99)), draw(st.integers(0, 99)), draw(st.sampled_from([" ", "0", "\n", "\x00"]))

    def work(raw: sqlite3.Connection) -> None:
        names, ids = columns(raw, table), [row[0] for row in raw.execute(f"SELECT rowid FROM {table}")]
        name, first, second = names[column % len(names)], ids[pick % len(ids)], ids[other % len(ids)]
        if kind == "edit":
            raw.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (value, first))
        elif kind == "affix":
            raw.execute(f"UPDATE {table} SET {name} = {name} || ? WHERE rowid = ?", (affix, first))
        elif kind == "delete":
            raw.execute(f"DELETE FROM {table} WHERE rowid = ?", (first,))
        elif kind == "cut":
            raw.execute("DELETE FROM memory_entries WHERE number >= ?", (first,))
        elif kind == "empty":
            raw.execute(f"DELETE FROM {table}")
        elif kind == "copy":
            key = f"{affix}copy" if names[0] != "number" else pick - 50
            raw.execute(f"INSERT INTO {table} SELECT ?, {', '.join(names[1:])} FROM {table} WHERE rowid = ?", (key, first))
        elif kind == "swap":
            one, two = (raw.execute(f"SELECT {name} FROM {table} WHERE rowid = ?", (place,)).fetchone()[0] for place in (first, second))
            raw.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (two, first))
            raw.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (one, second))
        else:
            raw.execute("UPDATE memory_entries SET number = -number WHERE number IN (?, ?)", (first, second))
            raw.execute("UPDATE memory_entries SET number = ? WHERE number = ?", (second, -first))
            raw.execute("UPDATE memory_entries SET number = ? WHERE number = ?", (first, -second))

    return work


@settings(max_examples=150)
@given(st.lists(entries, min_size=1, max_size=5), tamperings(), st.booleans())
def test_any_change_of_any_row_is_found(added: list[Entry], tamper: Callable[[sqlite3.Connection], None], noted: bool) -> None:
    opened = Opened(added)
    try:
        assert opened.verify().ok
        try:
            changed = opened.raw(tamper)
        except (sqlite3.Error, OverflowError, StoreError):
            changed = False
        assume(changed)
        if not noted:
            opened.memory._keys.heads().clear()
        found = opened.verify()
        assert not found.ok and found.fault and found.fault.isprintable()
    finally:
        opened.store.close()


CHANGES = ["{} || ' '", "' ' || {}", "upper({})", "lower({})", "{} + 1", "-{}", "replace({}, 'a', 'b')"]
CHANGES += ["''", "NULL", "0", "cast({} as blob)", "cast({} as real)"]


def test_every_column_of_every_row_is_under_the_chain_or_a_signature(opened: Opened) -> None:
    """Each is changed in every way above, one at a time, and put back."""
    kept: dict[str, list[Any]] = {}
    opened.raw(lambda raw: kept.update({table: rows(raw, table) for table in TABLES}))
    seen: set[tuple[str, str]] = set()

    def edit(statement: str) -> bool:
        try:
            return opened.raw(lambda raw: raw.execute(statement) and None)
        except (sqlite3.IntegrityError, StoreError):
            return False

    for table, found in kept.items():
        for row, name, change in itertools.product(found, found[0], CHANGES):
            first = next(iter(row))
            if edit(f"UPDATE {table} SET {name} = {change.format(name)} WHERE {first} = '{row[first]}'"):
                seen.add((table, name))
                assert not opened.verify().ok, (table, name, change, row)
                opened.raw(lambda raw, table=table, found=found: put(raw, table, found))
    assert seen == {(table, name) for table, found in kept.items() for name in found[0]}
    assert opened.verify().ok


@given(st.lists(entries, max_size=8))
def test_what_was_not_changed_is_whole(added: list[Entry]) -> None:
    opened = Opened(added)
    found = opened.verify()
    opened.store.close()
    assert (found.ok, found.entries, found.number, found.trusted) == (True, len(added), None, True)


# What a more careful intruder does. Each is named.


@pytest.fixture
def opened() -> Iterator[Opened]:
    made = Opened([Entry(at=AT + n, author=f"role-{n % 2}", kind="note", event=f"event {n}") for n in range(1, 6)])
    yield made
    made.store.close()


def rows(raw: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    found = raw.execute(f"SELECT * FROM {table}")
    return [dict(zip([c[0] for c in found.description], row, strict=True)) for row in found.fetchall()]


def put(raw: sqlite3.Connection, table: str, found: list[dict[str, Any]]) -> None:
    raw.execute(f"DELETE FROM {table}")
    for row in found:
        raw.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def rewrite(raw: sqlite3.Connection, signers: dict[str, Signer], root: Signer | None = None, from_number: int = 3) -> None:
    """Change one entry, make every hash after it anew, and sign all of it with these keys; with a root, vouch for them."""
    (head,) = rows(raw, "memory_head")
    found, previous = rows(raw, "memory_entries"), chain.first_hash(head["memory"])
    for row in found:
        if row["number"] >= from_number:
            row["event"] = f"forged {row['number']}"
            row["key"] = signers[row["author"]].public
            row["hash"] = chain.next_hash(previous, row["number"], row)
            row["signature"] = signers[row["author"]].sign(chain.entry_message(row["hash"]))
        previous = row["hash"]
    put(raw, "memory_entries", found)
    last = signers[found[-1]["author"]]
    head |= {"hash": previous, "key": last.public}
    put(raw, "memory_head", [head | {"signature": last.sign(chain.head_message(head))}])
    if root is not None:
        vouched = [{"key": root.public, "author": "root", "from_entry": 0}]
        vouched += [{"key": signer.public, "author": author, "from_entry": 1} for author, signer in signers.items()]
        issued = [row | {"issuer": root.public} for row in vouched]
        put(raw, "memory_keys", [row | {"signature": root.sign(chain.key_message(head["memory"], row))} for row in issued])


FORGED = {"role-0": Signer(b"0" * 32), "role-1": Signer(b"1" * 32)}


def test_a_chain_made_anew_with_other_keys(opened: Opened) -> None:
    opened.raw(lambda raw: rewrite(raw, FORGED))
    found = opened.verify()
    assert (found.number, "not role-1's" in found.fault) == (3, True), found


def test_a_chain_made_anew_with_a_root_of_its_own(opened: Opened) -> None:
    opened.raw(lambda raw: rewrite(raw, FORGED, Signer(b"r" * 32), from_number=1))
    assert "not the one that lies with the keys" in opened.verify().fault


def test_the_same_without_the_keys_folder_is_whole_and_says_that_nobody_vouches_for_it(opened: Opened) -> None:
    opened.raw(lambda raw: rewrite(raw, FORGED, Signer(b"r" * 32), from_number=1))
    check = opened.store.run_now(lambda c: verify.Check(c, None, {}))
    opened.store.run_now(check.go_on)
    assert (check.result().ok, check.result().trusted) == (True, False)


def test_a_forged_key_beside_the_true_ones(opened: Opened) -> None:
    def work(raw: sqlite3.Connection) -> None:
        root = rows(raw, "memory_keys")[0]["issuer"]
        forged = {"key": FORGED["role-0"].public, "author": "role-0", "from_entry": 3, "issuer": root, "signature": "00" * 64}
        put(raw, "memory_keys", [*rows(raw, "memory_keys"), forged])

    opened.raw(work)
    assert "key of role-0 is not signed by the root key" in opened.verify().fault


def test_another_authors_true_key(opened: Opened) -> None:
    """Who holds one role's key cannot write in the name of another."""
    keys = SeededKeys(1)
    opened.raw(lambda raw: rewrite(raw, {"role-0": keys.author("role-0"), "role-1": keys.author("role-0")}))
    found = opened.verify()
    assert (found.number, "not role-1's" in found.fault) == (3, True), found


def test_the_last_entries_cut_off_and_the_old_head_put_back(opened: Opened) -> None:
    """Every signature holds then: what was noted beside the keys finds it."""
    kept: list[Any] = []
    opened.raw(lambda raw: kept.extend((rows(raw, table)) for table in TABLES))
    asyncio.run(opened.memory.add(Entry(at=AT + 9, author="role-1", kind="note", event="to be forgotten")))
    opened.raw(lambda raw: [put(raw, table, found) for table, found in zip(TABLES, kept, strict=True)] and None)
    found = opened.verify()
    assert (found.number, found.fault) == (6, "entry 6 is missing: 6 were noted beside the keys, 5 are left")
    other = Memory(opened.store, LiveClock(), opened.memory._keys)
    for _ in range(3):
        asyncio.run(other.add(Entry(at=AT, author="role-1", kind="note", event="goes on")))
    found = opened.verify()
    assert (found.number, "noted beside the keys" in found.fault) == (6, True), "and goes on finding it, whatever is added"


def test_everything_emptied_and_a_new_head_made(opened: Opened) -> None:
    def work(raw: sqlite3.Connection) -> None:
        for table in TABLES:
            raw.execute(f"DELETE FROM {table}")
        raw.execute("INSERT INTO memory_head VALUES (?, 0, '', '', '')", ("f" * 32,))

    opened.raw(work)
    assert opened.verify().fault == "entry 1 is missing: 5 were noted beside the keys, and the memory is empty"


@pytest.mark.parametrize("vouched", [None, "true root", "own root"])
@pytest.mark.parametrize("signed", [False, True])
def test_nothing_is_added_to_a_head_that_was_changed(opened: Opened, signed: bool, vouched: str | None) -> None:
    """Or the next entry would sign the forged state. The intruder cuts the end off, and signs with a key of their own."""
    forger, own_root = FORGED["role-1"], Signer(b"r" * 32)

    def work(raw: sqlite3.Connection) -> None:
        raw.execute("DELETE FROM memory_entries WHERE number > 3")
        last = raw.execute("SELECT hash FROM memory_entries WHERE number = 3").fetchone()[0]
        head = rows(raw, "memory_head")[0] | {"entries": 3, "hash": last}
        if signed:
            head["key"] = forger.public
            head["signature"] = forger.sign(chain.head_message(head))
        put(raw, "memory_head", [head])
        if vouched is not None:
            issuer = own_root.public if vouched == "own root" else rows(raw, "memory_keys")[0]["issuer"]
            key = {"key": forger.public, "author": "role-1", "from_entry": 1, "issuer": issuer}
            key["signature"] = own_root.sign(chain.key_message(head["memory"], key))
            put(raw, "memory_keys", [*rows(raw, "memory_keys"), key])

    opened.raw(work)
    assert not opened.verify().ok
    with pytest.raises(memory.StoreError, match=r"head.*gizzi memory verify|another root key"):
        asyncio.run(opened.memory.add(Entry(at=AT, author="role-1", kind="note", event="goes on")))


@pytest.mark.parametrize(
    ("change", "number", "says"),
    [
        ("UPDATE memory_entries SET body = 'x' WHERE number = 2", 2, "was changed"),
        ("UPDATE memory_entries SET at_ms = at_ms + 1 WHERE number = 4", 4, "was changed"),
        ("UPDATE memory_entries SET signature = (SELECT signature FROM memory_entries WHERE number = 1) WHERE number = 3", 3, "signature"),
        ("DELETE FROM memory_entries WHERE number = 2", 2, "missing"),
        ("DELETE FROM memory_entries WHERE number = 5", 5, "missing"),
        ("UPDATE memory_head SET entries = 4", 5, "missing"),
        ("UPDATE memory_entries SET number = 99 WHERE number = 5", 99, "none that the head knows of"),
        ("DELETE FROM memory_head", None, "is gone"),
        ("DELETE FROM memory_keys WHERE author = 'root'", None, "root key is gone"),
        ("DELETE FROM memory_keys WHERE author = 'role-0'", 2, "not role-0's"),
        ("UPDATE memory_keys SET from_entry = 3 WHERE author = 'role-0'", None, "not signed by the root key"),
    ],
)
async def test_the_entry_is_named(memory: Memory, store: Store, change: str, number: int | None, says: str) -> None:
    """On both databases."""
    for n in range(1, 6):
        await memory.add(Entry(at=AT + n, author=f"role-{n % 2}", kind="note", event=f"event {n}"))
    await store.run(lambda c: c.execute(text(change)))
    found = await memory.verify()
    assert (found.ok, found.number) == (False, number), found
    assert says in str(found.fault)


async def test_the_search_index_is_not_asked(memory: Memory, store: Store) -> None:
    for n in range(3):
        await memory.add(Entry(at=AT, author="ada", kind="note", event=f"event {n}"))
    assert len(await memory.search("event")) == 3
    if store._engine.dialect.name == "sqlite":
        await store.run(lambda c: c.exec_driver_sql("DELETE FROM memory_search"))
        assert len(await memory.search("event")) == 3, "what is missing in it is put back"
    assert (await memory.verify()).ok


async def test_a_long_memory_is_read_in_pieces(memory: Memory, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "PIECE", 2)
    for n in range(5):
        await memory.add(Entry(at=AT, author="ada", kind="note", event=f"event {n}"))
    assert (await memory.verify()).ok
    check = await store.run(lambda c: verify.Check(c, None, {}))
    await store.run(check.go_on)
    await memory.add(Entry(at=AT, author="bob", kind="note", event="meanwhile"))
    while not check.done and check.fault is None:
        await store.run(check.go_on)
    assert (check.result().ok, check.result().entries) == (True, 5), "what came meanwhile is for the next time"


async def test_a_note_beside_the_keys_that_cannot_be_written_does_not_lose_the_entry(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gizzi.db"
    store = open_store(url)
    keys = keys_of(url, tmp_path)
    assert isinstance(keys, FolderKeys)
    (keys.folder / "head").mkdir(parents=True)
    assert await Memory(store, LiveClock(), keys).add(Entry(at=AT, author="ada", kind="note", event="kept")) == 1
    store.close()
