"""Which answers were good: what the learned router is trained from.

Of a prompt and its answer only features are kept: which of 8,192 buckets their words fall into, and figures about their shape. The text
cannot be read from them, though one can test whether a given word may have occurred. Nothing is kept of what is marked private.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from gizzi.clock import Clock
from gizzi.errors import NotFound, StoreError
from gizzi.models.features import VERSION, extract, from_json
from gizzi.models.task import Task
from gizzi.models.train import Outcome
from gizzi.readers.text import one_line
from gizzi.store import Store
from gizzi.store.outcome_schema import outcomes

MOST_OPEN = 5000
"""How many answers of which nobody has said anything are kept; the oldest go."""
TIDY_EVERY = 256
MOST_WAITING = 1000
"""So many answers may wait to be written; of more the oldest are not kept."""
PERSON = "person"


class Outcomes:
    """One for each process and store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[dict[str, Any]] = []
        self._writer: asyncio.Task[None] | None = None
        self._written = 0

    def note(self, task: Task, model: str, response: str, *, good: bool | None = None, said_by: str | None = None) -> str | None:
        """Keep an answer, in the background, and return its id. None where the task is private, of which nothing is kept."""
        if task.private:
            return None
        row = {
            "id": uuid.uuid4().hex[:12],
            "at": self._clock.now(),
            "model": one_line(model, 256),
            "features": json.dumps(extract(task.text, response).as_json(), separators=(",", ":")),
            "version": VERSION,
            "good": good,
            "said_by": said_by,
        }
        self._waiting = [*self._waiting[-MOST_WAITING + 1 :], row]
        if self._writer is None or self._writer.done():
            self._writer = asyncio.ensure_future(self._write())
        return str(row["id"])

    async def _write(self) -> None:
        """What came meanwhile goes into one transaction, so that many calls at once are no burden."""
        while self._waiting:
            rows, self._waiting = self._waiting, []
            tidy = self._written % TIDY_EVERY + len(rows) >= TIDY_EVERY or not self._written
            self._written += len(rows)
            with suppress(StoreError):  # the answers themselves are worth more than what may be said of them
                await self._store.run(partial(_add, rows, tidy))

    async def finish(self) -> None:
        """Wait for what is being written; before the event loop ends."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])

    async def judge(self, name: str, good: bool) -> str:
        """A person's word on an answer, the last one counts; returns the model. Raises NotFound where no such answer is kept."""
        await self.finish()

        def work(connection: Connection) -> str | None:
            connection.execute(update(outcomes).where(outcomes.c.id == name).values(good=good, said_by=PERSON))
            return connection.execute(select(outcomes.c.model).where(outcomes.c.id == name)).scalar()

        model = await self._store.run(work)
        if model is None:
            raise NotFound(f"there is no answer {one_line(name, 40)!r}, or not any more; `gizzi ask` shows an answer's id")
        return model

    async def judged(self) -> list[Outcome]:
        """Every answer of which it is known whether it was good, and whose features are those of this version, the oldest first."""

        def work(connection: Connection) -> list[Any]:
            known = outcomes.c.good.is_not(None) & (outcomes.c.version == VERSION)
            return list(connection.execute(select(outcomes).where(known).order_by(outcomes.c.at, outcomes.c.id)))

        rows = [(row, from_json(_json(row.features))) for row in await self._store.run(work)]
        return [Outcome(features, row.model, row.good) for row, features in rows if features is not None]


def _add(rows: list[dict[str, Any]], tidy: bool, connection: Connection) -> None:
    connection.execute(insert(outcomes), rows)
    if tidy:
        kept = select(outcomes.c.id).where(outcomes.c.good.is_(None)).order_by(outcomes.c.at.desc()).limit(MOST_OPEN)
        connection.execute(delete(outcomes).where(outcomes.c.good.is_(None), outcomes.c.id.not_in(kept)))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
