"""Runs kept by DBOS, in SQLite beside the store or in the store's own PostgreSQL. The only module that knows DBOS.

DBOS is loaded when this opens. A step whose process died runs again; a run whose process died is taken up by the next `open` of the same
worker, or by another worker once the first has not been seen for a while.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

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


class DbosRun:
    def __init__(self, dbos: Any, run_id: str) -> None:
        self.id = run_id
        self._dbos = dbos

    async def step(self, name: str, function: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        return await self._dbos.run_step_async({"name": name}, function, *given)

    async def sleep(self, duration_s: float) -> None:
        await self._dbos.sleep_async(duration_s)


class DbosRuns:
    """worker: this process's name, the same when it is started again in its place."""

    def __init__(self, store: Store, clock: Clock, store_url: str, worker: str) -> None:
        self._store = store
        self._clock = clock
        self._url = store_url
        self._worker = worker
        self._procedures: dict[str, Procedure] = {}
        self._workflows: dict[str, Any] = {}
        self._dbos: Any = None
        self._beating: asyncio.Task[None] | None = None

    def register(self, name: str, procedure: Procedure) -> None:
        self._procedures[name] = procedure

    async def open(self) -> None:
        from dbos import DBOS, DBOSConfig
        from dbos._error import DBOSException

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
            log_level="ERROR",
            console_log_level="ERROR",
            serializer=_json(),
            enable_otlp=False,
            use_listen_notify=False,
        )
        DBOS(config=config)
        self._dbos = DBOS
        for name, procedure in self._procedures.items():
            self._workflows[name] = DBOS.workflow(name=name)(_workflow(DBOS, procedure))
        try:
            DBOS.launch()
        except (DBOSException, SQLAlchemyError, OSError) as error:
            raise StoreError(f"the runs' tables in {make_url(url).render_as_string()} cannot be used: {error}") from None
        self._beating = asyncio.create_task(self._beat())

    async def start(self, name: str, run_id: str, given: Mapping[str, Any]) -> None:
        from dbos import SetWorkflowID

        with SetWorkflowID(run_id):
            await self._dbos.start_workflow_async(self._workflows[name], dict(given))

    async def knows(self, run_id: str) -> bool:
        return await self._dbos.get_workflow_status_async(run_id) is not None

    async def result(self, run_id: str) -> Any:
        handle = await self._dbos.retrieve_workflow_async(run_id)
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
                log.error("store_failed", error=str(error))
            await self._clock.sleep(BEAT_S)

    async def _take_over(self, worker: str) -> None:
        pending = await self._dbos.list_workflows_async(status="PENDING", executor_id=worker)
        if not await self._store.run(lambda c: forget(c, worker)):
            return
        for run in pending:
            log.warning("run_taken_over", run=run.workflow_id, of=worker)
            await self._dbos.resume_workflow_async(run.workflow_id)


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
