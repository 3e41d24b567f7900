"""What guard and verdict look at in a process that does not watch: what the watching one writes down while there are runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from gizzi.clock import Clock
from gizzi.engine.act import rows
from gizzi.engine.act.verdict import Look
from gizzi.engine.act.world import World
from gizzi.errors import StoreError
from gizzi.store import Store
from gizzi.store.schema import meta
from gizzi.store.workflow_schema import runs

log = structlog.get_logger("gizzi.act")

LATELY_S = 1800.0
"""As long as a restarted validator is waited for."""
STALE_AFTER_ROUNDS = 3
_PREFIX = "look:"


class StoredWorld:
    """every_s: the watching process's poll round. A sight that is older than three of them is none: then everything is unknown."""

    def __init__(self, store: Store, clock: Clock, every_s: float) -> None:
        self._store = store
        self._clock = clock
        self._every_s = every_s

    async def look(self, number: int) -> Look | None:
        """Waits for a fresh sight as long as one may take; None where none comes."""
        stale_s = STALE_AFTER_ROUNDS * self._every_s
        until = self._clock.now() + stale_s
        while True:
            found = await self._store.run(lambda c: c.execute(select(meta.c.value).where(meta.c.key == f"{_PREFIX}{number}")).scalar())
            look = Look(**json.loads(found)) if found is not None else None
            now = self._clock.now()
            if look is not None and abs(now - look.at) <= stale_s:
                return look
            if now >= until:
                return None
            await self._clock.sleep(self._every_s / 2)

    async def freshen(self, number: int) -> None:
        """Wait for the watching process's next sight of it."""
        asked_at = self._clock.now()
        while self._clock.now() < asked_at + STALE_AFTER_ROUNDS * self._every_s:
            found = await self.look(number)
            if found is None or found.at >= asked_at:
                return
            await self._clock.sleep(self._every_s / 2)


async def write_down(world: World, store: Store, clock: Clock, every_s: float, everybody: Sequence[int]) -> None:
    """Once a round, what is seen of the validators that runs are about or lately were about, without end."""
    while True:
        try:
            numbers = await store.run(lambda c: _wanted(c, clock.now(), everybody))
            looks = {number: look for number in numbers if (look := await world.look(number)) is not None}
            if looks:
                await store.run(lambda c, looks=looks: _write(c, looks))  # type: ignore[misc]
        except StoreError as error:
            log.error("store_failed", error=str(error))
        await clock.sleep(every_s)


def _wanted(connection: Connection, now: float, everybody: Sequence[int]) -> Iterable[int]:
    """A workflow may look at any of them."""
    if connection.execute(select(runs.c.id).where(runs.c.state == "running").limit(1)).first() is not None:
        return everybody
    unfinished = {row["validator"] for row in rows.unfinished(connection)}
    return unfinished | {row["validator"] for row in rows.lately(connection, now, LATELY_S)} if unfinished else ()


def _write(connection: Connection, looks: Mapping[int, Look]) -> None:
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(meta)
    statement = statement.on_conflict_do_update(index_elements=["key"], set_={"value": statement.excluded.value})
    values = [{"key": f"{_PREFIX}{number}", "value": json.dumps(look.as_json())} for number, look in sorted(looks.items())]
    connection.execute(statement, values)
