"""The memory: entries are added, read, searched and verified; nothing changes or removes one.

The head's row is the lock: whoever adds takes it first, on SQLite and PostgreSQL alike, so that any number of processes make one chain.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import structlog
from sqlalchemy import Connection, insert, select, update

from gizzi.clock import Clock
from gizzi.errors import StoreError
from gizzi.memory import chain, search, verify
from gizzi.memory.case import Case, Situation
from gizzi.memory.entry import Entry, Stored, columns_of, stored_of
from gizzi.memory.keys import Keys, Signer
from gizzi.memory.recall import Recall
from gizzi.memory.rows import rows_of
from gizzi.memory.verify import Verification
from gizzi.store import Store
from gizzi.store import memory_schema as schema

log = structlog.get_logger("gizzi.memory")
Row = dict[str, Any]
_LOOK = "nothing is added to it until a person has looked; `gizzi memory verify` names what was changed"


class Memory:
    def __init__(self, store: Store, clock: Clock, keys: Keys) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._recall = Recall()
        self._own_head: Row = {}
        """What this object wrote last, and so need not check."""

    async def add(self, entry: Entry) -> int:
        """Append it, signed by its author. Returns its number. Raises StoreError; nothing is added then."""
        before, head = await self._store.run(lambda connection: self._append(connection, entry))
        try:
            if self._keys.heads().get(head["memory"], (0, "")) == (before["entries"], before["hash"]):
                self._keys.note(head["memory"], head["entries"], head["hash"])
            else:
                await self.witness()
        except StoreError as error:
            log.warning("memory_not_noted", error=str(error))
        return int(head["entries"])

    def add_in(self, connection: Connection, entry: Entry) -> int:
        """The same inside the caller's transaction, which holds the memory until it ends. Call `witness` once it is committed."""
        return int(self._append(connection, entry)[1]["entries"])

    def _append(self, connection: Connection, entry: Entry) -> tuple[Row, Row]:
        """The head before and after."""
        head = self._take(connection)
        number = head["entries"] + 1
        signer = self._signer(connection, head["memory"], entry.author, number)
        row = {**columns_of(entry), "number": number, "key": signer.public}
        previous = head["hash"] or chain.first_hash(head["memory"])
        row["hash"] = chain.next_hash(previous, number, row)
        row["signature"] = signer.sign(chain.entry_message(row["hash"]))
        connection.execute(insert(schema.entries), row)
        new = {"memory": head["memory"], "entries": number, "hash": row["hash"], "key": signer.public}
        self._move(connection, head, new, signer)
        return head, new

    async def witness(self) -> None:
        """Note beside the keys how far the memory is, so that a store that is put back to an older state is noticed.

        What was noted before must still be there: where it is not, it stays noted, and `verify` goes on telling.
        """

        def read(connection: Connection) -> tuple[Any, str | None]:
            head = connection.execute(select(schema.head)).mappings().first()
            entries = noted.get(head["memory"], (0, ""))[0] if head is not None else 0
            return head, connection.execute(select(schema.entries.c.hash).where(schema.entries.c.number == entries)).scalar()

        noted = self._keys.heads()
        head, hash_there = await self._store.run(read)
        if head is not None and head["memory"] and noted.get(head["memory"], (0, None))[1] == hash_there:
            self._keys.note(head["memory"], head["entries"], head["hash"])

    async def tail(self, limit: int = 20) -> list[Stored]:
        """The newest entries, the newest last."""
        query = select(schema.entries).order_by(schema.entries.c.number.desc()).limit(limit)
        return list(reversed(await self._read(query)))

    async def latest(self, limit: int, offset: int = 0, kind: str | None = None) -> list[Stored]:
        """The newest first, of one kind or of all."""
        query = select(schema.entries).order_by(schema.entries.c.number.desc()).limit(limit).offset(offset)
        return await self._read(query if kind is None else query.where(schema.entries.c.kind == kind))

    async def since(self, number: int = 0, limit: int = 1000) -> list[Stored]:
        """The entries after that number, the oldest first."""
        query = select(schema.entries).where(schema.entries.c.number > number).order_by(schema.entries.c.number).limit(limit)
        return await self._read(query)

    async def search(self, text: str, limit: int = 20) -> list[Stored]:
        """Entries in which every word of the text occurs, the newest first. None without text."""
        return await self._store.run(lambda c: [stored_of(row) for row in search.find(c, text, limit)])

    async def verify(self) -> Verification:
        """Read everything and check it: see `verify.py` for what that finds. Raises StoreError only where it cannot be read."""
        root, heads = self._keys.known_root(), self._keys.heads()
        check = await self._store.run(lambda c: verify.Check(c, root, heads))
        while check.fault is None and not check.done:
            await self._store.run(check.go_on)
        return check.result()

    async def similar(self, situation: Situation, k: int = 3) -> list[Case]:
        """The closed cases most like it, the most like first; fewer than k where fewer are alike.

        A case whose hash or signature does not hold is left out: what somebody planted decides nothing.
        """
        await self._store.run(self._recall.read_new)
        root = self._keys.known_root()

        def choose(connection: Connection) -> list[Case]:
            ranked = self._recall.rank(situation, self._clock.now())
            return list(islice((case for case in ranked if verify.one_holds(connection, case.number, root)), k))

        return await self._store.run(choose)

    async def _read(self, query: Any) -> list[Stored]:
        return await self._store.run(lambda c: [stored_of(row) for row in rows_of(c, query)])

    def _take(self, connection: Connection) -> Row:
        """The head, which nobody else can change until this transaction ends."""
        table = schema.head
        rows = rows_of(connection, update(table).values(entries=table.c.entries).returning(table))
        if len(rows) != 1:
            raise StoreError(f"the memory's head is gone from the store: {_LOOK}")
        head = rows[0]
        if head != self._own_head:
            self._check(connection, head)
        return head

    def _check(self, connection: Connection, head: Row) -> None:
        """Raises StoreError where a head does not hold: to add to it would be to sign it."""
        fault = verify.head_fault(head)
        if fault is None and head["entries"]:
            rows = rows_of(connection, select(schema.keys).where(schema.keys.c.key == head["key"]))
            if rows and rows[0]["issuer"] != self._keys.root().public:
                raise StoreError(self._another_root())
            if not rows or not verify.key_holds(head["memory"], rows[0], rows[0]["issuer"]):
                fault = "the memory's head is signed with a key that the root key did not sign"
        if fault is not None:
            raise StoreError(f"{fault}: {_LOOK}")

    def _another_root(self) -> str:
        return (
            f"the memory in the store was signed under another root key than the one in {self._keys.place}; "
            "copy the keys from the machine that wrote it, or see docs/explanation/memory.md"
        )

    def _move(self, connection: Connection, old: Row, new: Row, signer: Signer) -> None:
        table = schema.head
        same = (table.c.memory == old["memory"]) & (table.c.entries == old["entries"]) & (table.c.hash == old["hash"])
        signature = signer.sign(chain.head_message(new))
        moved = connection.execute(update(table).where(same).values(**new, signature=signature))
        if moved.rowcount != 1:
            raise StoreError("the memory's head was changed by somebody else meanwhile; nothing was added")
        self._own_head = {**new, "signature": signature}

    def _signer(self, connection: Connection, memory: str, author: str, number: int) -> Signer:
        """The author's key, made known in the store where it is not yet."""
        signer, root, table = self._keys.author(author), self._keys.root(), schema.keys
        known = {row.key: row.issuer for row in connection.execute(select(table.c.key, table.c.issuer))}
        roots = [key for key, issuer in known.items() if key == issuer]
        if roots != ([] if number == 1 else [root.public]):
            raise StoreError(self._another_root())
        if not roots:
            self._vouch(connection, memory, root, root.public, "root", 0)
        if signer.public not in known:
            self._vouch(connection, memory, root, signer.public, author, number)
        return signer

    def _vouch(self, connection: Connection, memory: str, root: Signer, key: str, author: str, number: int) -> None:
        row = {"key": key, "author": author, "from_entry": number, "issuer": root.public}
        connection.execute(insert(schema.keys), {**row, "signature": root.sign(chain.key_message(memory, row))})
