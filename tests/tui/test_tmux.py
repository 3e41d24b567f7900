"""`gizzi top` on a real terminal: tmux, the installed command, a daemon with an API."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conftest import need
from tools.fleet import until
from tools.topped import Watched, daemon_on

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
FEW_PEERS = {"kind": "peers_drop", "validators": [3], "peers": 1, "clears_on": "restart"}
ALLOWED = re.compile(r"\x1b\[[0-9;]*m|\x1b[()][A-Z0-9]|\x0e|\x0f")


class Terminal:
    """One tmux session with the command in it."""

    def __init__(self, tmux: str, socket: Path) -> None:
        self._tmux = (tmux, "-u", "-S", str(socket), "-f", "/dev/null")

    async def run(self, *words: str) -> str:
        done = await asyncio.to_thread(subprocess.run, [*self._tmux, *words], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout

    async def press(self, *keys: str) -> None:
        await self.run("send-keys", "-t", "top", *keys)

    async def screen(self, *, colours: bool = False) -> str:
        return await self.run("capture-pane", "-p", "-t", "top", *(("-e",) if colours else ()))

    async def has_ended(self) -> bool:
        """Whether the command has, without a fault. tmux now and then misses how it ended, and then says neither that nor that it did."""
        dead, *status = (await self.run("display-message", "-p", "-t", "top", "#{pane_dead} #{pane_dead_status}")).split()
        return dead == "1" and status in ([], ["0"])

    async def until(self, *words: str, within_s: float = 90.0) -> str:
        shown = ""
        try:
            async with asyncio.timeout(within_s):
                while not all(word in shown for word in words):
                    await asyncio.sleep(0.2)
                    shown = await self.screen()
        except TimeoutError:
            pytest.fail(f"{words} not on the terminal:\n{shown}")
        return shown


@asynccontextmanager
async def terminal(watched: Watched, folder: Path, width: int, height: int, **env: str) -> AsyncIterator[Terminal]:
    (tmux,) = need("tmux")
    shell = Terminal(tmux, folder / "tmux")
    path = os.environ.get("PYTHONPATH", "")
    given = [f"{key}={value}" for key, value in {"PYTHONPATH": path, "HOME": str(folder), **env}.items()]
    command = [
        "env",
        *(f"--unset={name}" for name in ("CLAUDECODE", "NO_COLOR", "COLUMNS", "LINES")),
        *given,
        sys.executable,
        "-m",
        "gizzi",
        "top",
        "--config",
        str(watched.config),
    ]
    await shell.run("new-session", "-d", "-s", "top", "-x", str(width), "-y", str(height), *command)
    await shell.run("set-option", "-t", "top", "remain-on-exit", "on")
    try:
        yield shell
    finally:
        await shell.run("kill-server")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50)])
async def test_an_incident_appears_is_filtered_and_its_restart_approved(tmp_path: Path, width: int, height: int) -> None:
    scene = daemon_on(tmp_path, FEW_PEERS, validators=21, reserve=6)  # so much that no restart is decided: the person's is the only one
    async with scene as watched, terminal(watched, tmp_path, width, height) as shell:
        shown = await shell.until("21 validators", "inc-1", "live from the daemon at http://127.0.0.1:", "q quit")
        assert len(shown.rstrip("\n").split("\n")) == height
        await shell.press("/")
        await shell.until("words that a validator")
        await shell.press("critical", "Enter")
        await shell.until("1 of 21", "✗ critical")
        await shell.press("Escape")
        await watched.want_restart(3)
        await shell.until("restart validator 3", "1 waiting for a person")
        await shell.press("a")
        await shell.until("Type the validator's number to approve it")
        await shell.press("3", "Enter")
        await shell.until("ap-1 is approved by ")
        await watched.until_answered("used", (await watched.approvals())[0][1] or "")
        await shell.until("0 open")
        await shell.press("q")
        await until(shell.has_ended)


async def test_a_terminal_without_colours_gets_none(tmp_path: Path) -> None:
    async with daemon_on(tmp_path, FEW_PEERS) as watched, terminal(watched, tmp_path, 80, 24, NO_COLOR="1") as shell:
        await shell.until("✗ 1 critical", "inc-1")
        codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", await shell.screen(colours=True)) for code in found.split(";") if code}
        assert codes <= {"0", "1", "2", "4", "7", "22", "24", "27", "39", "49"}, codes


async def test_a_pipe_is_told_what_to_use(tmp_path: Path) -> None:
    from tools.fleet import gizzi

    (tmp_path / "gizzi.toml").write_text('[[validators]]\nnumber = 1\nmetrics_url = "http://127.0.0.1:9/metrics"\n')
    done = await gizzi("top", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and "gizzi status" in done.stderr and done.stderr.count("\n") == 1
