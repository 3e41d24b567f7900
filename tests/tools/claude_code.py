"""Claude Code's real program, and a made-up Anthropic on loopback that it talks to.

`python tests/tools/install.py claude_code` fetches it with npm, once, into a cache folder outside the clone (380 MB). The standard library
is all it needs. Only ever with a dummy key, a fresh home and an address on loopback.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.fetched import by_npm, cache

PACKAGE = "@anthropic-ai/claude-code-linux-x64"
VERSION = "2.1.330"
KEY = "dummy-key-of-the-test"
HEAD = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}


def folder() -> Path:
    """Where it lies, or would."""
    return cache(f"claude-code-{VERSION}")


def program() -> Path:
    return folder() / "node_modules" / PACKAGE / "claude"


def is_installed() -> bool:
    return program().is_file()


def install() -> None:
    """Does nothing where it is installed. No package's own install script is run. Raises CalledProcessError where npm fails."""
    if is_installed():
        return
    by_npm(folder(), f"{PACKAGE}@{VERSION}")


def environment(home: Path, url: str) -> dict[str, str]:
    """All that it may know."""
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "ENABLE_TOOL_SEARCH": "false"}
    waits = {"MCP_CONNECTION_NONBLOCKING": "0", "MCP_CONNECT_TIMEOUT_MS": "60000", "MCP_TIMEOUT": "60000"}  # for its servers to start
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url, **quiet, **waits}


@dataclass
class Anthropic:
    """Calls the tool once, where it is offered, then says that that is all. For `tools.loopback`.

    status: where it is set, every request is refused with it. typed: what it puts into a StructuredOutput tool, where that is offered.
    asked: the bodies of what it was asked. results: what the tool answered.
    """

    tool: str = ""
    typed: Any = None
    status: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    @property
    def tools(self) -> set[str]:
        return {tool.get("name", "") for body in self.asked for tool in body.get("tools", ())}

    def __call__(self, request: Any) -> bytes:
        if not request.head.startswith(b"POST /v1/messages") or b"count_tokens" in request.head.splitlines()[0]:
            return _reply(b'{"input_tokens": 1}', "application/json")
        body = json.loads(request.body or b"{}")
        self.asked.append(body)
        self.heads.append(request.head)
        if self.status:
            fault = {"type": "error", "error": {"type": "authentication_error", "message": f"bad key {KEY}"}}
            return _reply(json.dumps(fault).encode(), "application/json", self.status)
        found = [part for part in _parts(body) if part.get("type") == "tool_result"]
        if found:
            self.results.append(json.dumps(found))
        if self.typed is not None and "StructuredOutput" in self.tools and not found:
            return _called("StructuredOutput", self.typed)
        if self.tool in self.tools and not self.results:
            return _called(self.tool, {})
        return _said({"type": "text", "text": ""}, {"type": "text_delta", "text": "That is all."}, "end_turn")


def _parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the last message that a person or a tool wrote."""
    content = next((message["content"] for message in reversed(body["messages"]) if message["role"] == "user"), "")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _called(tool: str, arguments: Any) -> bytes:
    block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
    return _said(block, {"type": "input_json_delta", "partial_json": json.dumps(arguments)}, "tool_use")


def _said(block: dict[str, Any], delta: dict[str, Any], stop: str) -> bytes:
    """A streamed message of one block, with 100 tokens in, 10 written to the cache, 20 read from it, and 50 out."""
    usage = {"input_tokens": 100, "output_tokens": 1, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 20}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**HEAD, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 50}},
        {"type": "message_stop"},
    ]
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return _reply(text.encode(), "text/event-stream")


def _reply(body: bytes, kind: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
