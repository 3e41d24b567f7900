"""What is kept: alerts, incidents and their timelines, silences, maintenance windows, watermarks, and who runs the loop.

SQLite is called in place (a small transaction takes well under a millisecond and simulated time has no threads); PostgreSQL is called
in one thread, so that the loop never waits for the network. Every method is one transaction.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, and_, create_engine, delete, event, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from gizzi.errors import GizziError, NotFound, StoreError
from gizzi.store import schema

T = TypeVar("T")
LEASE_S = 20.0
"""A loop that has not renewed its lease for this long is taken for dead."""


class Store:
    def __init__(self, engine: Engine, shown_url: str) -> None:
        self._engine = engine
        self._shown_url = shown_url
        remote = engine.dialect.name != "sqlite"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store") if remote else None
        self.version = 0
        """Counts the writes of people (silences, maintenance, acknowledgements) made through this object."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """One transaction. Raises StoreError, in which nothing of it was written."""
        if self._thread is None:
            return self.run_now(work)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.run_now, work)

    def run_now(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except GizziError:
            raise
        except DBAPIError as error:
            raise StoreError(f"the store {self._shown_url}: {_plain(error.orig)}") from None
        except SQLAlchemyError as error:
            raise StoreError(f"the store {self._shown_url}: {_plain(error)}") from None

    def close(self) -> None:
        self._engine.dispose()
        if self._thread is not None:
            self._thread.shutdown()

    # What the loop writes and reads back

    async def record(
        self, incidents: Iterable[tuple[Mapping[str, Any], bool]], alerts: Iterable[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]
    ) -> None:
        """Write one evaluation's changes, all or nothing.

        Each incident comes with whether its state is news: where it is not, an acknowledgement made meanwhile stands.
        """

        def work(connection: Connection) -> None:
            for row, state_is_news in incidents:
                kept = () if state_is_news else ("state", "acknowledged_by")
                connection.execute(self._upsert(schema.incidents, row, ["id"], kept))
            for row in alerts:
                connection.execute(self._upsert(schema.alerts, row, ["subject", "rule", "since"]))
            rows = [dict(row) for row in events]
            if rows:
                connection.execute(insert(schema.events), rows)

        await self.run(work)

    async def open_state(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
        """Open incidents, the alerts that belong to them or still fire, and the next free incident number."""

        def work(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
            open_rows = _rows(connection.execute(select(schema.incidents).where(schema.incidents.c.state != "resolved")))
            ids = [row["id"] for row in open_rows]
            wanted = schema.alerts.c.state.in_(("firing",)) | schema.alerts.c.incident.in_(ids)
            alert_rows = _rows(connection.execute(select(schema.alerts).where(wanted).order_by(schema.alerts.c.since)))
            last = connection.execute(select(schema.incidents.c.id).order_by(schema.incidents.c.id.desc()).limit(1)).scalar()
            return open_rows, alert_rows, (last or 0) + 1

        return await self.run(work)

    async def watermarks(self) -> dict[int, int]:
        """The highest finalized block each validator ever reported."""
        rows = await self.run(lambda c: _rows(c.execute(select(schema.watermarks))))
        return {row["validator"]: row["finalized_height"] for row in rows}

    async def set_watermarks(self, heights: Mapping[int, int]) -> None:
        def work(connection: Connection) -> None:
            for validator, height in heights.items():
                connection.execute(self._upsert(schema.watermarks, {"validator": validator, "finalized_height": height}, ["validator"]))

        await self.run(work)

    async def take_lease(self, holder: str, now: float, is_dead: Callable[[str], bool]) -> None:
        """Become the one loop on this store, or renew. Raises StoreError while another one is alive.

        is_dead: whether another holder is surely gone (its process ended on this machine), so that nobody waits after a crash.
        """

        def work(connection: Connection) -> None:
            row = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "lease")).scalar()
            if row is not None:
                other, at = json.loads(row)
                if other != holder and now - at < LEASE_S and not is_dead(other):
                    raise StoreError(
                        f"another Gizzi ({other}) already watches with {self._shown_url}; stop it first, or use another [store] url"
                    )
            connection.execute(self._upsert(schema.meta, {"key": "lease", "value": json.dumps([holder, now])}, ["key"]))

        await self.run(work)

    async def drop_lease(self, holder: str) -> None:
        def work(connection: Connection) -> None:
            row = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "lease")).scalar()
            if row is not None and json.loads(row)[0] == holder:
                connection.execute(delete(schema.meta).where(schema.meta.c.key == "lease"))

        await self.run(work)

    async def lease(self) -> tuple[str, float] | None:
        """Who runs the loop on this store, and when that was last renewed; None where nobody does."""
        row = await self.run(lambda c: c.execute(select(schema.meta.c.value).where(schema.meta.c.key == "lease")).scalar())
        return tuple(json.loads(row)) if row is not None else None

    # What people read and write

    async def incident_rows(self, *, open_only: bool = False, limit: int = 200, offset: int = 0) -> list[dict[str, Any]]:
        """Newest first."""
        query = select(schema.incidents).order_by(schema.incidents.c.id.desc()).limit(limit).offset(offset)
        if open_only:
            query = query.where(schema.incidents.c.state != "resolved")
        return await self.run(lambda c: _rows(c.execute(query)))

    async def incident_row(self, incident: int) -> dict[str, Any]:
        rows = await self.run(lambda c: _rows(c.execute(select(schema.incidents).where(schema.incidents.c.id == incident))))
        if not rows:
            raise NotFound(f"there is no incident inc-{incident}; `gizzi incidents` lists them")
        return rows[0]

    async def alert_rows(self, *, incidents: Sequence[int] | None = None, firing: bool = False) -> list[dict[str, Any]]:
        query = select(schema.alerts).order_by(schema.alerts.c.since)
        if incidents is not None:
            query = query.where(schema.alerts.c.incident.in_(incidents))
        if firing:
            query = query.where(schema.alerts.c.state == "firing")
        return await self.run(lambda c: _rows(c.execute(query)))

    async def event_rows(self, incident: int) -> list[dict[str, Any]]:
        query = select(schema.events).where(schema.events.c.incident == incident).order_by(schema.events.c.id)
        return await self.run(lambda c: _rows(c.execute(query)))

    async def acknowledge(self, incident: int, by: str, at: float) -> None:
        """Mark as seen by a person. Raises NotFound, or StoreError where it is already over."""

        def work(connection: Connection) -> None:
            table = schema.incidents
            changed = connection.execute(
                update(table)
                .where(and_(table.c.id == incident, table.c.state != "resolved"))
                .values(state="acknowledged", acknowledged_by=by)
            )
            if changed.rowcount == 0:
                exists = connection.execute(select(table.c.id).where(table.c.id == incident)).scalar()
                if exists is None:
                    raise NotFound(f"there is no incident inc-{incident}; `gizzi incidents` lists them")
                raise StoreError(f"incident inc-{incident} is already resolved; there is nothing to acknowledge")
            connection.execute(insert(schema.events).values(incident=incident, at=at, kind="acknowledged", text=f"acknowledged by {by}"))

        await self.run(work)
        self.version += 1

    async def add_silence(self, row: Mapping[str, Any]) -> int:
        """Keys: rule, validator, until, why, by, created_at. Returns its number."""
        return await self._add(schema.silences, row)

    async def add_maintenance(self, row: Mapping[str, Any]) -> int:
        """Keys: validator, chain, until, why, by, created_at. Returns its number."""
        return await self._add(schema.maintenance, row)

    async def mute_rows(self, now: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Silences and maintenance windows that have not ended."""

        def work(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            tables = (schema.silences, schema.maintenance)
            silences, windows = (_rows(connection.execute(select(t).where(t.c.until > now).order_by(t.c.id))) for t in tables)
            return silences, windows

        return await self.run(work)

    async def acknowledged(self) -> dict[int, str]:
        """Open incidents that a person has acknowledged, and who."""
        table = schema.incidents
        rows = await self.run(lambda c: _rows(c.execute(select(table).where(table.c.state == "acknowledged"))))
        return {row["id"]: row["acknowledged_by"] for row in rows}

    async def _add(self, table: Any, row: Mapping[str, Any]) -> int:
        key = await self.run(lambda c: c.execute(insert(table).values(**row)).inserted_primary_key)
        self.version += 1
        return int(key[0])  # type: ignore[index]

    def _upsert(self, table: Any, row: Mapping[str, Any], keys: list[str], kept: Sequence[str] = ()) -> Any:
        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(table).values(**row)
        changed = {name: statement.excluded[name] for name in row if name not in keys and name not in kept}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def open_store(url: str) -> Store:
    """Open and migrate. Raises StoreError: a wrong URL, no such server, a locked or full disk, a newer version."""
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        memory = parsed.drivername == "sqlite" and parsed.database in (None, "", ":memory:")
        options: dict[str, Any] = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if memory else {}
        engine = create_engine(parsed, **options)
    except (ArgumentError, NoSuchModuleError):
        raise StoreError("[store] url is not one Gizzi knows; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME") from None
    except ModuleNotFoundError:
        raise StoreError("[store] url needs the PostgreSQL driver: pip install 'gizzi[postgresql]'") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    store = Store(engine, parsed.render_as_string(hide_password=True))
    store.run_now(schema.migrate)
    return store


def _tune_sqlite(connection: Any, _record: Any) -> None:
    """Several processes read and write; a commit survives a killed process."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _rows(result: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in result]


def _plain(error: object) -> str:
    return " ".join(str(error).split())[:300]
