"""`gizzi act` with and without a daemon, on a served fleet with a plugin's action: a stop always asks, so does what a plugin adds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gizzi.sim.server import SimServer
from tools.daemon import Daemon
from tools.fleet import gizzi, served, write_config

PLUGIN = '''
from pathlib import Path
from gizzi import GizziError, action

@action("poke", writes=True)
def poke(validator):
    """Write its number into a file."""
    with (Path(__file__).parents[1] / "poked").open("a") as file:
        file.write(f"{validator.number} ")
    return "poked"
'''
TOKEN = {"GIZZI_API_TOKEN": "open-sesame-2f7c"}
POKE = ("act", "poke", "2", "--why", "a try")


def prepare(folder: Path, server: SimServer, more: str = "") -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "poke.py").write_text(PLUGIN)
    quick = '[policy]\nmode = "auto"\nreserve = 0\nverify_after = "1s"\n'
    write_config(folder, server, f"{quick}{more}")


def poked(folder: Path) -> str:
    file = folder / "poked"
    return file.read_text() if file.exists() else ""


async def shown(folder: Path, *words: str, **more: Any) -> dict[str, Any]:
    done = await gizzi(*words, "--json", cwd=folder, **more)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(180)
async def test_without_a_daemon_it_asks_and_a_daemon_carries_it_out(tmp_path: Path) -> None:
    async with served(4) as server:
        prepare(tmp_path, server)
        asked = await gizzi(*POKE, cwd=tmp_path)
        assert asked.returncode == 1 and "act-1: poke of validator 2 waits for a person: gizzi approve ap-1" in asked.stdout, asked
        assert "`gizzi watch` carries it out then" in asked.stdout and "always needs a person" in asked.stdout
        assert "nobody could tell" not in asked.stdout or "unclean_stop" in asked.stdout, "the fleet was looked at first"
        assert "looking at the fleet" in asked.stderr and "Traceback" not in asked.stderr
        listed = json.loads((await gizzi("approvals", "--json", cwd=tmp_path)).stdout)
        assert [(one["id"], one["action"], one["validator"], one["state"]) for one in listed] == [("ap-1", "poke", 2, "waiting")]
        assert poked(tmp_path) == ""

        daemon = await (await Daemon.start(tmp_path, env=TOKEN)).ready()
        try:
            port = daemon.url.rpartition(":")[2]
            yes = await gizzi("approve", "ap-1", cwd=tmp_path, env={**TOKEN, "GIZZI_API__LISTEN": f"127.0.0.1:{port}"})
            assert yes.returncode == 0 and "ap-1 is approved by operator" in yes.stdout, yes
            await daemon.until(lambda: poked(tmp_path), 90)
            again = await gizzi("approve", "ap-1", cwd=tmp_path, env={**TOKEN, "GIZZI_API__LISTEN": f"127.0.0.1:{port}"})
            assert again.returncode == 1 and "already" in again.stderr
            assert poked(tmp_path) == "2 "
        finally:
            await daemon.stop()


@pytest.mark.timeout(180)
async def test_with_a_daemon(tmp_path: Path) -> None:
    async with served(4) as server:
        prepare(tmp_path, server)
        daemon = await (await Daemon.start(tmp_path, env=TOKEN)).ready()
        listen = {**TOKEN, "GIZZI_API__LISTEN": f"127.0.0.1:{daemon.url.rpartition(':')[2]}"}
        try:
            asked = await shown(tmp_path, *POKE)
            assert asked["approval"] == "ap-1" and asked["outcome"] is None and asked["permission"] == "ask"
            assert (await gizzi("deny", "ap-1", "--why", "no need", cwd=tmp_path, env=listen)).returncode == 0
            for _ in range(50):
                (action,) = await daemon.get("/api/actions")
                if action["state"] == "closed":
                    break
            assert poked(tmp_path) == ""
            stopped = await gizzi("guard", "stop", "--why", "storm", cwd=tmp_path)
            assert stopped.returncode == 0
            denied = await gizzi(*POKE, cwd=tmp_path)
            assert denied.returncode == 1 and "was not carried out" in denied.stdout and "the guard is stopped" in denied.stdout
        finally:
            await daemon.stop()
        assert "Traceback" not in daemon.said


async def test_what_cannot_be_proposed(tmp_path: Path) -> None:
    async with served(4) as server:
        prepare(tmp_path, server)
        for words, code, says in (
            (("act", "purge_chain", "2", "--why", "x"), 1, "there is no action 'purge_chain'"),
            (("act", "pok", "2", "--why", "x"), 1, "did you mean 'poke'"),
            (("act", "poke", "9", "--why", "x"), 1, "there is no validator 9"),
            (("act", "poke", "2", "--why", " "), 2, "say why"),
            (("act", "unit_status", "2", "--why", "x"), 1, "validator 2 has no `unit`"),
        ):
            done = await gizzi(*words, cwd=tmp_path)
            assert done.returncode == code and says in done.stderr and len(done.stderr.splitlines()) == 1, done
        listed = await gizzi("approvals", cwd=tmp_path)
        assert listed.returncode == 0 and "no approval waits" in listed.stdout


LOOK = '''
from gizzi import SourceError, action

@action("glance", writes=False)
def glance(validator, settings):
    """Only looks."""
    if validator.number == 3:
        raise SourceError("refused", "nobody is there")
    return f"{validator.name} of {settings.network.name} looks well"
'''


async def test_what_only_looks_is_carried_out_at_once(tmp_path: Path) -> None:
    async with served(3) as server:
        write_config(tmp_path, server)
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "glance.py").write_text(LOOK)
        name = server.validators()[1].name
        said = await gizzi("act", "glance", "2", "--why", "a try", cwd=tmp_path)
        assert (said.returncode, said.stdout) == (0, f"{name} of Simulated fleet looks well\n"), said.stderr
        found = await shown(tmp_path, "act", "glance", "2", "--why", "a try")
        assert found == {"action": "glance", "validator": 2, "outcome": "done", "text": f"{name} of Simulated fleet looks well"}
        for number, code, fault in (("3", 1, "nobody is there"), ("9", 1, "there is no validator 9"), ("1", 0, "")):
            ended = await gizzi("act", "glance", number, "--why", "a try", cwd=tmp_path)
            assert (ended.returncode, fault in ended.stderr, "Traceback" in ended.stderr) == (code, True, False), ended
        assert not (tmp_path / "gizzi.db").exists(), "nothing is kept of it"
