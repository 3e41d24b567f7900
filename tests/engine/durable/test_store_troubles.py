"""A store, or the runs' tables beside it, that is locked, full or newer while an action waits: it goes on once it can, and is done once."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gizzi.engine.act import approvals, rows
from gizzi.store import open_store
from tools.acting import add_incident
from tools.daemon import Daemon
from tools.fleet import gizzi, served, write_config

TESTS = Path(__file__).parents[2]


class Waiting:
    """A process whose one action waits for a person's yes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = open_store(f"sqlite:///{folder}/gizzi.db")
        add_incident(self.store, 1, 6, at=time.time())

    async def start(self) -> None:
        env = {"POLICY": json.dumps({"mode": "suggest", "approval_ttl": "10m"}), "STRAYS_S": "1"}
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tools.responding", str(self.folder)),
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]), **env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(90):
            while self.store.run_now(lambda c: rows.latest_approval(c, 1)) is None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    def say_yes(self) -> None:
        self.store.run_now(lambda c: approvals.decide(c, 1, yes=True, by="anna", why="", now=time.time()))

    async def end(self) -> dict[str, Any]:
        out, _ = await asyncio.wait_for(self.process.communicate(), 120)
        self.said = out.decode()
        assert self.process.returncode == 0 and "Traceback" not in self.said, self.said
        (row,) = self.store.run_now(lambda c: rows.all_actions(c, 10))
        assert row["state"] == "closed"
        effects = (self.folder / "effects").read_text().split() if (self.folder / "effects").exists() else []
        assert len(effects) <= 1
        return {**row, "effects": effects}


@pytest.fixture
async def waiting(tmp_path: Path) -> Any:
    found = Waiting(tmp_path)
    await found.start()
    yield found
    found.store.close()
    if found.process.returncode is None:
        found.process.kill()
        await found.process.wait()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("file", ["gizzi.db", "gizzi.db.runs"])
async def test_locked(waiting: Waiting, file: str) -> None:
    if file == "gizzi.db.runs":
        waiting.say_yes()
    other = sqlite3.connect(waiting.folder / file, isolation_level=None)
    other.execute("begin immediate")
    await asyncio.sleep(7)
    other.execute("rollback")
    other.close()
    if file == "gizzi.db":
        waiting.say_yes()
    row = await waiting.end()
    assert row["effects"] == ["6"] and (row["outcome"], row["verdict"]) == ("done", "resolved")
    if file == "gizzi.db":
        assert "locked" in waiting.said


@pytest.mark.timeout(400)
async def test_full(waiting: Waiting) -> None:
    """It may not make any file larger, as on a disk that is full."""
    before = resource.prlimit(waiting.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(waiting.process.pid, resource.RLIMIT_FSIZE, (1024, before[1]))
    waiting.say_yes()
    await asyncio.sleep(8)
    assert waiting.process.returncode is None
    (row,) = waiting.store.run_now(lambda c: rows.all_actions(c, 10))
    assert row["outcome"] is None and not (waiting.folder / "effects").exists(), "what cannot be written down is not done"
    resource.prlimit(waiting.process.pid, resource.RLIMIT_FSIZE, before)
    ended = await waiting.end()
    assert ended["effects"] == ["6"] and (ended["outcome"], ended["verdict"]) == ("done", "resolved")
    assert "store_failed" in waiting.said


async def test_runs_tables_that_cannot_be_used(tmp_path: Path) -> None:
    async with served(4) as server:
        write_config(tmp_path, server)
        (tmp_path / "gizzi.db.runs").write_bytes(b"not a database, " * 100)
        daemon = await (await Daemon.start(tmp_path)).ready()
        await daemon.until_said("store_failed", "the runs' tables in sqlite:///")
        assert (await daemon.get("/health"))["status"] and "Traceback" not in daemon.said, "it goes on watching"
        await daemon.stop()
        (tmp_path / "gizzi.db.runs").unlink()
        with sqlite3.connect(tmp_path / "gizzi.db") as connection:
            connection.execute("update meta set value = '99' where key = 'schema_version'")
        done = await gizzi("watch", "--listen", "127.0.0.1:0", cwd=tmp_path)
        assert done.returncode == 1 and "written by a newer Gizzi" in done.stderr and len(done.stderr.splitlines()) == 1
