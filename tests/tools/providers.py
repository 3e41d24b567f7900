"""A server on loopback that speaks what model providers document: OpenAI chat completions, Anthropic messages, Ollama's /api; and answers
that no provider should give. It keeps what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from tools.loopback import Loopback, Request, loopback, never, reply

Reply = bytes | None | Callable[[Request], Any]


@dataclass
class FakeProvider:
    """replies: what to answer, in order; the last one for ever."""

    server: Loopback
    replies: list[Reply]
    asked: list[dict[str, Any]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def calls(self) -> int:
        return len(self.asked)


@contextlib.asynccontextmanager
async def provider(*replies: Reply) -> AsyncIterator[FakeProvider]:
    async def answer(request: Request) -> bytes | None:
        fake.heads.append(request.head.decode())
        fake.asked.append(json.loads(request.body) if request.body else {})
        fake.was_asked.set()
        chosen = fake.replies.pop(0) if len(fake.replies) > 1 else fake.replies[0]
        if callable(chosen):
            chosen = chosen(request)
            if asyncio.iscoroutine(chosen):
                chosen = await chosen
        return chosen

    async with loopback(answer) as server:
        fake = FakeProvider(server, list(replies))
        yield fake


def _json(body: Any, status: str = "200 OK", **headers: str) -> bytes:
    return reply(json.dumps(body).encode(), status, content_type="application/json", **headers)


def chat(
    text: str = "Fine.", usage: dict[str, Any] | None = None, *, no_usage: bool = False, tool: tuple[str, dict[str, Any]] | None = None
) -> bytes:
    """An OpenAI chat completion; `tool`: the name and arguments of a call instead of text."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if tool:
        call = {"id": "call_1", "type": "function", "function": {"name": tool[0], "arguments": json.dumps(tool[1])}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "fast-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop"}],
    }
    if not no_usage:
        body["usage"] = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15} | (usage or {})
    return _json(body)


def chat_stream(*words: str, cut: bool = False, usage: bool = True, hang: bool = False) -> Reply:
    """The same as server-sent events. cut: the connection closes after the last word. hang: nothing comes after it."""

    def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
        body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fast-1", "choices": choices, **more}
        return f"data: {json.dumps(body)}\n\n".encode()

    async def send(request: Request) -> bytes | None:
        request.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

        def part(data: bytes) -> None:
            request.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        for word in words:
            part(chunk([{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}]))
            await request.writer.drain()
        if hang:
            return await never(request)
        if cut:
            return None
        part(chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        if usage:
            part(chunk([], usage={"prompt_tokens": 12, "completion_tokens": len(words), "total_tokens": 12 + len(words)}))
        part(b"data: [DONE]\n\n")
        request.writer.write(b"0\r\n\r\n")
        return b""

    return send


def fault(status: str, message: str = "nope", kind: str = "invalid_request_error", code: str | None = None, **headers: str) -> bytes:
    """OpenAI's error body."""
    return _json({"error": {"message": message, "type": kind, "param": None, "code": code}}, status, **headers)


def message(text: str = "Fine.", **usage: int) -> bytes:
    """An Anthropic message."""
    return _json(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 4} | usage,
        }
    )


def anthropic_fault(status: str, kind: str, text: str, **headers: str) -> bytes:
    return _json({"type": "error", "error": {"type": kind, "message": text}}, status, **headers)


def ollama(text: str = "Fine.", *, tool: tuple[str, dict[str, Any]] | None = None, **more: Any) -> bytes:
    """An answer of Ollama's POST /api/chat, whole."""
    said: dict[str, Any] = {"role": "assistant", "content": text}
    if tool:
        said = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": tool[0], "arguments": tool[1]}}]}
    whole = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": said, "done": True, "done_reason": "stop"}
    return _json(whole | {"prompt_eval_count": 12, "eval_count": 3} | more)


def ollama_stream(*words: str, cut: bool = False) -> bytes:
    """The same in pieces, one JSON object a line."""
    lines = [{"model": "m", "message": {"role": "assistant", "content": word}, "done": False} for word in words]
    end = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    lines += [] if cut else [end | {"prompt_eval_count": 12, "eval_count": len(words)}]
    return reply("".join(json.dumps(line) + "\n" for line in lines).encode(), content_type="application/x-ndjson")


def tags(*names: str) -> bytes:
    """Ollama's GET /api/tags."""
    return _json({"models": [{"name": name, "model": name, "size": 1, "digest": "0", "details": {}} for name in names]})


def html() -> bytes:
    return reply(b"<html><body>Welcome to the hotel's wireless network</body></html>", content_type="text/html")


__all__ = [
    "FakeProvider",
    "anthropic_fault",
    "chat",
    "chat_stream",
    "fault",
    "html",
    "message",
    "never",
    "ollama",
    "ollama_stream",
    "provider",
    "reply",
    "tags",
]
