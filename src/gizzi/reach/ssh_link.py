"""One kept SSH connection, and one command on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from gizzi.errors import SourceError

if TYPE_CHECKING:
    import asyncssh

COMMANDS_AT_ONCE = 4
"""On one host. sshd allows 10 on one connection (MaxSessions), and counts one that has just ended for a moment longer."""
CLOSE_S = 2.0
_MAX_STDERR_BYTES = 4096


class Link:
    """One host: its connection, opened by whoever comes first while the others wait for it, and its slots for commands."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(COMMANDS_AT_ONCE)
        self.sessions: set[Session] = set()
        self._task: asyncio.Task[asyncssh.SSHClientConnection] | None = None

    async def connection(self, open_: Callable[[], Coroutine[Any, Any, asyncssh.SSHClientConnection]]) -> asyncssh.SSHClientConnection:
        if self._task is None or (self._task.done() and self._established() is None):
            self._task = asyncio.create_task(open_())
            self._task.add_done_callback(_look_at)
        try:
            return await asyncio.shield(self._task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is None or caller.cancelling():
                raise
            raise SourceError("refused", "the SSH connections are being closed") from None

    def _established(self) -> asyncssh.SSHClientConnection | None:
        task = self._task
        if task is None or not task.done() or task.cancelled() or task.exception() is not None or task.result().is_closed():
            return None
        return task.result()

    def drop(self, connection: asyncssh.SSHClientConnection) -> None:
        """Have the next command open a new connection."""
        if self._established() is connection:
            self._task = None
        connection.abort()

    async def close(self) -> None:
        for session in self.sessions:
            session.stop()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        connection = self._established()
        if connection is None:
            return
        connection.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await connection.wait_closed()
        except TimeoutError:
            connection.abort()


def _look_at(task: asyncio.Task[Any]) -> None:
    """Keep asyncio from complaining about a failure that nobody waited for any more."""
    if not task.cancelled():
        task.exception()


class Session:
    """What asyncssh calls with a command's output (an asyncssh.SSHClientSession, without importing it)."""

    def __init__(self, limit_bytes: int, *, with_stderr: bool = False) -> None:
        self.limit_bytes = limit_bytes
        self._with_stderr = with_stderr
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.status: int | None = None
        self.signal: str | None = None
        self.overflowed = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened = False
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def stop(self) -> None:
        """Kill the command where it still runs."""
        channel, self._channel = self._channel, None
        if channel is None:
            return
        with contextlib.suppress(OSError):  # not open, or no more
            channel.kill()
        channel.abort()

    def connection_made(self, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = channel
        self.opened = True

    def session_started(self) -> None:
        if self._channel is not None:
            self._channel.write_eof()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is not None:
            self.stderr += data[: _MAX_STDERR_BYTES - len(self.stderr)]
            if not self._with_stderr:
                return
        if self.overflowed:
            return
        self.stdout += data
        if len(self.stdout) > self.limit_bytes:
            self.overflowed = True
            self.stdout.clear()
            self.stop()
            self._end()

    def eof_received(self) -> bool:
        return False

    def exit_status_received(self, status: int) -> None:
        self.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.signal = signal

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        self._end()

    def xon_xoff_requested(self, client_can_do: bool) -> None:
        pass

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        pass

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
