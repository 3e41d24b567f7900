"""An agent with tools and typed output goes through the same door: routed, budgeted, settled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput

from gizzi.errors import GizziError
from gizzi.models.agent_model import RouterModel
from gizzi.models.router import Router
from tools.models import settings_for
from tools.providers import chat, chat_stream, fault, ollama, provider


class Decision(BaseModel):
    action: str
    confidence: float


async def test_tools_are_called_and_each_request_is_in_the_ledger(tmp_path: Path) -> None:
    async with provider(chat(tool=("peers_of", {"validator": 6})), chat("It has 2 peers.")) as fake:
        async with Router(settings_for(fake.url, tmp_path)) as router:
            model = RouterModel(router, role="ai-dev", kind="health")
            agent = Agent(model)

            @agent.tool_plain
            def peers_of(validator: int) -> int:
                return 2

            result = await agent.run("How is validator 6?")
            left = await router.route(router.task("x"))
        assert left.models
    assert result.output == "It has 2 peers."
    assert len(model.routes) == 2 and fake.calls == 2
    assert fake.asked[0]["tools"][0]["function"]["name"] == "peers_of"
    assert fake.asked[1]["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "2"}


@pytest.mark.parametrize("wire", ["openai", "ollama"])
async def test_typed_output_by_schema(wire: str, tmp_path: Path) -> None:
    said = json.dumps({"action": "wait", "confidence": 0.5})
    async with (
        provider(chat(said) if wire == "openai" else ollama(said)) as fake,
        Router(settings_for(fake.url, tmp_path, api=wire)) as router,
    ):
        result = await Agent(RouterModel(router), output_type=NativeOutput(Decision)).run("What now?")
    assert result.output == Decision(action="wait", confidence=0.5)
    sent: Any = fake.asked[0]["response_format"]["json_schema"]["schema"] if wire == "openai" else fake.asked[0]["format"]
    assert set(sent["properties"]) == {"action", "confidence"}


async def test_tools_on_ollamas_own_wire(tmp_path: Path) -> None:
    async with (
        provider(ollama(tool=("peers_of", {"validator": 6})), ollama("Two.")) as fake,
        Router(settings_for(fake.url, tmp_path, api="ollama")) as router,
    ):
        agent = Agent(RouterModel(router))

        @agent.tool_plain
        def peers_of(validator: int) -> int:
            return 2

        assert (await agent.run("How is validator 6?")).output == "Two."
    assert fake.asked[0]["options"]["num_ctx"] == 8192
    assert fake.asked[1]["messages"][-1] == {"role": "tool", "tool_name": "peers_of", "content": "2"}


async def test_an_answer_that_breaks_its_schema_three_times_is_one_error(tmp_path: Path) -> None:
    from pydantic_ai.exceptions import UnexpectedModelBehavior

    async with provider(chat("{}")) as fake, Router(settings_for(fake.url, tmp_path)) as router:
        with pytest.raises(UnexpectedModelBehavior):
            await Agent(RouterModel(router), output_type=NativeOutput(Decision), retries=2).run("What now?")
        assert fake.calls == 3


async def test_it_streams(tmp_path: Path) -> None:
    async with (
        provider(chat_stream("Quite ", "well.")) as fake,
        Router(settings_for(fake.url, tmp_path)) as router,
        Agent(RouterModel(router)).run_stream("How are you?") as run,
    ):
        assert [piece async for piece in run.stream_text(delta=True, debounce_by=None)] == ["Quite ", "well."]


async def test_secrets_stay_here(tmp_path: Path) -> None:
    async with provider(chat("Fine.")) as fake, Router(settings_for(fake.url, tmp_path)) as router:
        await Agent(RouterModel(router)).run("The password is password=hunter2-and-more, the key ghp_abcdefghijklmnopqrstuvwxyz0123.")
    assert "ghp_" not in json.dumps(fake.asked) and "hunter2" not in json.dumps(fake.asked)


async def test_failures_are_ours(tmp_path: Path) -> None:
    async with provider(fault("401 Unauthorized", "no")) as fake, Router(settings_for(fake.url, tmp_path)) as router:
        with pytest.raises(GizziError, match="refuses the key"):
            await Agent(RouterModel(router)).run("How are you?")


async def test_private_addresses_come_back_in_the_stream_and_in_its_whole(tmp_path: Path) -> None:
    settings = {"privacy": {"redact_private_addresses": True}}
    async with (
        provider(chat_stream("It is <addr", "ess:", "1", "> or <", "b>.")) as fake,
        Router(settings_for(fake.url, tmp_path, **settings)) as router,
        Agent(RouterModel(router)).run_stream("Which of 10.1.2.3?") as run,
    ):
        pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
        assert pieces == ["It is ", "10.1.2.3 or ", "<b>."] and await run.get_output() == "It is 10.1.2.3 or <b>."
        assert run.usage.input_tokens == 12
    assert "10.1.2.3" not in json.dumps(fake.asked)
