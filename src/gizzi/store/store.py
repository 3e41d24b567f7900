"""What is kept: alerts, incidents and their timelines, silences, maintenance windows, watermarks, and who runs the loop.

A database in memory is called in place (a transaction takes well under a millisecond, and simulated time has no threads); a file or a
server is called in one thread, so that the loop never waits for a lock, a disk or the network. Every method is one transaction.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, and_, bindparam, create_engine, delete, event, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from gizzi.errors import AlreadyOver, GizziError, NotFound, StoreError, StoreTaken
from gizzi.store import schema

T = TypeVar("T")
LEASE_S = 20.0
"""A loop that has not renewed its lease for this long is taken for dead."""
MIGRATE_AGAIN_S = 0.3
LONGEST_S = 15.0
"""How long one transaction is awaited. It may still be carried out: what is written again then must not be there twice."""
_PATIENCE = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""So that a server that is gone is noticed; libpq's options."""


# Asked every other second: made once.
_MUTES = [select(t).where(t.c.until > bindparam("now")).order_by(t.c.id) for t in (schema.silences, schema.maintenance)]
_ACKNOWLEDGED = select(schema.incidents.c.id, schema.incidents.c.acknowledged_by).where(schema.incidents.c.state == "acknowledged")


class Store:
    def __init__(self, engine: Engine, shown_url: str) -> None:
        self._engine = engine
        self.shown_url = shown_url
        in_memory = isinstance(engine.pool, StaticPool)
        self._thread = None if in_memory else ThreadPoolExecutor(1, thread_name_prefix="store")
        self._overdue: Future[Any] | None = None
        self.version = 0
        """Counts the writes of people (silences, maintenance, acknowledgements) made through this object."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """One transaction. Raises StoreError; nothing of it was written then, unless it was its answer that got lost."""
        if self._thread is None:
            return self.run_now(work)
        if self._overdue is not None and not self._overdue.done():
            raise StoreError(f"the store {self.shown_url} still does not answer")
        running = self._thread.submit(self.run_now, work)
        try:
            async with asyncio.timeout(LONGEST_S):
                return await asyncio.wrap_future(running)
        except TimeoutError:
            self._overdue = running
            raise StoreError(f"the store {self.shown_url} did not answer in {LONGEST_S:.0f} s") from None

    def run_now(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except GizziError:
            raise
        except DBAPIError as error:
            raise StoreError(f"the store {self.shown_url}: {_plain(error.orig)}") from None
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error, OverflowError, UnicodeError) as error:
            raise StoreError(f"the store {self.shown_url}: {_plain(error)}") from None

    def close(self) -> None:
        self._engine.dispose()
        if self._thread is not None:
            self._thread.shutdown(wait=self._overdue is None or self._overdue.done())

    # What the loop writes and reads back

    async def record(
        self, incidents: Iterable[tuple[Mapping[str, Any], bool]], alerts: Iterable[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]
    ) -> None:
        """Write one evaluation's changes, all or nothing; the same changes again do no harm.

        Each incident comes with whether its state is news: where it is not, an acknowledgement made meanwhile stands.
        """

        def work(connection: Connection) -> None:
            for row, state_is_news in incidents:
                kept: tuple[str, ...] = () if state_is_news else ("state", "acknowledged_by")
                if state_is_news and row["state"] == "resolved":
                    kept = ("acknowledged_by",)
                self._upsert_all(connection, schema.incidents, [row], ("id",), kept)
            self._upsert_all(connection, schema.alerts, list(alerts), ("subject", "rule", "since"))
            for row in events:
                connection.execute(_insert_once(schema.events, tuple(row)), {f"the_{name}": value for name, value in row.items()})

        await self.run(work)

    async def open_state(self, resolved_since: float = float("inf")) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
        """Incidents that are open or were resolved since then, the alerts that belong to them or still fire, and the next free number."""

        def work(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
            table = schema.incidents
            of_interest = (table.c.state != "resolved") | and_(table.c.resolved_at >= resolved_since, table.c.merged_into.is_(None))
            open_rows = _rows(connection.execute(select(table).where(of_interest).order_by(table.c.resolved_at, table.c.id)))
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
        rows = [{"validator": validator, "finalized_height": height} for validator, height in heights.items()]
        await self.run(lambda c: self._upsert_all(c, schema.watermarks, rows, ("validator",)))

    async def take_lease(self, holder: str, now: float, is_dead: Callable[[str], bool]) -> None:
        """Become the one loop on this store, or renew. Raises StoreTaken while another one is alive.

        is_dead: whether another holder is surely gone (its process ended on this machine), so that nobody waits after a crash.
        """

        def work(connection: Connection) -> None:
            found = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "lease")).scalar()
            if found is not None:
                other, at = json.loads(found)
                if other != holder and now - at < LEASE_S and not is_dead(other):
                    raise StoreTaken(f"another Gizzi ({other}) {already}")
            if not self._exchange_lease(connection, found, json.dumps([holder, now])):
                raise StoreTaken(f"another Gizzi, started at the same moment, {already}")

        already = f"already watches with {self.shown_url}; stop it first, or use another [store] url"
        await self.run(work)

    def _exchange_lease(self, connection: Connection, found: str | None, mine: str) -> bool:
        """Put the lease in the place of the one that was found. False where somebody else has been quicker."""
        table = schema.meta
        change: Any = update(table).where(and_(table.c.key == "lease", table.c.value == found)).values(value=mine)
        if found is None:
            dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
            change = dialect.insert(table).values(key="lease", value=mine).on_conflict_do_nothing()
        return connection.execute(change.returning(table.c.key)).first() is not None

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

    async def say_api(self, holder: str, url: str) -> None:
        """Let others find the API of who runs the loop."""
        row = {"key": "api", "value": json.dumps([holder, url])}
        await self.run(lambda c: self._upsert_all(c, schema.meta, [row], ("key",)))

    async def api(self) -> tuple[str, str] | None:
        """Whose API was said last, and where it is; it holds while that one has the lease."""
        row = await self.run(lambda c: c.execute(select(schema.meta.c.value).where(schema.meta.c.key == "api")).scalar())
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
        """Mark as seen by a person. Raises NotFound, AlreadyOver."""

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
                raise AlreadyOver(f"incident inc-{incident} is already resolved; there is nothing to acknowledge")
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
        return await self.run(lambda c: mutes(c, now))

    async def acknowledged(self) -> dict[int, str]:
        """Open incidents that a person has acknowledged, and who."""
        return await self.run(acknowledged)

    async def _add(self, table: Any, row: Mapping[str, Any]) -> int:
        key = await self.run(lambda c: c.execute(insert(table).values(**row)).inserted_primary_key)
        self.version += 1
        return int(key[0])  # type: ignore[index]

    def _upsert_all(
        self, connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]], keys: tuple[str, ...], kept: tuple[str, ...] = ()
    ) -> None:
        """Insert rows of the same columns, or change those that are there, all but what is `kept`."""
        if rows:
            connection.execute(_upsert(self._engine.dialect.name, table, tuple(rows[0]), keys, kept), rows)


def mutes(connection: Connection, now: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """As `Store.mute_rows`."""
    silences, windows = (_rows(connection.execute(query, {"now": now})) for query in _MUTES)
    return silences, windows


def acknowledged(connection: Connection) -> dict[int, str]:
    """As `Store.acknowledged`."""
    return {row.id: row.acknowledged_by for row in connection.execute(_ACKNOWLEDGED)}


def open_store(url: str) -> Store:
    """Open and migrate. Raises StoreError: a wrong URL, no such server, a locked or full disk, a newer version."""
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed, **_options(parsed))
    except (ArgumentError, NoSuchModuleError):
        raise StoreError("[store] url is not one Gizzi knows; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME") from None
    except ModuleNotFoundError:
        raise StoreError("[store] url needs the PostgreSQL driver: pip install 'gizzi[postgresql]'") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    store = Store(engine, parsed.render_as_string(hide_password=True))
    try:
        _migrate(store)
    except StoreError:
        store.close()
        raise
    return store


def _migrate(store: Store) -> None:
    """Once more where it fails: another process may have made the same new store at the same moment."""
    try:
        store.run_now(schema.migrate)
    except StoreError:
        time.sleep(MIGRATE_AGAIN_S)
        store.run_now(schema.migrate)


def _options(url: URL) -> dict[str, Any]:
    if url.drivername == "sqlite":
        memory = url.database in (None, "", ":memory:")
        return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if memory else {}
    if url.drivername == "postgresql+psycopg":
        return {"pool_pre_ping": True, "connect_args": {name: value for name, value in _PATIENCE.items() if name not in url.query}}
    return {}


def _tune_sqlite(connection: Any, _record: Any) -> None:
    """Several processes read and write; a commit survives a killed process."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


@cache
def _upsert(dialect: str, table: Any, columns: tuple[str, ...], keys: tuple[str, ...], kept: tuple[str, ...]) -> Any:
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    changed = {name: statement.excluded[name] for name in columns if name not in keys and name not in kept}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


@cache
def _insert_once(table: Any, columns: tuple[str, ...]) -> Any:
    """Unless there is such a row already. The values are its parameters `the_…`, none of them None."""
    values = {name: bindparam(f"the_{name}", type_=table.c[name].type) for name in columns}
    same = exists().where(and_(*(table.c[name] == value for name, value in values.items())))
    return insert(table).from_select(list(columns), select(*values.values()).where(~same))


def _rows(result: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in result]


def _plain(error: object) -> str:
    said = " ".join(str(error).split())[:300]
    return said + next((f"; {what_to_do}" for words, what_to_do in _WHAT_TO_DO.items() if words in said), "")


_WHAT_TO_DO = {
    "disk is full": "make room there",
    "readonly database": "let this user write there, or use another [store] url",
    "unable to open database file": "let this user write there, or use another [store] url",
}
