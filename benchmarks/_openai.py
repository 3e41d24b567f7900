"""A fake OpenAI server in a process of its own, as cheap as one can be: connections stay open. The tokens it
counts follow from the question; GET gives their sums, `{"calls", "prompt_tokens", "completion_tokens"}`.

`with server() as url:` starts it; `python benchmarks/_openai.py` runs it and prints its port.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from zlib import crc32

_CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}
_BODY = (
    b'{"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [%b], '
    b'"usage": {"prompt_tokens": %d, "completion_tokens": %d, "total_tokens": %d}}'
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class _Counter:
    """What it has answered, by its own count."""

    def __init__(self) -> None:
        self.calls = self.prompt_tokens = self.completion_tokens = 0

    def answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"GET"):
            said = json.dumps(vars(self)).encode()
            return _HEAD % (len(said), said)
        dice = crc32(body)
        prompt, completion = 1 + dice % 199, 1 + (dice >> 8) % 97
        self.calls += 1
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        said = _BODY % (json.dumps(_CHOICE).encode(), prompt, completion, prompt + completion)
        return _HEAD % (len(said), said)


class _Connection(asyncio.Protocol):
    def __init__(self, counter: _Counter) -> None:
        self._counter = counter
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
            if not end or len(rest) < length:
                return
            self._buffer = rest[length:]
            self._transport.write(self._counter.answer(head, rest[:length]))


async def serve() -> None:
    running = await asyncio.get_running_loop().create_server(partial(_Connection, _Counter()), "127.0.0.1", 0)
    print(running.sockets[0].getsockname()[1], flush=True)
    await running.serve_forever()


@contextmanager
def server() -> Iterator[str]:
    """Gives its base URL, until the context ends."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve())
