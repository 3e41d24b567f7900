"""A real daemon that is killed with SIGKILL between writing how a run ended and telling people: the next one tells it, once."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gizzi.clock import LiveClock
from gizzi.config import parse
from gizzi.engine.workflows.desk import WorkflowDesk
from gizzi.registry import load
from gizzi.store import Store, open_store
from gizzi.store.tell_schema import notes, outbox
from tools.daemon import Daemon
from tools.fleet import gizzi, served, write_config
from tools.loopback import Request, loopback, reply

ERRAND = '''
from gizzi import workflow

@workflow("errand")
async def errand(run):
    """Run an errand."""
    await run.say("on the way")
    return "back from the well"
'''
ENDS_ONCE_SAID = """
import os, signal
from gizzi.engine.tell.teller import Teller

say = Teller.say

async def say_and_end(self, about, *said):
    await say(self, about, *said)
    os.kill(os.getpid(), signal.SIGKILL)

Teller.say = say_and_end
"""
ENDS_WHILE_SENDING = """
import os, signal
from gizzi.engine.tell import delivery
from gizzi.engine.tell.channels import Channel

delivery.CLAIM_S = 2.0
send = Channel.send

async def end(self, message):
    if "errand-" in message.title + message.body:
        os.kill(os.getpid(), signal.SIGKILL)
    return await send(self, message)

Channel.send = end
"""
KILLED = pytest.mark.parametrize(
    ("killer", "runs_are_lost"),
    [(ENDS_ONCE_SAID, False), (ENDS_ONCE_SAID, True), (ENDS_WHILE_SENDING, False)],
    ids=["once it is written", "and the run is kept no more", "while it is sent"],
)


def letters(store: Store, run_id: str) -> list[Any]:
    found = store.run_now(lambda c: list(c.execute(select(outbox.c.state, outbox.c.message))))
    return [row.state for row in found if run_id in row.message]


def untold(store: Store) -> list[str]:
    return list(store.run_now(lambda c: c.execute(select(notes.c.key).where(notes.c.said.is_(False))).scalars()))


def lose_runs(folder: Path) -> None:
    for file in folder.glob("gizzi.db.runs*"):
        file.unlink()


@pytest.mark.timeout(300)
@KILLED
async def test_killed_before_it_is_told_the_end_is_told_once_by_the_next(tmp_path: Path, killer: str, runs_are_lost: bool) -> None:
    got: list[dict[str, Any]] = []

    def answer(request: Request) -> bytes:
        got.append(json.loads(request.body))
        return reply(b"ok")

    plugins, url = tmp_path / "plugins", f"sqlite:///{tmp_path / 'gizzi.db'}"
    plugins.mkdir()
    (plugins / "errand.py").write_text(ERRAND)
    registry = load(parse({"plugins": {"folder": str(plugins)}}, "the test"))
    (plugins / "killer.py").write_text(killer)
    async with loopback(answer) as server, served(3) as fleet:
        write_config(tmp_path, fleet, f'[notify]\nurls = ["webhook+http://127.0.0.1:{server.port}/x"]\n')
        first, second, store = await (await Daemon.start(tmp_path)).ready(), None, open_store(url)
        try:
            desk = WorkflowDesk(store, LiveClock())
            run_id = await desk.want(registry, "errand", {}, "ada")
            await first.until(lambda: first.process.returncode is not None)
            assert first.process.returncode == -signal.SIGKILL, first.said
            assert (await desk.run(run_id))["state"] == "done" and not [one for one in got if run_id in one["title"] + one["body"]]
            (plugins / "killer.py").unlink()
            if runs_are_lost:
                lose_runs(tmp_path)

            second = await (await Daemon.start(tmp_path)).ready()
            await second.until(lambda: letters(store, run_id) == ["sent"] and not untold(store))
            if killer is ENDS_ONCE_SAID and not runs_are_lost:
                await second.until_said("workflow_ended", run_id)  # the run came to its end again, and that is no news
            assert await second.stop() == 0
            (told,) = [one for one in got if run_id in one["title"] + one["body"]]
            said = told["title"] + told["body"]
            assert f"Workflow {run_id}: done" in said and "back from the well" in said and told["id"]
            assert letters(store, run_id) == ["sent"] and untold(store) == []
            assert "Traceback" not in first.said + second.said
        finally:
            store.close()
            for daemon in (first, second):
                if daemon is not None:
                    await daemon.kill()


async def test_without_a_daemon_it_is_told_before_the_command_ends(tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []

    def answer(request: Request) -> bytes:
        got.append(json.loads(request.body))
        return reply(b"ok")

    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "errand.py").write_text(ERRAND)
    async with loopback(answer) as server, served(3) as fleet:
        write_config(tmp_path, fleet, f'[notify]\nurls = ["webhook+http://127.0.0.1:{server.port}/x"]\ngroup = "60s"\n')
        done = await gizzi("workflow", "run", "errand", "--json", cwd=tmp_path, timeout_s=120)
        assert done.returncode == 0, done.stderr
        run_id = json.loads(done.stdout)["id"]
        assert len([one for one in got if f"Workflow {run_id}: done" in one["title"] + one["body"]]) == 1, got
