"""The router on a real inference server: llama.cpp's, with a model of random weights, on its OpenAI and its Anthropic endpoint."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from sqlalchemy import text

from conftest import missing
from gizzi.config import Settings
from gizzi.errors import GizziError
from gizzi.models.agent_model import RouterModel
from gizzi.models.retry import ModelCallFailed
from gizzi.models.router import Router
from gizzi.store import open_store
from tools import llama
from tools.models import settings_for

pytestmark = pytest.mark.real
QUESTION = "What is the capital of France?"
ANSWER_TOKENS = 40


class Decision(BaseModel):
    action: Literal["restart", "wait", "investigate", "escalate"]
    sure: bool


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[llama.Llama]:
    yield from _started(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[llama.Llama]:
    """One that the test may kill."""
    yield from _started(tmp_path)


def _started(place: Path) -> Iterator[llama.Llama]:
    if not llama.is_installed():
        missing("llama-server is not built; run: python tests/tools/install.py llama")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with llama.running(port, place) as ready:
        yield ready


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model never ends by itself."""
    monkeypatch.setattr("gizzi.models.router.OUTPUT_TOKENS", ANSWER_TOKENS)


def row(server: llama.Llama, folder: Path, *, api: str = "openai", context_tokens: int = llama.CONTEXT_TOKENS, **more: Any) -> Settings:
    model = {"tier": "standard", "context_tokens": context_tokens, "price": {"input": 1, "output": 2, "cached_input": "0.5"}}
    url = f"{server.url}/v1" if api == "openai" else server.url
    return settings_for(
        url,
        folder,
        api=api,
        models={f"mine/{llama.ALIAS}": model},
        tiers={"standard": [f"mine/{llama.ALIAS}"]},
        cache={"ttl": "0s"},
        **more,
    )


def entries(settings: Settings) -> list[dict[str, Any]]:
    """What the ledger says, in its order; nothing is left open."""
    store = open_store(settings.store.url)
    assert store.run_now(lambda c: c.execute(text("select count(*) from ledger_open")).scalar()) == 0
    found = store.run_now(lambda c: [dict(row._mapping) for row in c.execute(text("select * from ledger_entries order by at, entry"))])
    store.close()
    return found


@pytest.mark.parametrize("api", ["openai", "anthropic"])
@pytest.mark.usefixtures("short")
async def test_an_answer_is_counted_by_the_server_and_priced(api: str, server: llama.Llama, tmp_path: Path) -> None:
    settings = row(server, tmp_path, api=api)
    async with Router(settings) as router:
        answer = await router.ask(QUESTION)
    assert answer.model == f"mine/{llama.ALIAS}" and answer.response
    usage = answer.usage
    assert usage.output_tokens == ANSWER_TOKENS and usage.input_tokens > len(QUESTION) / 2 and not usage.estimated
    uncached = usage.input_tokens - usage.cached_input_tokens
    assert answer.cost_usd == Decimal(2 * uncached + usage.cached_input_tokens + 4 * usage.output_tokens) / 2_000_000
    settled = entries(settings)[1]
    assert (settled["outcome"], Decimal(settled["usd"])) == ("answered", answer.cost_usd)


@pytest.mark.parametrize("api", ["openai", "anthropic"])
@pytest.mark.usefixtures("short")
async def test_it_streams(api: str, server: llama.Llama, tmp_path: Path) -> None:
    settings = row(server, tmp_path, api=api)
    async with Router(settings) as router, router.stream(QUESTION) as stream:
        pieces = [piece async for piece in stream]
    assert len(pieces) > ANSWER_TOKENS / 4
    settled = entries(settings)[1]
    assert (settled["outcome"], settled["output_tokens"], bool(settled["estimated"])) == ("answered", ANSWER_TOKENS, False)


async def test_typed_output(server: llama.Llama, tmp_path: Path) -> None:
    """The server itself holds the model to the schema."""
    async with Router(row(server, tmp_path)) as router:
        agent = Agent(RouterModel(router), output_type=NativeOutput(Decision), retries=0)
        decided = [(await agent.run(f"Validator {number} has 2 peers. What now?")).output for number in range(5)]
    assert all(isinstance(decision, Decision) for decision in decided)


async def test_a_prompt_of_2_mb_is_refused_before_it_is_sent(server: llama.Llama, tmp_path: Path) -> None:
    settings = row(server, tmp_path)
    async with Router(settings) as router:
        with pytest.raises(GizziError, match=r"no model could answer: .*too long: about [0-9,]+ tokens with the answer, it takes 8,192"):
            await router.ask("x " * 2**20)
    assert entries(settings) == []


@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_a_server_with_less_context_than_its_row_says_is_one_line(api: str, server: llama.Llama, tmp_path: Path) -> None:
    settings = row(server, tmp_path, api=api, context_tokens=10_000_000)
    async with Router(settings) as router:
        with pytest.raises(GizziError, match=r"mine/tiny: the prompt is longer than it takes") as refused:
            await router.ask("x " * 2**20)
    assert "\n" not in str(refused.value)
    assert [(entry["entry"], entry["outcome"]) for entry in entries(settings)] == [("reserve", ""), ("settle", "released: too_long")]


async def test_a_server_killed_in_the_middle_of_its_answer(own_server: llama.Llama, tmp_path: Path) -> None:
    settings = row(own_server, tmp_path)
    async with Router(settings) as router, asyncio.timeout(30):
        with pytest.raises(ModelCallFailed, match="mine/tiny: the answer broke off in the middle"):
            async with router.stream(QUESTION) as stream:
                async for _ in stream:
                    own_server.process.kill()
        with pytest.raises(GizziError, match=r"mine/tiny: no connection to .*; is it running\?"):
            await router.ask(QUESTION)
    settled = [entry for entry in entries(settings) if entry["entry"] == "settle"]
    assert (settled[0]["outcome"], bool(settled[0]["estimated"])) == ("broken_off", True)
    assert settled[0]["input_tokens"] > 0 and settled[0]["output_tokens"] > 0 and Decimal(settled[0]["usd"]) > 0
    assert {entry["outcome"] for entry in settled[1:]} == {"released: refused"}


@pytest.mark.usefixtures("short")
async def test_twenty_at_once_and_an_exact_ledger(server: llama.Llama, tmp_path: Path) -> None:
    settings = row(server, tmp_path, budget={"day_usd": 1, "month_usd": 2})
    async with Router(settings) as router:
        answers = await asyncio.gather(*(router.ask(f"{QUESTION} And of number {number}?") for number in range(20)))
        left = await router.left()
    cost = sum(answer.cost_usd or Decimal(0) for answer in answers)
    assert all(answer.usage.output_tokens == ANSWER_TOKENS for answer in answers) and cost > Decimal("0.0016")
    assert (left.day_usd, left.month_usd) == (1 - cost, 2 - cost)
    assert sum(Decimal(entry["usd"]) for entry in entries(settings) if entry["entry"] == "settle") == cost
