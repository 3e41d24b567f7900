"""The whole daemon on SQLite, killed while an action is under way and while one waits for a person."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.daemon import Daemon
from tools.fleet import gizzi, served, write_config

PLUGIN = '''
import asyncio
from pathlib import Path
from gizzi import action

HERE = Path(__file__).parents[1]

@action("poke", writes=True)
async def poke(validator):
    """Write its number into a file, and take as long as the file `slow` is there."""
    with (HERE / "poked").open("a") as file:
        file.write(f"{validator.number} ")
    while (HERE / "slow").exists():
        await asyncio.sleep(0.05)
'''
TOKEN = {"GIZZI_API_TOKEN": "open-sesame-2f7c"}


async def say(daemon: Daemon, folder: Path, *words: str) -> Any:
    listen = f"127.0.0.1:{daemon.url.rpartition(':')[2]}"
    return await gizzi(*words, cwd=folder, env={**TOKEN, "GIZZI_API__LISTEN": listen})


async def closed(daemon: Daemon, number: int) -> dict[str, Any]:
    for _ in range(1800):
        found = {one["id"]: one for one in await daemon.get("/api/actions")}
        if found[f"act-{number}"]["state"] == "closed":
            action: dict[str, Any] = found[f"act-{number}"]
            return action
        await asyncio.sleep(0.1)
    raise AssertionError(f"never closed: {found}")


@pytest.mark.timeout(600)
async def test_killed_while_one_is_under_way_and_while_one_waits(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "poke.py").write_text(PLUGIN)
    (tmp_path / "slow").touch()
    daemons: list[Daemon] = []
    async with served(4) as server:
        write_config(tmp_path, server, '[policy]\nmode = "auto"\nreserve = 0\nverify_after = "1s"\n')

        async def begin() -> Daemon:
            daemons.append(await (await Daemon.start(tmp_path, env=TOKEN)).ready())
            return daemons[-1]

        try:
            first = await begin()
            assert "gizzi approve ap-1" in (await say(first, tmp_path, "act", "poke", "2", "--why", "a try")).stdout
            await first.kill()
            second = await begin()
            assert (await say(second, tmp_path, "approve", "ap-1")).returncode == 0
            await second.until((tmp_path / "poked").exists, 90)
            await second.kill()
            (tmp_path / "slow").unlink()
            third = await begin()
            action = await closed(third, 1)
            assert (action["outcome"], action["verdict"], action["approved_by"]) == ("in_doubt", None, "operator")
            assert (tmp_path / "poked").read_text() == "2 ", "it is not repeated"
            assert (await third.get("/api/approvals?all=true"))[0]["state"] == "used"
            assert await third.stop() == 0
        finally:
            for daemon in daemons:
                await daemon.kill()
    assert not any("Traceback" in daemon.said for daemon in daemons)


def test_what_dbos_loads_of_the_stores_own_library_is_there_before_the_loop() -> None:
    made = "DbosRuns(None, None, 'sqlite:///x.db', 'me')"
    shown = "[name in sys.modules for name in ('sqlalchemy.orm', 'dbos')]"
    code = f"import sys; from gizzi.engine.durable.dbos_runs import DbosRuns; {made}; print(*{shown})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.stdout.split() == ["True", "False"], found.stderr
