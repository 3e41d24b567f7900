"""A process that responds to the incidents of a store over DBOS and is killed where it is told to: python -m tools.responding FOLDER

FOLDER/gizzi.db, or what GIZZI_TEST_STORE says, is the store. What the action does is a line in FOLDER/effects, what people are told one in
FOLDER/news. It ends once no action is unfinished. Of the environment: KILL_AT names where it kills itself, POLICY holds keys of [policy]
as JSON, WORKER names it, EVERY is its poll round, MANY lets many act at a time, HELPS makes it carry out what another starts, once the file
that it names is there, STARTS makes it leave to others what it starts, GONE_S and BEAT_S are those of the runs, RUNS_VERSION is the
workflows' version, RENAMED a step that has another name by now.

KILL_AT: start, started (the run, by whoever watches); STEP:before, STEP:ran (not yet kept), STEP:kept of propose, permission, act,
verify and close; intent, effect, outcome (inside of act); asked, told (inside of permission); sleep.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from gizzi.clock import LiveClock
from gizzi.engine.act import approvals, rows
from gizzi.engine.act import door as door_module
from gizzi.engine.act import responder as responder_module
from gizzi.engine.act.responder import Responder
from gizzi.engine.act.response import News, Response
from gizzi.engine.act.stored_world import StoredWorld, write_down
from gizzi.engine.act.verdict import Look
from gizzi.engine.durable import dbos_runs
from gizzi.store import open_store
from tools.acting import door_of, look_at, settings_of, well

AT = os.environ.get("KILL_AT", "")
STEPS = ("propose", "permission", "act", "verify", "close")


def boundary(name: str) -> None:
    if name and name == AT:
        os.kill(os.getpid(), signal.SIGKILL)


class Place:
    """The folder, as the world: what has been restarted is well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = LiveClock()

    def effects(self) -> list[int]:
        file = self.folder / "effects"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    async def freshen(self, number: int) -> None:
        """Nothing here is ever old."""

    async def look(self, number: int) -> Look | None:
        now = self.clock.now()
        return well(number, now, authorities=30_000) if number in self.effects() else look_at(number, now, authorities=30_000, missing=[])

    async def restart(self, validator: Any) -> None:
        with (self.folder / "effects").open("a") as file:
            file.write(f"{validator.number}\n")
        boundary("effect")

    async def tell(self, news: News) -> None:
        with (self.folder / "news").open("a") as file:
            file.write(json.dumps([news.kind, news.needs_person, news.action["id"]]) + "\n")


def around(owner: Any, name: str, before: str = "", after: str = "") -> None:
    """Boundaries before and after an async method."""
    real = getattr(owner, name)

    async def method(*given: Any, **named: Any) -> Any:
        boundary(before)
        answer = await real(*given, **named)
        boundary(after)
        return answer

    setattr(owner, name, method)


class KilledRun(dbos_runs.DbosRun):
    async def step(self, name: str, function: Callable[..., Any], *given: Any) -> Any:
        name = f"new_{name}" if name == os.environ.get("RENAMED") else name

        async def run(*arguments: Any) -> Any:
            boundary(f"{name}:before")
            answer = await function(*arguments)
            boundary(f"{name}:ran")
            return answer

        answer = await super().step(name, run, *given)
        boundary(f"{name}:kept")
        return answer

    async def sleep(self, duration_s: float) -> None:
        await self._dbos.sleep_async(duration_s / 2)
        boundary("sleep")
        await self._dbos.sleep_async(duration_s / 2)


def asked_and_killed(connection: Any, *given: Any, real: Any = approvals.ask) -> Any:
    answer = real(connection, *given)
    if AT == "asked":
        connection.commit()
    boundary("asked")
    return answer


def may_help() -> bool:
    return Path(os.environ["HELPS"]).exists()


def leave_to_others() -> None:
    """Take nothing from the queue: what is started here is carried out elsewhere."""
    from dbos import DBOS

    launch = DBOS.launch

    def without_queues() -> None:
        DBOS.listen_queues(["none"])
        launch()

    DBOS.launch = without_queues  # type: ignore[method-assign]


async def main(folder: Path) -> None:
    url = os.environ.get("GIZZI_TEST_STORE") or f"sqlite:///{folder}/gizzi.db"
    store, place = open_store(url), Place(folder)
    policy = {"verify_after": "0.4s", "approval_ttl": "10m", **json.loads(os.environ.get("POLICY", "{}"))}
    settings = settings_of(*range(1, 1001), **policy)
    quick = settings.collect.model_copy(update={"every_s": float(os.environ.get("EVERY", "0.2"))})
    settings = settings.model_copy(update={"collect": quick})
    door = door_of(settings, store, place.clock, place, place.restart, f"test:{os.getpid()}")
    dbos_runs.VERSION = os.environ.get("RUNS_VERSION", dbos_runs.VERSION)
    responder_module.LOOK_FOR_STRAYS_S = float(os.environ.get("STRAYS_S", "30"))
    dbos_runs.GONE_S, dbos_runs.BEAT_S = float(os.environ.get("GONE_S", "20")), float(os.environ.get("BEAT_S", "5"))
    if os.environ.get("MANY"):
        rows.under_way = lambda connection: []
        door_module.REJOIN_WITHIN_S = 0.0
    dbos_runs.DbosRun = KilledRun  # type: ignore[misc]
    if os.environ.get("STARTS"):
        leave_to_others()
    approvals.ask = asked_and_killed
    response = Response(door, [place.tell])
    runs = dbos_runs.DbosRuns(store, place.clock, url, os.environ.get("WORKER", "test"))
    responder = Responder(response, runs, looks_for_wishes=True)
    around(door, "begin", after="intent")
    around(door, "end", after="outcome")
    around(response, "_ask_person", after="told")
    around(runs, "start", before="start", after="started")
    if os.environ.get("HELPS"):
        door.world = StoredWorld(store, place.clock, settings.collect.every_s)
        import_module("dbos")  # so that what it takes to load is not waited for below
        print("helps", flush=True)
        while not may_help():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        await responder.help_out()
    keeping = asyncio.create_task(responder.keep())
    writing = asyncio.create_task(write_down(place, store, place.clock, settings.collect.every_s, []))
    while True:
        done, _ = await asyncio.wait({keeping}, timeout=0.1)
        if done:
            keeping.result()
        found = await store.run(lambda c: rows.all_actions(c, 10_000))
        incidents = await store.incident_rows(limit=10_000)
        if not AT and len(found) >= len(incidents) and all(row["state"] == "closed" for row in found):
            print("over", flush=True)
            break
    await asyncio.sleep(0.3)  # the last step is kept
    keeping.cancel()
    writing.cancel()
    await asyncio.wait({keeping, writing})
    store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
