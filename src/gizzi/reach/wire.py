"""Kept connections for what is polled every few seconds, at a quarter of a full HTTP client's cost.

They speak only what every node speaks: HTTP/1.1 without TLS, and an answer 200 of a length told beforehand, not compressed. Whatever else
a server does is `Odd`; `http.fetch` knows all of HTTP, and says what is wrong.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from yarl import URL

IDLE_S = 75.0
"""A connection that was not used for longer may be dead without our knowing."""
BUFFER_BYTES = 256 * 1024
"""What is read at once: half a page, which fits a processor's own cache."""
MAX_HEAD_BYTES = 16 * 1024
_OTHER_ADDRESS_S = 0.25
"""Of a name with several addresses the next one is tried after this, as RFC 8305 says."""

_STATUS = re.compile(rb"HTTP/1\.1 200[ \r]")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*+([0-9]{1,15})[ \t]*+(?=\r\n)", re.IGNORECASE)
_FURTHER = re.compile(rb"\r\n(?:transfer-encoding|content-encoding|content-length):", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*+close", re.IGNORECASE)

Take = Callable[[bytearray, int, int], None]
"""Is given the answer's body piece by piece, as a buffer, where in it the piece begins and where it ends. The buffer is used again."""


class Odd(Exception):
    """The server did not answer in the plainest way."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address that can be asked here. path: with the query; both as they go into a request."""

    host: str
    port: int
    named: bytes
    path: bytes

    def get(self) -> bytes:
        return b"GET %b HTTP/1.1\r\n%b\r\n" % (self.path, self._headers())

    def post(self, json: bytes) -> bytes:
        what = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(json)
        return b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (self.path, self._headers(), what, json)

    def _headers(self) -> bytes:
        return b"Host: %b\r\nUser-Agent: gizzi\r\nAccept: */*\r\n" % self.named


def place_of(url: str) -> Place | None:
    """None for an address that only a full HTTP client can ask: with TLS, a user, or a fault in it."""
    try:
        parsed = URL(url)
        host, port = parsed.raw_host, parsed.port
        if parsed.scheme != "http" or not host or not port or parsed.raw_user is not None or parsed.raw_password is not None:
            return None
        named = f"[{host}]" if ":" in host else host
        named = named if parsed.is_default_port() else f"{named}:{port}"
        return Place(host, port, named.encode("ascii"), parsed.raw_path_qs.encode("ascii"))
    except ValueError:  # also what is not ASCII
        return None


class Wires:
    """Connections to any number of places, as many to each as are asked at one time. No time-outs: who asks sets them.

    Close it after use.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(BUFFER_BYTES)
        self._idle: dict[tuple[str, int], list[_Wire]] = {}

    async def ask(self, place: Place, request: bytes, take: Take, limit_bytes: int) -> None:
        """Send a request, and give `take` what is answered. Raises Odd, perhaps after a part of it."""
        idle = self._idle.setdefault((place.host, place.port), [])
        wire = self._usable(idle)
        if wire is None:
            wire = await self._connected(place)
        try:
            await wire.ask(request, take, limit_bytes)
        finally:
            if wire.is_free:
                idle.append(wire)
            else:
                wire.drop()

    @staticmethod
    def _usable(idle: list[_Wire]) -> _Wire | None:
        oldest = asyncio.get_running_loop().time() - IDLE_S
        while idle:
            wire = idle.pop()
            if wire.is_free and wire.used_at >= oldest:
                return wire
            wire.drop()
        return None

    async def _connected(self, place: Place) -> _Wire:
        try:
            _, wire = await asyncio.get_running_loop().create_connection(
                lambda: _Wire(self._buffer), place.host, place.port, happy_eyeballs_delay=_OTHER_ADDRESS_S
            )
        except (OSError, UnicodeError) as error:
            raise Odd(f"no connection: {error}") from None
        return wire

    def close(self) -> None:
        for wires in self._idle.values():
            while wires:
                wires.pop().drop()


class _Wire(asyncio.BufferedProtocol):
    """One connection, with one request at a time. All share one buffer: what it holds is dealt with before the loop goes on."""

    def __init__(self, buffer: bytearray) -> None:
        self._buffer = buffer
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[None] | None = None
        self._take: Take | None = None
        self._limit_bytes = 0
        self._head = b""
        self._left: int | None = None
        """Bytes of the body to come; None until its head has been read."""
        self._stays = True
        self.used_at = 0.0

    @property
    def is_free(self) -> bool:
        return self._answered is None and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, take: Take, limit_bytes: int) -> None:
        if self._transport is None:
            raise Odd("the connection has ended")
        loop = asyncio.get_running_loop()
        self._answered = loop.create_future()
        self._take, self._limit_bytes, self._head, self._left = take, limit_bytes, b"", None
        self._transport.write(request)
        await self._answered
        self.used_at = loop.time()
        self._answered = self._take = None
        if not self._stays:
            self.drop()

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._end(Odd("the connection ended before the answer"))

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        if self._answered is None or self._answered.done():
            self._end(Odd("an answer that nobody asked for"))
            return
        begin = 0 if self._left is not None else self._read_head(count)
        if begin is not None and count > begin:
            self._read_body(begin, count)

    def _read_head(self, count: int) -> int | None:
        """Where the body begins in the buffer; None where it cannot be told yet, or ever."""
        before = len(self._head)
        self._head += self._buffer[: min(count, MAX_HEAD_BYTES)]
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) >= MAX_HEAD_BYTES:
                self._end(Odd("a long head"))
            return None
        head = self._head[: end + 2]
        length = _LENGTH.search(head)
        if not _STATUS.match(head) or length is None or len(_FURTHER.findall(head)) != 1 or int(length[1]) > self._limit_bytes:
            self._end(Odd("no plain answer"))
            return None
        self._left = int(length[1])
        self._stays = _CLOSE.search(head) is None
        if self._left == 0:
            self._end(None)
        return end + 4 - before

    def _read_body(self, begin: int, end: int) -> None:
        assert self._left is not None and self._take is not None
        if end - begin > self._left:
            self._end(Odd("an answer longer than it said"))
            return
        self._take(self._buffer, begin, end)
        self._left -= end - begin
        if self._left == 0:
            self._end(None)

    def _end(self, odd: Odd | None) -> None:
        """The answer is there, or will never be."""
        if self._answered is not None and not self._answered.done():
            if odd is None:
                self._answered.set_result(None)
            else:
                self._answered.set_exception(odd)
        if odd is not None:
            self.drop()
