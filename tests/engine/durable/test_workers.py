"""Several processes on one PostgreSQL, one of which dies; and why there are none on SQLite."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gizzi.clock import SimulatedClock
from gizzi.engine.act import rows
from gizzi.engine.act.stored_world import StoredWorld, _write, write_down
from gizzi.store import open_store
from tools.acting import Scene, ScriptedWorld, add_incident, look_at
from tools.fleet import gizzi, served, start, write_config
from tools.stores import postgres_server
from tools.watching import in_virtual_time

TESTS = Path(__file__).parents[2]
postgres_url = pytest.fixture(scope="module")(postgres_server)


async def responding(folder: Path, url: str, worker: str, **env: str) -> asyncio.subprocess.Process:
    quick = {"GONE_S": "10", "BEAT_S": "0.5", "POLICY": '{"verify_after": "0.5s", "cooldown": "1s"}'}
    given = {"GIZZI_TEST_STORE": url, "WORKER": worker, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.responding", str(folder)),
        env={**os.environ, **quick, **given, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def says(process: asyncio.subprocess.Process, word: bytes) -> None:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert word in line, (line, process.stderr and await process.stderr.read())


@pytest.mark.real
@pytest.mark.timeout(400)
async def test_a_dead_workers_runs_are_carried_on_and_none_twice(tmp_path: Path, postgres_url: str) -> None:
    """Whoever starts the runs carries out none. One worker alone begins with them, and dies; two others, ready by then, go on."""
    count = 20
    store = open_store(postgres_url)
    for number in range(1, count + 1):
        add_incident(store, number, number, at=time.time())
    processes: list[asyncio.subprocess.Process] = []

    async def begin(worker: str, **env: str) -> asyncio.subprocess.Process:
        processes.append(await responding(tmp_path, postgres_url, worker, **env))
        return processes[-1]

    try:
        async with asyncio.timeout(300):
            others = [await begin(f"helper-{n}", HELPS=str(tmp_path / "now")) for n in (2, 3)]
            for helper in others:
                await says(helper, b"helps")
            first = await begin("helper-1", HELPS=str(tmp_path))
            await says(first, b"helps")
            watcher = await begin("watcher", STARTS="1")
            found: list[dict[str, Any]] = []
            while not any(row["worker"] for row in found):
                await asyncio.sleep(0.01)
                found = store.run_now(lambda c: rows.all_actions(c, 100))
            first.send_signal(signal.SIGKILL)
            await first.wait()
            found = store.run_now(lambda c: rows.all_actions(c, 100))
            begun = sum(row["worker"] is not None for row in found)
            assert begun < count, "it died in the middle"
            (tmp_path / "now").touch()
            said, _ = await watcher.communicate()
        assert watcher.returncode == 0, said.decode()
        found = store.run_now(lambda c: rows.all_actions(c, 1000))
    finally:
        store.close()
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    effects = [int(line) for line in (tmp_path / "effects").read_text().split()]
    assert len(found) == count and all(row["state"] == "closed" for row in found)
    assert len(effects) == len(set(effects)), "none twice"
    assert {row["validator"] for row in found if row["outcome"] == "done"} <= set(effects)
    for row in found:
        assert row["verdict"] == "resolved" or row["outcome"] == "in_doubt", row["detail"]
    assert sum(row["outcome"] == "in_doubt" for row in found) <= 1, "at most the one that was under way"
    workers = Counter(row["worker"] for row in found)
    assert workers[f"test:{first.pid}"] >= begun and workers[f"test:{watcher.pid}"] == 0
    assert sum(workers[f"test:{helper.pid}"] for helper in others) == count - workers[f"test:{first.pid}"], "the others did the rest"


@pytest.mark.real
@pytest.mark.timeout(400)
async def test_the_command(tmp_path: Path, postgres_url: str) -> None:
    async with served(4) as server:
        write_config(tmp_path, server)
        refused = await gizzi("worker", cwd=tmp_path)
        assert refused.returncode == 2 and "workers need PostgreSQL" in refused.stderr and "gizzi watch" in refused.stderr
        assert "Traceback" not in refused.stderr and len(refused.stderr.splitlines()) == 1
        write_config(tmp_path, server, f'[store]\nurl = "{postgres_url}"\n')
        process = await start("worker", cwd=tmp_path)
        assert process.stderr is not None
        line = await asyncio.wait_for(process.stderr.readline(), 90)
        assert b"carries out runs for whoever watches with postgresql" in line
        await asyncio.sleep(3)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0


@in_virtual_time
async def test_a_sight_that_is_stale_is_none() -> None:
    clock, store = SimulatedClock(), open_store("sqlite://")
    world = StoredWorld(store, clock, 5.0)
    assert await world.look(6) is None
    store.run_now(lambda c: _write(c, {6: look_at(6, clock.now())}))
    seen = await world.look(6)
    assert seen == look_at(6, clock.now()) and seen is not None and seen.facts["up"] is False
    await clock.sleep(14)
    assert await world.look(6) is not None
    await clock.sleep(2)
    assert await world.look(6) is None, "nobody watches any more"
    store.run_now(lambda c: _write(c, {6: look_at(6, clock.now() + 60)}))
    assert await world.look(6) is None, "nor does a clock that is wrong make it fresh"
    store.close()


@in_virtual_time
async def test_it_is_written_down_only_while_there_are_runs() -> None:
    scene = Scene(mode="suggest", approval_ttl="10m")
    world = StoredWorld(scene.store, scene.clock, 5.0)
    writing = asyncio.create_task(write_down(ScriptedWorld(scene.clock), scene.store, scene.clock, 5.0, []))
    await scene.clock.sleep(20)
    assert await world.look(6) is None
    scene.door.world = world
    await scene.begin()
    await scene.asked()
    assert "suggest" in scene.news[-1].text and "nobody could tell" not in scene.news[-1].text
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await scene.asked(2)
    assert "nobody could tell whether it is up" in scene.news[-1].text, "the watching process has died: a person is asked, of everything"
    await scene.end()
    assert scene.done == []
