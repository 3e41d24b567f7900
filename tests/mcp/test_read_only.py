"""`gizzi mcp --read-only`: tools that look, and what they answer as a cloud model may have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp_types import CallToolResult
from pydantic import BaseModel

from gizzi.errors import NotFound
from gizzi.mcp.strict import READS, tool, without_secrets
from gizzi.mcp_process import claude_config
from gizzi.models.redact import Redactor
from gizzi.models.wire_claude_code import TOOLS
from tools.fleet import served, settings_of
from tools.mcp import call, client_of, said, store_url

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


async def test_tools_that_look_and_nothing_else(tmp_path: Path) -> None:
    name = f"Testnet of 10.9.8.7 and {TOKEN}"
    more: dict[str, Any] = {"store": {"url": store_url(tmp_path)}, "api": {"listen": "127.0.0.1:9"}, "network": {"name": name}}
    async with served(2) as server:
        for private, shown in ((False, "Testnet of 10.9.8.7 and <"), (True, "Testnet of <hidden address:1> and <")):
            settings = settings_of(server, **more, privacy={"redact_private_addresses": private})
            async with client_of(settings, read_only=True) as client:
                offered = (await client.list_tools()).tools
                assert tuple(sorted(found.name for found in offered)) == tuple(sorted(TOOLS))
                assert all(found.annotations and found.annotations.read_only_hint for found in offered)
                assert not (await client.list_resources()).resources and not (await client.list_prompts()).prompts
                found = await call(client, "network_status")
                assert found["network"].startswith(shown) and TOKEN not in found["network"]


class Found(BaseModel):
    texts: list[str]
    labels: dict[str, str | int]


def look(missing: bool = False) -> Found:
    """Look."""
    if missing:
        raise NotFound(f"nothing at 10.1.2.3 with {TOKEN}")
    return Found(
        texts=["10.1.2.3:9615", "token=abcdef0123456789abcdef", "10.1.2.3"], labels={"password": "hunter2hunter2", "zone": "a", "n": 1}
    )


async def test_secrets_in_text_in_labels_and_in_failures() -> None:
    redacting = without_secrets(tool(look, "Look", READS), Redactor(private_addresses=True))
    found = await redacting.run({}, None, convert_result=True)
    assert isinstance(found, CallToolResult) and found.structured_content is not None
    texts, labels = found.structured_content["texts"], found.structured_content["labels"]
    assert texts[0] == "<hidden address:1>:9615" and texts[2] == "<hidden address:1>"
    assert labels == {"password": "<hidden>", "zone": "a", "n": 1}
    everything = json.dumps(found.structured_content) + said(found)
    assert not [secret for secret in ("10.1.2.3", "abcdef0123456789", "hunter2", "<address:") if secret in everything]
    with pytest.raises(Exception, match="nothing at <hidden address:1> with <") as raised:
        await redacting.run({"missing": True}, None)
    assert TOKEN not in str(raised.value)


def test_the_printed_configuration_says_so() -> None:
    printed = claude_config(["gizzi"], Path("/etc/gizzi/gizzi.toml"), None, read_only=True)
    assert printed["mcpServers"]["gizzi"]["args"] == ["mcp", "--read-only", "--config", "/etc/gizzi/gizzi.toml"]
