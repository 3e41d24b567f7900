"""Plain answers are given piece by piece over kept connections; anything else is Odd, whatever bytes a server sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.reach import wire
from gizzi.reach.wire import MAX_HEAD_BYTES, Odd, Wires, _Wire, place_of
from tools.loopback import Loopback, Request, loopback, never, reply, then_close

BODY = b"0123456789" * 100


@pytest.fixture
async def wires() -> AsyncIterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


async def ask(wires: Wires, server: Loopback, body: bytes | None = None, limit_bytes: int = 10**6) -> bytes:
    place = place_of(f"{server.url}/metrics?a=b")
    assert place is not None
    pieces: list[bytes] = []
    request = place.get() if body is None else place.post(body)
    await wires.ask(place, request, lambda data, start, end: pieces.append(bytes(data[start:end])), limit_bytes)
    return b"".join(pieces)


async def test_asked_again_it_answers_over_the_same_connection(wires: Wires) -> None:
    async with loopback(lambda request: reply(request.body + BODY)) as server:
        assert await ask(wires, server) == BODY
        assert await ask(wires, server, b"{}") == b"{}" + BODY
        assert server.connections == 1
        get, post = (request.head.decode().split("\r\n") for request in server.requests)
    assert get == ["GET /metrics?a=b HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "User-Agent: gizzi", "Accept: */*", "", ""]
    assert post[0].startswith("POST ") and post[4:6] == ["Content-Type: application/json", "Content-Length: 2"]


async def test_a_body_larger_than_the_buffer_comes_whole(wires: Wires) -> None:
    large = bytes(range(256)) * 8000
    async with loopback(lambda _: reply(large)) as server:
        assert await ask(wires, server, limit_bytes=len(large)) == large
        assert await ask(wires, server, limit_bytes=len(large)) == large


async def test_as_many_connections_as_are_asked_at_one_time(wires: Wires) -> None:
    async with loopback(lambda _: reply(BODY)) as server:
        assert await asyncio.gather(*(ask(wires, server) for _ in range(5))) == [BODY] * 5
        assert server.connections == 5
        assert await asyncio.gather(*(ask(wires, server) for _ in range(5))) == [BODY] * 5
        assert server.connections == 5


@pytest.mark.parametrize(
    "answer",
    [
        reply(BODY, "404 Not Found"),
        reply(BODY, "301 Moved", location="http://127.0.0.1:1/"),
        reply(BODY, content_encoding="gzip"),
        reply(BODY, content_length="-1"),
        reply(BODY, content_length="1000, 1000"),
        reply(BODY, content_length="1000\r\ncontent-length: 1001"),
        reply(BODY, content_length="999"),
        reply(BODY, content_length="1001"),
        reply(BODY, content_length="1000001"),
        reply(BODY, content_length="9" * 400),
        reply(BODY, transfer_encoding="chunked"),
        b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\ncontent-length: 1000\r\n\r\n" + BODY,
        b"HTTP/1.1 100 Continue\r\n\r\n" + reply(BODY),
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEAD_BYTES + b"\r\ncontent-length: 1000\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nx-content-length: 1000\r\n\r\n" + BODY,
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"",
    ],
)
async def test_what_is_not_plain_is_odd(wires: Wires, answer: bytes) -> None:
    async with loopback(then_close(answer)) as server:
        with pytest.raises(Odd):
            await asyncio.wait_for(ask(wires, server), 5)


async def test_where_nothing_listens_is_odd(wires: Wires) -> None:
    async with loopback(never) as gone:
        pass
    with pytest.raises(Odd):
        await ask(wires, gone)


async def test_an_empty_answer_is_one(wires: Wires) -> None:
    async with loopback(lambda _: reply(b"")) as server:
        assert await ask(wires, server) == await ask(wires, server) == b""
        assert server.connections == 1


async def test_a_connection_is_not_kept_where_the_server_does_not_keep_it(wires: Wires) -> None:
    async with loopback(lambda _: reply(BODY, Connection="close")) as server:
        assert await ask(wires, server) == await ask(wires, server) == BODY
        assert server.connections == 2


async def test_a_connection_long_unused_is_not_trusted(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "IDLE_S", -1.0)
    async with loopback(lambda _: reply(BODY)) as server:
        assert await ask(wires, server) == await ask(wires, server) == BODY
        assert server.connections == 2


async def test_given_up_a_connection_is_not_used_again(wires: Wires) -> None:
    """Its late answer would be taken for the next one's."""
    late = asyncio.Event()

    async def answer(request: Request) -> bytes:
        if request.connection == 1:
            await late.wait()
            return reply(b"late")
        return reply(b"in time")

    async with loopback(answer) as server:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(wires, server), 0.05)
        late.set()
        assert await ask(wires, server) == b"in time"
        assert server.connections == 2


async def test_what_nobody_asked_for_ends_the_connection(wires: Wires) -> None:
    async def answer(request: Request) -> None:
        request.writer.write(reply(BODY))
        if request.connection == 1:
            await asyncio.sleep(0.05)
            request.writer.write(reply(b"again"))

    async with loopback(answer) as server:
        assert await ask(wires, server) == BODY
        await asyncio.sleep(0.1)
        assert await ask(wires, server) == BODY
        assert server.connections == 2


class NoTransport(asyncio.Transport):
    closed = False

    def write(self, data: object) -> None: ...

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def received(pieces: list[bytes], limit_bytes: int = 10**6) -> bytes | None:
    """What an answer that comes in these pieces gives; None where it is odd."""
    buffer = bytearray(64)
    line = _Wire(buffer)
    line.connection_made(NoTransport())
    body: list[bytes] = []
    asking = asyncio.ensure_future(line.ask(b"", lambda data, start, end: body.append(bytes(data[start:end])), limit_bytes))
    await asyncio.sleep(0)
    for piece in pieces:
        for start in range(0, len(piece), 64):
            part = piece[start : start + 64]
            line.get_buffer(-1)[: len(part)] = part
            line.buffer_updated(len(part))
    line.connection_lost(None)
    try:
        await asking
    except Odd:
        return None
    return b"".join(body)


@given(
    st.binary(max_size=300),
    st.lists(st.integers(0, 400), max_size=8),
    st.sampled_from(["content-length", "Content-Length", "CONTENT-LENGTH"]),
)
def test_however_an_answer_is_cut_it_is_the_same(body: bytes, cuts: list[int], name: str) -> None:
    answer = b"HTTP/1.1 200 OK\r\nServer: x\r\n%s: %d\r\n\r\n%s" % (name.encode(), len(body), body)
    borders = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    pieces = [answer[start:end] for start, end in pairwise(borders)]
    assert asyncio.run(received(pieces)) == body


@given(st.lists(st.binary(max_size=100) | st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"content-length: 3\r\n", b"\r\n", b"abc"]), max_size=8))
def test_no_bytes_raise_anything_but_odd(pieces: list[bytes]) -> None:
    body = asyncio.run(received(pieces, 50))
    assert body is None or len(body) <= 50


def test_addresses() -> None:
    place = place_of("http://[::1]:9944")
    assert place is not None and (place.host, place.port, place.named, place.path) == ("::1", 9944, b"[::1]:9944", b"/")
    place = place_of("http://node.example/metrics?x=ä b#part")
    assert place is not None and (place.port, place.named, place.path) == (80, b"node.example", b"/metrics?x=%C3%A4+b")
    for url in (
        "https://node.example/",
        "http://user:secret@node.example/",
        "http://user@node.example/",
        "http://",
        "http://x:99999/",
        "ftp://x/",
        "x",
    ):
        assert place_of(url) is None
