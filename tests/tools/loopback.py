"""An HTTP server on loopback that answers exactly the bytes it is told, or nothing; for what well-behaved servers cannot do."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """connection: which one of the server's, from 1; nth: which request on it, from 1."""

    head: bytes
    body: bytes
    connection: int
    nth: int
    writer: asyncio.StreamWriter

    @property
    def call(self) -> tuple[str, list[Any]]:
        """The JSON-RPC method and its parameters."""
        asked = json.loads(self.body)
        return asked["method"], asked["params"]


Answer = Callable[[Request], bytes | Awaitable[bytes | None] | None]
"""The bytes to send; None closes the connection instead. A coroutine may write by itself first, or never end."""


@dataclass
class Loopback:
    port: int
    connections: int = 0
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def reply(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer; `content_length="5"` and the like set or replace headers."""
    lines = {"content-type": "text/plain", "content-length": str(len(body))} | {k.replace("_", "-"): v for k, v in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def result(value: Any, request_id: Any = 1) -> bytes:
    """A JSON-RPC answer with a result."""
    return reply(json.dumps({"jsonrpc": "2.0", "id": request_id, "result": value}).encode(), content_type="application/json")


def error(message: str, code: int | None = None) -> bytes:
    """A JSON-RPC answer with an error; without a code where it is None."""
    what = {"message": message} | ({} if code is None else {"code": code})
    return reply(json.dumps({"jsonrpc": "2.0", "id": 1, "error": what}).encode(), content_type="application/json")


@contextlib.asynccontextmanager
async def loopback(answer: Answer, port: int = 0) -> AsyncIterator[Loopback]:
    """Runs the server until the context ends, which also ends answers that never would."""
    server_is = Loopback(port)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_is.connections += 1
        connection, nth = server_is.connections, 0
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                sizes = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                nth += 1
                request = Request(head, await reader.readexactly(int(sizes[0]) if sizes else 0), connection, nth, writer)
                server_is.requests.append(request)
                answered = answer(request)
                if isinstance(answered, Awaitable):
                    answered = await answered
                if answered is None:
                    break
                writer.write(answered)
                await writer.drain()
        writer.close()

    def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(start, "127.0.0.1", port, limit=2**20)
    server_is.port = server.sockets[0].getsockname()[1]
    try:
        yield server_is
    finally:
        server.close()
        ended = list(tasks)
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        for request in server_is.requests:
            request.writer.close()


async def never(request: Request) -> bytes | None:
    """Accepts the request and says nothing."""
    await asyncio.Event().wait()
    return None


def then_close(answer: bytes) -> Answer:
    """Sends that and closes the connection."""

    def send(request: Request) -> None:
        request.writer.write(answer)

    return send
