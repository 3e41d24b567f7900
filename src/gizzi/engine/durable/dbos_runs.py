"""Runs kept by DBOS, in SQLite beside the store or in the store's own PostgreSQL. The only module that knows DBOS.

DBOS is loaded when this opens. A step whose process died runs again; a run whose process died is taken up by the next `open` of the same
worker, or by another worker once the first has not been seen for a while.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import ColumnClause, column, create_engine, event, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from gizzi.clock import Clock
from gizzi.engine.durable import Procedure
from gizzi.errors import StoreError
from gizzi.store import Store
from gizzi.store.workers import beat, dead_workers, forget

log = structlog.get_logger("gizzi.runs")

VERSION = "1"
"""Of the workflows. Runs of another version are not taken up: raise it only where a change would break those under way."""
BEAT_S = 5.0
GONE_S = 20.0
"""A worker that has not been seen for so long is taken for dead, and its runs are taken over."""
QUEUE = "runs"
"""Without a limit: a run that was taken over must not stand behind those that wait for it."""
LOOK_FOR_RUNS_S = 0.5
UNFINISHED = ("PENDING", "ENQUEUED", "DELAYED")


class DbosRun:
    def __init__(self, dbos: Any, run_id: str) -> None:
        self.id = run_id
        self._dbos = dbos

    async def step(self, name: str, function: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        return await self._dbos.run_step_async({"name": name}, function, *given)

    async def sleep(self, duration_s: float) -> None:
        await self._dbos.sleep_async(duration_s)


class DbosRuns:
    """worker: this process's name, the same when it is started again in its place. On PostgreSQL any worker takes up what one starts."""

    def __init__(self, store: Store, clock: Clock, store_url: str, worker: str) -> None:
        self._store = store
        self._clock = clock
        self._url = store_url
        self._worker = worker
        self.is_shared = is_shared(store_url)
        self._procedures: dict[str, Procedure] = {}
        self._workflows: dict[str, Any] = {}
        self._dbos: Any = None
        self._is_launched = False
        self._launching = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None
        self._idle: set[str] = set()
        importlib.import_module("sqlalchemy.orm")  # before the loop: half loaded, with DBOS beside it, it breaks the store's statements

    def register(self, name: str, procedure: Procedure) -> None:
        self._procedures[name] = procedure

    async def open(self) -> None:
        """Again after it failed, too. On SQLite, where all runs are our own, DBOS waits for the first: even idle it reads its tables."""
        if self.is_shared or await asyncio.to_thread(_left_unfinished, self._url):
            await self._launched()

    async def _launched(self) -> Any:
        async with self._launching:
            if not self._is_launched:
                await asyncio.to_thread(_load)
                await self._launch()
                self._is_launched = True
        return self._dbos

    async def _launch(self) -> None:
        if self._dbos is not None:
            self._dbos.destroy(workflow_completion_timeout_sec=0)
        from dbos import DBOS, DBOSConfig

        url = system_url(self._url)
        engine = create_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _tune)
        config = DBOSConfig(
            name="gizzi",
            system_database_url=url,
            system_database_engine=engine,
            dbos_system_schema="gizzi_runs",
            executor_id=self._worker,
            application_version=VERSION,
            log_level="CRITICAL",
            console_log_level="CRITICAL",
            serializer=_json(),
            enable_otlp=False,
            use_listen_notify=False,
        )
        with _plain(self._url):
            DBOS(config=config)
            self._dbos = DBOS
            for name, procedure in self._procedures.items():
                if name not in self._workflows:
                    self._workflows[name] = DBOS.workflow(name=name)(_workflow(DBOS, procedure))
            DBOS.launch()
            if self.is_shared:
                await DBOS.register_queue_async(QUEUE, polling_interval_sec=LOOK_FOR_RUNS_S, on_conflict="always_update")
            await self._give_up_others(self._worker)
        if self.is_shared and self._beating is None:
            self._beating = asyncio.create_task(self._beat())

    async def start(self, name: str, run_id: str, given: Mapping[str, Any]) -> None:
        dbos = await self._launched()
        from dbos import SetWorkflowID

        with _plain(self._url), SetWorkflowID(run_id):
            if self.is_shared:
                await dbos.enqueue_workflow_async(QUEUE, self._workflows[name], dict(given))
            else:
                await dbos.start_workflow_async(self._workflows[name], dict(given))

    async def goes_on(self, run_id: str) -> bool:
        if not self._is_launched:
            return False
        with _plain(self._url):
            status = await self._dbos.get_workflow_status_async(run_id)
            if status is None or status.status not in UNFINISHED or status.app_version not in (None, VERSION):
                if status is not None and status.status not in UNFINISHED:
                    log.error("run_broke_off", run=run_id, error=str(status.error or status.status))
                return False
            await self._wake(status)
        return True

    async def _wake(self, status: Any) -> None:
        """A run of ours that nothing executes, seen so twice: its tables failed when it was to go on."""
        run_id, active = status.workflow_id, _active(self._dbos)
        if status.status != "PENDING" or status.executor_id != self._worker or run_id in active:
            self._idle.discard(run_id)
        elif run_id not in self._idle:
            self._idle.add(run_id)
        else:
            self._idle.discard(run_id)
            log.warning("run_goes_on", run=run_id)
            await self._dbos.resume_workflow_async(run_id)

    async def result(self, run_id: str) -> Any:
        dbos = await self._launched()
        with _plain(self._url):
            handle = await dbos.retrieve_workflow_async(run_id)
            return await handle.get_result()

    async def close(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        if self._dbos is not None:
            self._dbos.destroy(workflow_completion_timeout_sec=0)

    async def _beat(self) -> None:
        """Say that this worker lives, and take over the runs of those that do not."""
        while True:
            try:
                now = self._clock.now()
                await self._store.run(lambda c, now=now: beat(c, self._worker, now))  # type: ignore[misc]
                for worker in await self._store.run(lambda c, now=now: dead_workers(c, now - GONE_S)):  # type: ignore[misc]
                    await self._take_over(worker)
            except StoreError as error:
                log.error("heartbeat_failed", error=str(error))
            await self._clock.sleep(BEAT_S)

    async def _take_over(self, worker: str) -> None:
        """Its runs go back to whoever is free. Several may do this at once, and die meanwhile: only what is still that worker's moves."""
        with _plain(self._url):
            taken = await asyncio.to_thread(self._dbos._recover_pending_workflows, [worker])
            await self._give_up_others(worker)
        for run in taken:
            log.warning("run_taken_over", run=run.workflow_id, of=worker)
        await self._store.run(lambda c: forget(c, worker))

    async def _give_up_others(self, worker: str) -> None:
        """Forget runs of other versions that were that worker's or nobody's: what they had begun is settled, the rest begun anew."""
        found = await self._dbos.list_workflows_async(status=list(UNFINISHED), load_input=False, load_output=False)
        others = [run.workflow_id for run in found if run.app_version not in (None, VERSION) and run.executor_id in (None, worker)]
        if others:
            log.warning("runs_of_another_version", runs=others, version=VERSION)
            await self._dbos.delete_workflows_async(others)


def _active(dbos: Any) -> set[str]:
    """The runs that this process executes now."""
    from dbos._dbos import _get_dbos_instance

    return set(_get_dbos_instance()._active_workflows_set.activeList())


@contextmanager
def _plain(store_url: str) -> Iterator[None]:
    """What goes wrong with the runs' tables, as StoreError."""
    from dbos._error import DBOSException

    try:
        yield
    except (SQLAlchemyError, DBOSException, OSError) as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
        raise StoreError(f"the runs' tables in {make_url(system_url(store_url)).render_as_string()}: {said}") from None


def is_shared(store_url: str) -> bool:
    """Whether several processes may carry out runs: SQLite's tables are for one."""
    return make_url(store_url).get_backend_name() != "sqlite"


def _load() -> None:
    """Import DBOS: half a second, in which the loop would stand still. Raises StoreError."""
    try:
        importlib.import_module("dbos")
    except ImportError as error:
        raise StoreError(f"runs cannot be kept: {error}; was Gizzi installed anew while it ran? start it again") from None


def _left_unfinished(store_url: str) -> bool:
    """Whether the SQLite file of runs holds one that an earlier process left; so too where that cannot be told."""
    url = make_url(system_url(store_url))
    if not Path(str(url.database)).exists():
        return False
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            state: ColumnClause[str] = column("status")
            found = select(state).select_from(table("workflow_status", state)).where(state.in_(UNFINISHED)).limit(1)
            return connection.execute(found).first() is not None
    except SQLAlchemyError:
        return True


def system_url(store_url: str) -> str:
    """Where DBOS keeps its tables: an SQLite file beside the store's, or a schema of the same PostgreSQL database."""
    url = make_url(store_url)
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database}.runs"
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _workflow(dbos: Any, procedure: Procedure) -> Callable[[dict[str, Any]], Awaitable[Any]]:
    async def run(given: dict[str, Any]) -> Any:
        return await procedure(DbosRun(dbos, dbos.workflow_id), **given)

    run.__qualname__ = f"gizzi.{procedure.__qualname__}"
    return run


def _json() -> Any:
    """What goes into the runs' tables: JSON, never pickle."""
    from dbos._serialization import Serializer

    class Json(Serializer):
        def serialize(self, data: Any) -> str:
            if isinstance(data, BaseException):
                data = {"__error__": str(data)[:2000]}
            return json.dumps(data, default=str)

        def deserialize(self, serialized_data: str) -> Any:
            data = json.loads(serialized_data)
            return StoreError(data["__error__"]) if isinstance(data, dict) and "__error__" in data else data

        def name(self) -> str:
            return "gizzi-json"

    return Json()


def _tune(connection: Any, _record: Any) -> None:
    """SQLite before 3.42 has no unixepoch('subsec'), which DBOS calls."""
    import time

    connection.create_function("unixepoch", -1, lambda *_: time.time())
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()
