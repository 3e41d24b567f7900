"""A workflow of a plugin in a real daemon, and without one: killed with SIGKILL, it goes on where it was."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gizzi.clock import LiveClock
from gizzi.engine.workflows.desk import WorkflowDesk
from gizzi.store import open_store
from tools.daemon import Daemon
from tools.fleet import gizzi, served, start, write_config

PLUGIN = '''
from pathlib import Path
import asyncio, os
from gizzi import workflow

HERE = Path(__file__).parent

def note(text):
    with (HERE / "notes").open("a") as file:
        file.write(text + chr(10))
    return text

async def wait_for(name):
    note(f"waiting for {name}")
    while not (HERE / name).exists():
        await asyncio.sleep(0.05)
    return f"{name} is there"

@workflow("errand")
async def errand(run, where, settings, twice="no"):
    """Run an errand."""
    await run.step("set out", note, f"set out to {where}")
    await run.say(f"on the way to {where}")
    await run.step("wait", wait_for, "gate")
    seen = await run.look(2)
    await run.step("arrive", note, f"arrived at {where}, where {seen['number']} is on {seen['chain']}")
    return f"back from {where}, twice: {twice}"
'''


def notes(folder: Path) -> list[str]:
    file = folder / "plugins" / "notes"
    return file.read_text().splitlines() if file.exists() else []


async def until(condition: Callable[[], Any], what: str, within_s: float = 40.0) -> None:
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, f"not within {within_s:.0f} s: {what}"
        await asyncio.sleep(0.05)


def prepared(folder: Path, server: Any) -> str:
    write_config(folder, server)
    (folder / "plugins").mkdir()
    (folder / "plugins" / "errand.py").write_text(PLUGIN)
    return f"sqlite:///{folder / 'gizzi.db'}"


async def shown(url: str, run_id: str) -> dict[str, Any]:
    store = open_store(url)
    try:
        return await WorkflowDesk(store, LiveClock()).run(run_id)
    finally:
        store.close()


WALK = ["set out to the well", "waiting for gate", "waiting for gate", "arrived at the well, where 2 is on testnet"]


async def test_a_daemon_that_is_killed_goes_on_with_it(tmp_path: Path) -> None:
    async with served(3) as server:
        url = prepared(tmp_path, server)
        first = await (await Daemon.start(tmp_path)).ready()
        begun = await gizzi("workflow", "run", "errand", "--where", "the well", "--json", cwd=tmp_path)
        assert begun.returncode == 0, begun.stderr
        run = json.loads(begun.stdout)
        assert (run["state"], run["given"]) == ("running", {"where": "the well"})
        await until(lambda: len(notes(tmp_path)) == 2, "it waits")
        page = await gizzi("workflow", "show", run["id"], cwd=tmp_path)
        assert "set out: done – set out to the well" in page.stdout and "wait: running" in page.stdout
        assert "on the way to the well" in page.stdout
        table = await gizzi("workflow", "run", "network-table", "--url", first.url, cwd=tmp_path)
        assert table.returncode == 0, table.stderr
        assert "Network Status" in table.stdout
        assert all(name in table.stdout for name in ("ID", "Block", "Peers", "Lag", "Health", server.validators()[0].name))
        again = await gizzi("workflow", "run", "errand", "--where=the well", "--json", cwd=tmp_path)
        assert json.loads(again.stdout)["id"] == run["id"], "asked for twice, it runs once"
        await first.kill()

        second = await (await Daemon.start(tmp_path)).ready()
        await until(lambda: len(notes(tmp_path)) == 3, "the step that was cut off runs again")
        (tmp_path / "plugins" / "gate").touch()
        await second.until_said("workflow_ended", run["id"])
        assert notes(tmp_path) == WALK, "what had ended is not done again"
        ended = await shown(url, run["id"])
        assert (ended["state"], ended["text"]) == ("done", "back from the well, twice: no")
        times = {step["name"]: step["times"] for step in ended["steps"]}
        assert times == {"set out": 1, "say": 1, "wait": 2, "look at validator 2": 1, "arrive": 1}
        assert await second.stop() == 0
        assert "Traceback" not in first.said + second.said


async def test_without_a_daemon_it_runs_here_and_goes_on_when_run_again(tmp_path: Path) -> None:
    async with served(3) as server:
        url = prepared(tmp_path, server)
        process = await start("workflow", "run", "errand", "--where", "the well", cwd=tmp_path)
        await until(lambda: len(notes(tmp_path)) == 2, "it waits")
        process.kill()
        _, said = await process.communicate()
        run_id = next(word for word in said.decode().split() if word.startswith("errand-"))
        assert (await shown(url, run_id))["state"] == "running"
        (tmp_path / "plugins" / "gate").touch()
        done = await gizzi("workflow", "run", "errand", "--where", "the well", "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        ended = json.loads(done.stdout)
        assert (ended["id"], ended["state"]) == (run_id, "done")
        assert notes(tmp_path) == WALK
        assert "arrive: done" in done.stderr and "Traceback" not in done.stderr
        assert (tmp_path / "gizzi.db.runs").is_file()
