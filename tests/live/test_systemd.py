"""The unit that `gizzi service install` writes, started by a real systemd: ready, stuck and started again, stopped."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gizzi
from gizzi.cli import service
from gizzi.config import load
from tools.fleet import served, write_config
from tools.user_systemd import UserSystemd

pytestmark = pytest.mark.real
SRC = Path(gizzi.__file__).parents[1]
LEFT_OUT = ("User=", "ProtectHome=", "PrivateTmp=")
"""An account that may not be able to read this clone, and what would hide the test's own files. All the rest is as it is written."""

MOUNTS = ("Protect", "PrivateDevices", "ReadWritePaths")
"""These too, where the machine that the test runs on (a container, say) lets nobody mount."""
NO_NAMESPACE = "226"


@pytest.fixture
def systemd() -> Iterator[UserSystemd]:
    manager = UserSystemd()
    try:
        manager.start()
        yield manager
    finally:
        manager.stop()


def unit(file: Path) -> str:
    """The unit as it is written, with another program, a shorter watchdog and the log in a file; nothing else is changed."""
    settings = load(file)
    program = Path("/opt/gizzi/bin/gizzi")
    written = service.unit_text(program, file, "gizzi", service.store_folder(settings), service.credentials_of(settings))
    lines = [line for line in written.splitlines() if not line.startswith(LEFT_OUT)]
    text = "\n".join(lines).replace("/opt/gizzi/bin/gizzi watch", f"{sys.executable} -m gizzi watch --listen 127.0.0.1:0")
    for name, value in (("WatchdogSec", "5"), ("RestartSec", "1"), ("TimeoutAbortSec", "5")):
        text, found = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert found == 1
    outputs = "".join(f"Standard{name}=append:{file.parent}/log\n" for name in ("Output", "Error"))
    return text.replace("[Service]\n", f"[Service]\nEnvironment=PYTHONPATH={SRC}\nTimeoutStartSec=240\n{outputs}")


def begin(systemd: UserSystemd, text: str) -> None:
    """Start the unit; with Type=notify that ends once it is ready."""
    file = systemd.units / "gizzi.service"
    file.write_text(text)
    started = systemd.control("start", "gizzi")
    if systemd.shown("gizzi", "ExecMainStatus") == [NO_NAMESPACE]:
        systemd.control("stop", "gizzi")
        file.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith(MOUNTS)))
        systemd.control("daemon-reload")
        started = systemd.control("start", "gizzi")
    assert started.returncode == 0, f"{started.stderr}\n{systemd.control('status', 'gizzi').stdout}"


async def until(condition: Callable[[], bool], systemd: UserSystemd) -> None:
    give_up_at = time.monotonic() + 240
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < give_up_at, systemd.control("status", "gizzi").stdout
        await asyncio.sleep(0.2)


@pytest.mark.timeout(500)
async def test_it_becomes_active_is_missed_when_it_is_stuck_and_stops(systemd: UserSystemd, tmp_path: Path) -> None:
    async with served(3) as server:
        log = tmp_path / "log"
        file = write_config(tmp_path, server)
        await asyncio.to_thread(begin, systemd, unit(file))
        state, told, first = systemd.shown("gizzi", "ActiveState", "StatusText", "MainPID")
        assert state == "active" and re.search(r"3 validators of .*, \d open incidents, http://127\.0\.0\.1:\d+$", told), told

        await asyncio.to_thread(systemd.control, "kill", "--kill-whom=main", "--signal=SIGSTOP", "gizzi")
        await until(lambda: systemd.shown("gizzi", "NRestarts", "ActiveState") == ["1", "active"], systemd)
        assert systemd.shown("gizzi", "MainPID") != [first]
        assert "Fatal Python error: Aborted" in log.read_text(), "systemd ended it, and it says where it was stuck"

        stopped = await asyncio.to_thread(systemd.control, "stop", "gizzi")
        assert stopped.returncode == 0, stopped.stderr
        assert systemd.shown("gizzi", "ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
        assert log.read_text().rstrip().endswith("stopped"), "it ended by itself"
