"""A workflow that a daemon began, carried on by `gizzi worker` on PostgreSQL after the daemon was killed, and the way back."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gizzi.clock import LiveClock
from gizzi.config import parse
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.workflows.desk import WorkflowDesk
from gizzi.errors import AlreadyOver
from gizzi.registry import load
from gizzi.store import open_store
from tools.daemon import Daemon
from tools.fleet import served, start, write_config
from tools.stores import postgres_server

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
postgres_url = pytest.fixture(scope="module")(postgres_server)
WITHIN_S = 180.0

PLUGIN = '''
from pathlib import Path
import asyncio, os
from gizzi import action, workflow

HERE = Path(__file__).parents[1]

def note(text):
    with (HERE / "notes").open("a") as file:
        file.write(f"{os.getpid()} {text}" + chr(10))

async def wait_for(name):
    note(f"waits for {name}")
    while not (HERE / name).exists():
        await asyncio.sleep(0.05)

@action("poke", writes=True)
async def poke(validator):
    """Write down that it was called."""
    note(f"pokes {validator.number}")

@workflow("errand")
async def errand(run):
    """Run an errand."""
    await run.step("set out", note, "sets out")
    await run.step("wait", wait_for, "gate")
    done = await run.act("poke", 2, "an errand")
    return f"{done['outcome']}, {done['verdict']}"
'''


class Place:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.store = open_store(url)
        self.workflows = WorkflowDesk(self.store, LiveClock())
        self.actions = ActionDesk(self.store, LiveClock())

    def notes(self) -> list[tuple[int, str]]:
        """(process, what it did)."""
        file = self.folder / "notes"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(int(line.partition(" ")[0]), line.partition(" ")[2]) for line in lines]

    async def noted(self, *wanted: tuple[int, str]) -> None:
        await self.until(lambda: self.notes() == list(wanted), lambda: (self.notes(), wanted))

    async def until(self, condition: Any, what: Any) -> Any:
        give_up_at = time.monotonic() + WITHIN_S
        while True:
            found = condition()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            assert time.monotonic() < give_up_at, what()
            await asyncio.sleep(0.1)

    async def approved_and_ended(self, run_id: str) -> dict[str, Any] | None:
        """Say yes to whatever waits for it; the reasons may change, and then a person is asked anew."""
        for approval in await self.actions.approvals():
            with suppress(AlreadyOver):
                await self.actions.decide(approval["id"], yes=True, by="ada")
        shown = await self.workflows.run(run_id)
        return shown if shown["ended_at"] else None


async def test_a_worker_goes_on_and_acts_only_while_somebody_watches(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "errand.py").write_text(PLUGIN)
    daemons: list[Daemon] = []
    worker: asyncio.subprocess.Process | None = None
    place = Place(tmp_path, postgres_url)
    async with served(4) as server:
        write_config(tmp_path, server, f'[policy]\nmode = "auto"\nreserve = 0\nverify_after = "1s"\n[store]\nurl = "{postgres_url}"\n')
        try:
            daemons.append(await (await Daemon.start(tmp_path)).ready(90))
            first = daemons[0].process.pid
            registry = load(parse({"plugins": {"folder": str(tmp_path / "plugins")}}, "the test"))
            run_id = await place.workflows.want(registry, "errand", {}, "ada")
            await place.noted((first, "sets out"), (first, "waits for gate"))

            worker = await start("worker", cwd=tmp_path)
            assert worker.stderr is not None
            line = await asyncio.wait_for(worker.stderr.readline(), 90)
            assert b"carries out runs" in line, line
            reading = asyncio.create_task(worker.stderr.read())
            await daemons[0].kill()
            before = [(first, "sets out"), (first, "waits for gate"), (worker.pid, "waits for gate")]
            await place.noted(*before)  # the step that was cut off runs again, in the worker

            (tmp_path / "gate").touch()

            async def is_unknown() -> bool:
                found = await place.actions.approvals()
                return any("(up)" in reason for one in found for reason in one["reasons"])

            await place.until(is_unknown, place.notes)  # nobody watches: a person is asked
            shown = await place.workflows.run(run_id)
            assert shown["state"] == "running" and shown["waits_for"] and place.notes() == before

            daemons.append(await (await Daemon.start(tmp_path)).ready(90))

            async def is_known() -> bool:
                (row,) = await place.actions.actions()
                return bool(row["reasons"]) and not any("(up)" in reason for reason in row["reasons"])

            await place.until(is_known, place.notes)  # what the new daemon sees is what the worker's guard goes by
            ended = await place.until(lambda: place.approved_and_ended(run_id), place.notes)
            assert (ended["state"], ended["text"]) == ("done", "done, resolved"), ended
            assert place.notes() == [*before, (worker.pid, "pokes 2")], "once, in the worker, with the daemon back"
            times = {step["name"]: step["times"] for step in ended["steps"]}
            assert times["set out"] == 1 and times["wait"] == 2 and set(times.values()) == {1, 2}
            worker.terminate()
            assert await asyncio.wait_for(worker.wait(), 60) == 0
            assert b"Traceback" not in await reading
            assert await daemons[1].stop() == 0
        finally:
            place.store.close()
            for daemon in daemons:
                await daemon.kill()
            if worker is not None and worker.returncode is None:
                worker.kill()
                await worker.wait()
    assert not any("Traceback" in daemon.said for daemon in daemons)
