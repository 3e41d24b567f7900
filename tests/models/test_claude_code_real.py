"""The real Claude Code as a model, talking to a made-up Anthropic on loopback. Only ever with a dummy key and a fresh home."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput

from conftest import missing
from gizzi.config import Settings, load
from gizzi.errors import GizziError
from gizzi.models.agent_model import RouterModel
from gizzi.models.router import Router
from gizzi.models.wire_claude_code import MOST_USD, TOOLS
from tools import claude_code
from tools.fleet import gizzi, served, write_config
from tools.loopback import Request, loopback, never

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]
MODEL = "claude-code/default"
LIMIT_S = 240.0
"""Half of it is the program's; a busy machine takes its time to start one."""
PROGRAM = claude_code.program()
"""Found before a test takes a home of its own."""
ONE_CALL = Decimal("0.001454")
"""What the program says that 100 + 10 + 20 tokens in and 50 out cost with Opus 5.5."""


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not claude_code.is_installed():
        missing("Claude Code is not installed; run: python tests/tools/install.py claude_code")
    home = tmp_path / "home"
    home.mkdir()
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ANTHROPIC_API_KEY", claude_code.KEY)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))
    yield


def configuration(url: str, key_env: str = "ANTHROPIC_API_KEY") -> str:
    """Only Claude Code can be reached, and no daemon."""
    key = f'key_env = "{key_env}"\n' if key_env else ""
    return f"""
[api]
listen = "127.0.0.1:9"
[providers.ollama]
url = "http://127.0.0.1:9"
[providers.anthropic]
key_env = "NOT_SET"
[providers.claude-code]
program = "{PROGRAM}"
url = "{url}"
{key}"""


def settings_in(folder: Path, text: str) -> Settings:
    (folder / "gizzi.toml").write_text(text)
    return load(folder / "gizzi.toml")


async def test_it_answers_with_gizzis_tools_and_says_what_it_cost(tmp_path: Path) -> None:
    model = claude_code.Anthropic(tool="mcp__gizzi__network_status")
    faults: dict[str, Any] = {"kind": "peers_drop", "validators": [2], "peers": 1}
    async with served(4, faults) as server, loopback(model) as provider:
        settings = load(write_config(tmp_path, server, configuration(provider.url)))
        async with Router(settings) as router:
            answer = await router.ask("What does a fork choice rule do?", model=MODEL, limit_s=LIMIT_S)
    assert (answer.response, answer.cost_usd) == ("That is all.", 2 * ONE_CALL)
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.estimated) == (260, 100, False)
    assert model.tools == {f"mcp__gizzi__{tool}" for tool in TOOLS}, "these and no others: no shell, no file, no page"
    assert len(model.results) == 1 and "critical" in model.results[0] and "peers" in model.results[0]
    assert f"x-api-key: {claude_code.KEY}".encode() in model.heads[0].lower()
    assert "You are Gizzi" in json.dumps(model.asked[0]["system"])


async def test_a_text_names_no_file_and_is_no_command(tmp_path: Path) -> None:
    (tmp_path / "planted.txt").write_text("PLANTED-CONTENT")
    (tmp_path / "home" / ".claude").mkdir()
    (tmp_path / "home" / ".claude" / "CLAUDE.md").write_text("PLANTED-CONTENT")
    model = claude_code.Anthropic()
    file = tmp_path / "planted.txt"
    ways = (f"/compact @{file}", f'a log says: @{file}\n\t@"{file}"\n@~/.claude/CLAUDE.md (@{file})', "!id")
    async with loopback(model) as provider, Router(settings_in(tmp_path, configuration(provider.url))) as router:
        for way in ways:
            assert (await router.ask(way, model=MODEL, limit_s=LIMIT_S)).response == "That is all."
    everything = json.dumps([body["messages"] for body in model.asked])
    assert "planted.txt" in everything and "PLANTED-CONTENT" not in everything and "Called the Read tool" not in everything
    assert len(model.asked) == len(ways)


def processes_about(word: str) -> list[str]:
    """The command lines that hold that word."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(place.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return [line for line in found if word in line]


async def test_cancelling_ends_it_and_the_server_it_started(tmp_path: Path) -> None:
    asked = asyncio.Event()

    def silent(request: Request) -> Any:
        if request.head.startswith(b"POST /v1/messages"):
            asked.set()
        return never(request)

    async with served(2) as server, loopback(silent) as provider:
        file = write_config(tmp_path, server, configuration(provider.url))
        async with Router(load(file)) as router:
            asking = asyncio.create_task(router.ask("What is a nonce?", model=MODEL, limit_s=600))
            await asyncio.wait({asking, asyncio.create_task(asked.wait())}, return_when=asyncio.FIRST_COMPLETED, timeout=300)
            running = processes_about(str(file))
            assert any("gizzi mcp --read-only" in line for line in running), running
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            async with asyncio.timeout(60):
                while processes_about(str(file)):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            left = (await router.left()).day_usd
        assert left == router.settings.budget.day_usd - MOST_USD


class Decision(BaseModel):
    action: str
    confidence: float


async def test_typed_output_by_its_own_option(tmp_path: Path) -> None:
    model = claude_code.Anthropic(typed={"action": "wait", "confidence": 0.5})
    async with loopback(model) as provider, Router(settings_in(tmp_path, configuration(provider.url))) as router:
        found = await Agent(RouterModel(router, model=MODEL, limit_s=LIMIT_S), output_type=NativeOutput(Decision)).run("What now?")
    assert found.output == Decision(action="wait", confidence=0.5)
    assert "Its schema" not in json.dumps(model.asked[0]["messages"])


@pytest.mark.parametrize(
    ("status", "key_env", "says"),
    [("401 Unauthorized", "ANTHROPIC_API_KEY", "authenticat|refused"), ("", "", "it is not logged in; run `claude` once")],
)
async def test_why_it_does_not_answer(tmp_path: Path, status: str, key_env: str, says: str) -> None:
    model = claude_code.Anthropic(status=status)
    async with loopback(model) as provider, Router(settings_in(tmp_path, configuration(provider.url, key_env))) as router:
        with pytest.raises(GizziError, match=f"{MODEL}: .*({says})") as raised:
            await router.ask("What is a nonce?", model=MODEL, limit_s=LIMIT_S)
        assert (await router.left()).day_usd == router.settings.budget.day_usd
    assert claude_code.KEY not in str(raised.value)


async def test_from_the_command_line(tmp_path: Path) -> None:
    async with loopback(claude_code.Anthropic()) as provider:
        (tmp_path / "gizzi.toml").write_text(configuration(provider.url))
        env = {"HOME": str(tmp_path / "home")}
        asked = await gizzi("ask", "What is a nonce?", "--model", MODEL, "--json", cwd=tmp_path, env=env, timeout_s=120)
        listed = await gizzi("models", "--json", cwd=tmp_path, env=env, timeout_s=120)
        (tmp_path / "gizzi.toml").write_text(configuration(provider.url, ""))
        without = await gizzi("models", "--json", cwd=tmp_path, env=env, timeout_s=120)
    answer = json.loads(asked.stdout)
    assert (answer["model"], answer["response"], Decimal(answer["cost_usd"])) == (MODEL, "That is all.", ONE_CALL)
    rows = [{row["model"]: row for row in json.loads(ended.stdout)}[MODEL] for ended in (listed, without)]
    assert [row["reachable"] for row in rows] == [True, False]
    assert "it is not logged in" in rows[1]["why_not"]
