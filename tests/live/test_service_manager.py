"""What `gizzi watch` tells a service manager that asks: it is ready, its loop turns, it stops."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gizzi.config import service_manager
from gizzi.serving.service_manager import ServiceManager
from tools.daemon import Daemon
from tools.fleet import served, write_config

STUCK = """
import time
from pathlib import Path
from gizzi import rule

HERE = Path(__file__).parent

@rule("stuck", hold="0s", needs=("peers",))
def stuck(v, fleet):
    if (HERE / "stick").exists():
        (HERE / "stuck").touch()
        while (HERE / "stick").exists():
            time.sleep(0.01)
"""


class Listener:
    """The socket that systemd would listen on."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.address = address

    def hear(self, within_s: float = 60.0) -> list[str]:
        """The lines of the next datagram; none where nothing comes."""
        self._socket.settimeout(within_s)
        try:
            return self._socket.recv(4096).decode().split("\n")
        except TimeoutError:
            return []

    def until(self, word: str) -> list[str]:
        """The first datagram with that line."""
        while lines := self.hear():
            if word in lines:
                return lines
        raise AssertionError(f"{word} was never said")

    def drain(self) -> None:
        """What was said so far."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a path", "an abstract name"])
def listener(request: pytest.FixtureRequest) -> Iterator[Listener]:
    with tempfile.TemporaryDirectory(prefix="gizzi-") as short:
        listening = Listener(f"{short}/s" if request.param == "a path" else f"@{short}")
        yield listening
        listening.close()


def test_what_systemd_wants_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert service_manager() == (None, None)
    for pid, watchdog_s in (("", 1.5), ("1", None)):
        for name, value in (("NOTIFY_SOCKET", "@x"), ("WATCHDOG_USEC", "1500000"), ("WATCHDOG_PID", pid)):
            monkeypatch.setenv(name, value)
        assert service_manager() == ("@x", watchdog_s), "another process is meant by another number"
        assert service_manager() == (None, None), "and nothing that is started from here can speak for it"


def test_nobody_to_hear_it_hurts_nobody(tmp_path: Path) -> None:
    for address in (None, str(tmp_path / "nothing"), "@nothing", "/" + "x" * 200):
        manager = ServiceManager(address)
        manager.say("READY=1")
        manager.say("WATCHDOG=1")
        manager.close()


def test_a_listener_that_is_full_is_not_waited_for(listener: Listener) -> None:
    manager = ServiceManager(listener.address)
    for number in range(5000):
        manager.say(f"STATUS={number}")
    assert listener.hear() == ["STATUS=0"]
    listener.drain()
    manager.say("WATCHDOG=1")
    assert listener.hear() == ["WATCHDOG=1"]
    manager.close()


async def test_ready_once_it_answers_then_each_turn_until_it_stops(tmp_path: Path, listener: Listener) -> None:
    async with served(4) as server:
        write_config(tmp_path, server)
        daemon = await Daemon.start(tmp_path, env={"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "1000000"})
        try:
            lines = await asyncio.to_thread(listener.until, "READY=1")
            assert daemon.url, "the API answers by then"
            assert "4 validators of" in lines[-1] and daemon.url in lines[-1], lines
            assert all(shown["health"] != "unknown" for shown in (await daemon.statuses()).values()), "and everything was asked once"
            for _ in range(3):
                assert (await asyncio.to_thread(listener.until, "WATCHDOG=1"))[0] == "WATCHDOG=1", "ready is said once"
        finally:
            assert await daemon.stop() == 0, daemon.said
    assert await asyncio.to_thread(listener.until, "STOPPING=1")


async def test_a_loop_that_is_stuck_is_silent(tmp_path: Path) -> None:
    listener = Listener(f"@gizzi-{uuid.uuid4()}")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "stuck.py").write_text(STUCK)
    async with served(2) as server:
        write_config(tmp_path, server)
        daemon = await Daemon.start(tmp_path, env={"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "1000000"})
        try:
            await asyncio.to_thread(listener.until, "READY=1")
            (tmp_path / "plugins" / "stick").touch()
            await daemon.until((tmp_path / "plugins" / "stuck").exists, 60)
            listener.drain()
            assert await asyncio.to_thread(listener.hear, 2.0) == [], "six beats late"
            (tmp_path / "plugins" / "stick").unlink()
            assert await asyncio.to_thread(listener.until, "WATCHDOG=1")
        finally:
            (tmp_path / "plugins" / "stick").unlink(missing_ok=True)
            await daemon.stop()
            listener.close()
