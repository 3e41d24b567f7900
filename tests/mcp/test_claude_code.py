"""Claude Code, where it is installed, takes the printed configuration, starts the server and calls a tool.

Only ever with a dummy key, a fresh home and a made-up model on loopback.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import gizzi as gizzi_package
from tools.fleet import gizzi, served, write_config
from tools.loopback import Request, loopback, reply

TOOL = "mcp__gizzi__network_status"
HEAD = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}


def sse(*events: dict[str, Any]) -> bytes:
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return reply(text.encode(), content_type="text/event-stream")


def said(block: dict[str, Any], delta: dict[str, Any], stop: str) -> bytes:
    """A streamed message of one block."""
    return sse(
        {"type": "message_start", "message": {**HEAD, "usage": {"input_tokens": 1, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    )


class Model:
    """Calls the tool once, then says that it is done. results: what the tool answered."""

    def __init__(self) -> None:
        self.results: list[str] = []
        self.tools: set[str] = set()

    def __call__(self, request: Request) -> bytes:
        body = json.loads(request.body or b"{}")
        if not request.head.startswith(b"POST /v1/messages") or b"count_tokens" in request.head.splitlines()[0]:
            return reply(b'{"input_tokens": 1}', content_type="application/json")
        self.tools |= {tool.get("name", "") for tool in body.get("tools", ())}
        content = body["messages"][-1]["content"] if body.get("messages") else ""
        found = (
            [part for part in content if isinstance(part, dict) and part.get("type") == "tool_result"] if isinstance(content, list) else []
        )
        if found:
            self.results.append(json.dumps(found))
        elif TOOL in self.tools and not self.results:
            block = {"type": "tool_use", "id": "toolu_1", "name": TOOL, "input": {}}
            return said(block, {"type": "input_json_delta", "partial_json": "{}"}, "tool_use")
        return said({"type": "text", "text": ""}, {"type": "text_delta", "text": "That is all."}, "end_turn")


@pytest.mark.real
async def test_it_starts_the_server_from_the_printed_configuration(tmp_path: Path) -> None:
    claude = shutil.which("claude")
    if claude is None:
        pytest.skip("Claude Code is not installed here")
    model = Model()
    async with served(4, {"kind": "peers_drop", "validators": [2], "peers": 1}) as server, loopback(model) as provider:
        write_config(tmp_path, server, '[api]\nlisten = "127.0.0.1:9"\n')
        printed = (await gizzi("mcp", "--print-config", cwd=tmp_path)).stdout
        one = json.loads(printed)["mcpServers"]["gizzi"]
        assert one["command"].endswith("gizzi"), one
        one["env"] = {"PYTHONPATH": str(Path(gizzi_package.__file__).parents[1])}  # these sources, wherever the command is installed from
        (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"gizzi": one}}))
        env = {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "ANTHROPIC_API_KEY": "dummy", "ANTHROPIC_BASE_URL": provider.url}
        env |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "MCP_CONNECTION_NONBLOCKING": "0", "ENABLE_TOOL_SEARCH": "false"}
        options = ["--mcp-config", str(tmp_path / "mcp.json"), "--strict-mcp-config", "--allowedTools", TOOL]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            claude, "-p", "How is the fleet?", *options, cwd=tmp_path, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        try:
            async with asyncio.timeout(80):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == 0, (out, err)
    assert {"mcp__gizzi__propose_action", "mcp__gizzi__incident"} <= model.tools
    assert model.results and "critical" in model.results[0] and "peers" in model.results[0], model.results
