"""Does the memory still hold what was written? Every column of every row is looked at; the search index is not asked.

The head says how many entries there must be, each entry's hash covers all before it, each signature its author, each author's key the root
key, and the root key's public half lies with the keys, outside the store. Without that (on another machine, without the keys' folder) the
root key is taken from the store, and `trusted` says that it was.

The rows are read in pieces, so that neither the loop nor the store waits for a long memory. What is added meanwhile is left for the next
time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from gizzi.clock import iso
from gizzi.memory import chain
from gizzi.memory.keys import Heads
from gizzi.memory.rows import rows_of
from gizzi.readers.text import one_line
from gizzi.store import memory_schema as schema

PIECE = 2000
"""Entries read and checked at a time: some 0.2 s."""


@dataclass(frozen=True, slots=True)
class Verification:
    """entries: how many the head says there are. fault: the first thing that is wrong, in one line. number: the entry it is about, where it
    is about one. trusted: the root key is the one that lies with the keys. head: the last hash, to compare with a copy of it elsewhere."""

    ok: bool
    entries: int
    fault: str | None = None
    number: int | None = None
    trusted: bool = True
    head: str = ""

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("ok", "entries", "fault", "number", "trusted", "head")}


class Check:
    """One verification. Made, and gone on with, inside transactions; ends with `fault` or `done`."""

    def __init__(self, connection: Connection, root: str | None, noted: Heads) -> None:
        self.fault: str | None = None
        self.number: int | None = None
        self._root = root
        self._noted = noted
        self._begin(connection)
        heads = rows_of(connection, select(schema.head))
        self._keys = {row["key"]: row for row in rows_of(connection, select(schema.keys))}
        outside = (schema.entries.c.number < 1) | (schema.entries.c.number > (heads[0]["entries"] if heads else 0))
        self._head: dict[str, Any] = heads[0] if heads else {"entries": 0, "memory": "", "hash": "", "key": "", "signature": ""}
        self._at, self._hash, self._last_key = 0, "", ""
        self._check_start(len(heads), lambda: connection.execute(select(schema.entries.c.number).where(outside).limit(1)).scalar())

    @staticmethod
    def _begin(connection: Connection) -> None:
        """All of what follows in this transaction is one state of the store."""
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    @property
    def done(self) -> bool:
        return self._at >= int(self._head["entries"])

    def go_on(self, connection: Connection) -> None:
        """Check the next piece."""
        number = schema.entries.c.number
        within = (number > self._at) & (number <= self._head["entries"])
        rows = rows_of(connection, select(schema.entries).where(within).order_by(number).limit(PIECE))
        for row in rows:
            if row["number"] != self._at + 1:
                break
            fault = _entry_fault(row, self._hash, self._keys)
            if fault is not None:
                return self._found(f"entry {row['number']} {fault}", row["number"])
            self._at, self._hash, self._last_key = row["number"], row["hash"], row["key"]
            noted = self._noted.get(self._head["memory"])
            if noted is not None and noted[0] == self._at and noted[1] != self._hash:
                return self._found(f"entry {self._at} is another one than was noted beside the keys", self._at)
        if not rows or rows[-1]["number"] != self._at:
            return self._found(f"entry {self._at + 1} is missing", self._at + 1)
        return self._check_end() if self.done else None

    def result(self) -> Verification:
        entries = self._head["entries"] if isinstance(self._head["entries"], int) else 0
        return Verification(self.fault is None, entries, self.fault, self.number, self._root is not None, one_line(str(self._head["hash"])))

    def _found(self, fault: str, number: int | None = None) -> None:
        self.fault, self.number = fault, number

    def _check_start(self, heads: int, outside: Any) -> None:
        head = self._head
        if heads != 1 or not chain.is_well_typed(head) or head["entries"] < 0:
            return self._found("the head, which says how many entries there are, " + ("is gone" if heads == 0 else "was changed"))
        noted, first = self._noted.get(head["memory"], (0, ""))[0], head["entries"] + 1
        if noted >= first:
            return self._found(f"entry {first} is missing: {noted} were noted beside the keys, {head['entries']} are left", first)
        number = outside()
        if number is not None:
            return self._found(f"entry {one_line(str(number))} is none that the head knows of", number if isinstance(number, int) else None)
        self._hash = chain.first_hash(head["memory"])
        return self._check_keys() if head["entries"] else self._check_empty()

    def _check_empty(self) -> None:
        head, noted = self._head, max((entries for entries, _ in self._noted.values()), default=0)
        if noted:
            return self._found(f"entry 1 is missing: {noted} were noted beside the keys, and the memory is empty", 1)
        return self._found("the memory is empty, but its head or its keys are not") if head["hash"] or head["key"] or self._keys else None

    def _check_keys(self) -> None:
        roots = [row["key"] for row in self._keys.values() if row["key"] == row["issuer"]]
        if len(roots) != 1:
            return self._found("the root key is gone from the store" if not roots else "there are two root keys in the store")
        if self._root is not None and roots != [self._root]:
            return self._found("the root key in the store is not the one that lies with the keys")
        for row in self._keys.values():
            if not key_holds(self._head["memory"], row, roots[0]):
                return self._found(f"the key of {_shown(row['author'])} is not signed by the root key: it was added or changed")
        return None

    def _check_end(self) -> None:
        head = self._head
        if head["hash"] != self._hash or head["key"] != self._last_key or head_fault(head):
            self._found(f"the head was changed, and is not that of entry {self._at}; entries after it may be missing", self._at)


def head_fault(head: Mapping[str, Any]) -> str | None:
    """What is wrong with a head by itself; that its key may sign is for others to check."""
    if not chain.is_well_typed(head) or head["entries"] < 0:
        return "the memory's head was changed"
    if head["entries"] == 0:
        return "the memory's head was changed" if head["hash"] or head["key"] or head["signature"] else None
    return (
        None
        if chain.holds(head["key"], head["signature"], chain.head_message(head))
        else "the signature of the memory's head does not hold"
    )


def one_holds(connection: Connection, number: int, root: str | None) -> bool:
    """Whether one entry is what its author wrote, by itself: its hash, its signature, and its key by the root key."""
    head = rows_of(connection, select(schema.head))
    pair = rows_of(
        connection, select(schema.entries).where(schema.entries.c.number.in_((number - 1, number))).order_by(schema.entries.c.number)
    )
    if len(head) != 1 or not pair or pair[-1]["number"] != number or (number > 1 and len(pair) < 2):
        return False
    row = pair[-1]
    keys = {key["key"]: key for key in rows_of(connection, select(schema.keys).where(schema.keys.c.key == row["key"]))}
    key = keys.get(row["key"])
    if key is None or not key_holds(head[0]["memory"], key, root or key["issuer"]):
        return False
    previous = pair[0]["hash"] if number > 1 else chain.first_hash(head[0]["memory"])
    return _entry_fault(row, previous, keys) is None


def _entry_fault(row: Mapping[str, Any], previous: str, keys: Mapping[str, Mapping[str, Any]]) -> str | None:
    shown = f"({iso(row['at_ms'] / 1000)}, {_shown(row['author'])})" if _is_dated(row) else "(of no date)"
    if not chain.is_well_typed(row) or chain.next_hash(previous, row["number"], row) != row["hash"]:
        return f"{shown} was changed or is not in its place: its hash does not hold"
    key = keys.get(row["key"])
    if key is None or key["key"] == key["issuer"] or key["author"] != row["author"]:
        return f"{shown} is signed with a key that is not {_shown(row['author'])}'s"
    if row["number"] < key["from_entry"] or not chain.holds(row["key"], row["signature"], chain.entry_message(row["hash"])):
        return f"{shown} was not signed by {_shown(row['author'])}: its signature does not hold"
    return None


def key_holds(memory: str, row: Mapping[str, Any], root: str) -> bool:
    """Whether a row of memory_keys is what the root key signed."""
    return chain.is_well_typed(row) and row["issuer"] == root and chain.holds(root, row["signature"], chain.key_message(memory, row))


def _is_dated(row: Mapping[str, Any]) -> bool:
    return type(row["at_ms"]) is int and 0 <= row["at_ms"] < 253_402_300_800_000


def _shown(author: object) -> str:
    return one_line(str(author), 64)
