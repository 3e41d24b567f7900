"""POST /v1/chat/completions and GET /v1/models with official clients: a daemon's API on a real port, a fake provider behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from sqlalchemy import select

from gizzi.store.ledger_schema import entries, open_reservations
from tools.api import Api, watched_api
from tools.providers import FakeProvider, Reply, chat, chat_stream, fault, html, never, provider
from tools.wires import SPEAKS

TOKEN = "our-own-token"
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZZI_API_TOKEN", TOKEN)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)


class Served:
    """An API with a fake provider behind it, and a client of it."""

    def __init__(self, api: Api, fake: FakeProvider) -> None:
        self.api = api
        self.fake = fake
        self.url = f"{api.url}/v1"
        self.client = openai.AsyncOpenAI(base_url=self.url, api_key=TOKEN, max_retries=0)

    async def spent(self) -> list[tuple[str, str]]:
        """(model, outcome) of each call that was settled."""
        query = select(entries.c.model, entries.c.outcome).where(entries.c.entry == "settle").order_by(entries.c.at)
        rows = await self.api.app.store.run(lambda connection: connection.execute(query).all())
        return [(row.model, row.outcome) for row in rows]

    async def settled(self) -> None:
        """Wait until nothing is reserved."""
        for _ in range(500):
            if not await self.api.app.store.run(lambda connection: connection.execute(select(open_reservations)).all()):
                return
            await asyncio.sleep(0.02)
        pytest.fail("a reservation is never settled")


@contextlib.asynccontextmanager
async def served(*replies: Reply, api: str = "openai", **more: Any) -> AsyncIterator[Served]:
    async with provider(*replies) as fake:
        settings: dict[str, Any] = {
            "providers": {"mine": {"api": api, "url": fake.url}, "ollama": {"url": "http://127.0.0.1:9"}},
            "models": {"mine/m": {"tier": "standard", "price": {"input": 1, "output": 2}}},
            "tiers": {"standard": ["mine/m"]},
            **more,
        }
        async with watched_api(**settings) as watched:
            one = Served(watched, fake)
            try:
                yield one
            finally:
                await one.client.close()


async def test_the_openai_client_gets_an_answer_with_its_cost() -> None:
    async with served(chat("Paris.")) as one:
        found = await one.client.chat.completions.create(model="gizzi/auto", messages=QUESTION, temperature=0.1, seed=7, max_tokens=33)  # type: ignore[arg-type]
        await one.settled()
    assert (found.model, found.choices[0].message.content, found.choices[0].finish_reason) == ("mine/m", "Paris.", "stop")
    assert found.usage is not None and (found.usage.prompt_tokens, found.usage.completion_tokens) == (12, 3)
    ours = found.model_dump()["gizzi"]
    assert (ours["tier"], ours["cost_usd"], ours["estimated"]) == ("standard", "0.000018", False) and ours["reason"]
    sent = one.fake.asked[0]
    assert (sent["messages"], sent["temperature"], sent["seed"], sent["max_completion_tokens"]) == (QUESTION, 0.1, 7, 33)


async def test_the_synchronous_client() -> None:
    async with served(chat("Paris.")) as one:

        def ask() -> Any:
            with openai.OpenAI(base_url=one.url, api_key=TOKEN, max_retries=0) as client:
                return client.chat.completions.create(model="mine/m", messages=QUESTION)  # type: ignore[arg-type]

        found = await asyncio.to_thread(ask)
    assert found.choices[0].message.content == "Paris."


async def test_a_stream_comes_as_it_is_told_and_ends_with_its_usage() -> None:
    async with served(chat_stream("Quite ", "well.")) as one:
        stream = await one.client.chat.completions.create(
            model="gizzi/standard", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )  # type: ignore[call-overload]
        chunks = [chunk async for chunk in stream]
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert texts == ["Quite ", "well."]
    assert chunks[-2].choices[0].finish_reason == "stop" and chunks[-2].model_dump()["gizzi"]["tier"] == "standard"
    assert (chunks[-1].choices, chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == ([], 12, 2)
    assert len({chunk.id for chunk in chunks}) == 1


TOOL = {
    "type": "function",
    "function": {"name": "peers_of", "parameters": {"type": "object", "properties": {"validator": {"type": "integer"}}}},
}


async def test_tools_go_through_and_come_back() -> None:
    async with served(chat(tool=("peers_of", {"validator": 6})), chat("Two.")) as one:
        first = await one.client.chat.completions.create(model="gizzi/auto", messages=QUESTION, tools=[TOOL], tool_choice="required")  # type: ignore[call-overload]
        called = first.choices[0].message.tool_calls[0]
        assert first.choices[0].finish_reason == "tool_calls" and json.loads(called.function.arguments) == {"validator": 6}
        said = [*QUESTION, first.choices[0].message.model_dump(), {"role": "tool", "tool_call_id": called.id, "content": "2 peers"}]
        second = await one.client.chat.completions.create(model="gizzi/auto", messages=said, tools=[TOOL])  # type: ignore[call-overload]
    assert second.choices[0].message.content == "Two."
    assert one.fake.asked[0]["tool_choice"] == "required" and one.fake.asked[0]["tools"][0]["function"]["name"] == "peers_of"
    assert one.fake.asked[1]["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "2 peers"}


@pytest.mark.parametrize("api", ["openai", "ollama", "google"])
async def test_streamed_tool_calls(api: str) -> None:
    async with (
        served(SPEAKS[api].call_streamed(("peers_of", {"validator": 6})), api=api) as one,
        one.client.chat.completions.stream(model="gizzi/auto", messages=QUESTION, tools=[TOOL]) as stream,  # type: ignore[arg-type]
    ):
        found = await stream.get_final_completion()
    called = found.choices[0].message.tool_calls
    assert called is not None and called[0].function.name == "peers_of" and json.loads(called[0].function.arguments) == {"validator": 6}
    assert found.choices[0].finish_reason == "tool_calls"


class Decision(BaseModel):
    action: str
    confidence: float


async def test_a_json_schema_goes_through() -> None:
    async with served(chat('{"action": "wait", "confidence": 0.5}')) as one:
        found = await one.client.chat.completions.parse(model="gizzi/auto", messages=QUESTION, response_format=Decision)  # type: ignore[arg-type]
    assert found.choices[0].message.parsed == Decision(action="wait", confidence=0.5)
    sent = one.fake.asked[0]["response_format"]
    assert sent["type"] == "json_schema" and set(sent["json_schema"]["schema"]["properties"]) == {"action", "confidence"}


async def test_pydantic_ai_as_a_client() -> None:
    async with served(chat(tool=("peers_of", {"validator": 6})), chat('{"action": "wait", "confidence": 0.5}')) as one:
        agent = Agent(
            OpenAIChatModel("gizzi/auto", provider=OpenAIProvider(openai_client=one.client)),
            output_type=NativeOutput(Decision),
            instructions="Be short.",
        )

        @agent.tool_plain
        def peers_of(validator: int) -> str:
            return "two peers"

        found = await agent.run("What now with validator 6?")
    assert found.output == Decision(action="wait", confidence=0.5) and found.usage.input_tokens == 24
    assert [line["role"] for line in one.fake.asked[1]["messages"]] == ["system", "user", "assistant", "tool"]


async def test_a_question_that_live_status_answers_costs_nothing() -> None:
    asked: Any = [{"role": "user", "content": "Is validator 2 up?"}]
    async with served(chat("A model says so.")) as one:
        await one.api.until(lambda: all(status["up"] for status in one.api.app.watch.statuses()))
        for model in ("gizzi/auto", "gizzi/reflex"):
            found = await one.client.chat.completions.create(model=model, messages=asked)
            assert found.model == "gizzi/reflex" and (found.choices[0].message.content or "").startswith("Yes: validator 2")
            assert found.model_dump()["gizzi"]["cost_usd"] == "0" and "without a model" in found.model_dump()["gizzi"]["reason"]
        async with one.client.chat.completions.stream(model="gizzi/auto", messages=asked) as stream:
            assert ((await stream.get_final_completion()).choices[0].message.content or "").startswith("Yes: validator 2")
        with pytest.raises(openai.BadRequestError, match="answers only what live status says"):
            await one.client.chat.completions.create(model="reflex", messages=QUESTION)  # type: ignore[arg-type]
        assert one.fake.calls == 0 and await one.spent() == []
        instructed: Any = [{"role": "system", "content": "Answer in French."}, *asked]
        assert (await one.client.chat.completions.create(model="gizzi/auto", messages=instructed)).model == "mine/m"


async def test_the_models_are_listed() -> None:
    async with served(chat()) as one:
        names = [model.id async for model in one.client.models.list()]
        assert names[:5] == ["gizzi/auto", "gizzi/reflex", "gizzi/local", "gizzi/standard", "gizzi/frontier"]
        assert "mine/m" in names and "openai/gpt-4" not in names, "what is retired or has no key is not offered"
        assert (await one.client.models.retrieve("mine/m")).owned_by == "mine"
        with pytest.raises(openai.NotFoundError, match="there is no model"):
            await one.client.models.retrieve("mine/n")


@pytest.mark.parametrize(
    ("asked", "status", "says"),
    [
        ({"model": "mine/n"}, 404, "mine/m"),
        ({"model": "openai/gpt-4"}, 400, "retired"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, 400, "the question is empty"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, 400, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, 400, "only parts with text"),
        ({"messages": [*QUESTION, {"role": "assistant", "content": "Paris."}]}, 400, "nothing to answer"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, 400, "no message before it has a tool call"),
        ({"n": 2}, 400, "n: "),
        ({"response_format": {"type": "json_schema"}}, 400, "json_schema is missing"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}}, 400, "names no function"),
        ({"messages": [{"role": "user", "content": "word " * 400_000}]}, 503, "too long"),
    ],
)
async def test_what_cannot_be_asked_is_told_in_openais_form(asked: dict[str, Any], status: int, says: str) -> None:
    async with served(chat()) as one:
        with pytest.raises(openai.APIStatusError) as raised:
            await one.client.chat.completions.create(**{"model": "gizzi/auto", "messages": QUESTION, **asked})
        assert one.fake.calls == 0
    assert raised.value.status_code == status and says in str(raised.value)
    assert set(raised.value.body) == {"message", "type", "param", "code"}  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"messages": "x"}', b"null"])
async def test_bytes_that_are_no_request(raw: bytes) -> None:
    async with served(chat()) as one:
        code, answer = await post(one, raw)
    assert code == 400 and answer["error"]["type"] == "invalid_request_error" and len(answer["error"]["message"]) < 300


async def post(one: Served, raw: bytes, path: str = "/v1/chat/completions", token: str = TOKEN) -> tuple[int, Any]:
    async with one.api.http.post(one.api.url + path, data=raw, headers={"Authorization": f"Bearer {token}"}) as got:
        return got.status, await got.json(content_type=None)


async def test_a_request_may_not_be_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gizzi.api.chat.LARGEST_BYTES", 1000)
    async with served(chat()) as one:
        code, answer = await post(one, b" " * 2000)
    assert code == 400 and "longer than 1000 bytes" in answer["error"]["message"]


async def test_no_or_a_wrong_token() -> None:
    async with served(chat()) as one:
        other = openai.AsyncOpenAI(base_url=one.url, api_key="wrong", max_retries=0)
        with pytest.raises(openai.AuthenticationError, match="token_env"):
            await other.chat.completions.create(model="gizzi/auto", messages=QUESTION)  # type: ignore[arg-type]
        await other.close()
        code, answer = await post(one, b"{}", "/v1/embeddings")
        assert code == 404 and "nothing at /v1/embeddings" in answer["error"]["message"]
        assert one.fake.calls == 0


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (fault("401 Unauthorized", "no"), "refuses the key"),
        (html(), "is not what its wire says"),
        (chat_stream(cut=True), "broke off"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_fails_before_the_first_token_is_an_error_with_its_status(reply: Reply, says: str, stream: bool) -> None:
    async with served(reply) as one:
        with pytest.raises(openai.InternalServerError, match=says) as raised:
            await one.client.chat.completions.create(model="mine/m", messages=QUESTION, stream=stream)  # type: ignore[call-overload]
        await one.settled()
    assert raised.value.status_code == 503 and raised.value.response.headers["x-should-retry"] == "false"


async def test_what_breaks_in_the_middle_is_one_error_in_the_stream() -> None:
    async with served(chat_stream("Quite ", cut=True)) as one:
        stream = await one.client.chat.completions.create(model="gizzi/auto", messages=QUESTION, stream=True)  # type: ignore[call-overload]
        seen: list[str] = []
        with pytest.raises(openai.APIError, match="mine/m: the answer broke off in the middle"):
            async for chunk in stream:
                seen.append(chunk.choices[0].delta.content or "")
        await one.settled()
        assert seen == ["Quite "] and one.fake.calls == 1 and [outcome for _, outcome in await one.spent()] == ["broken_off"]


@pytest.mark.parametrize("reply", [never, chat_stream("Quite ", hang=True)])
async def test_a_client_that_goes_away_ends_its_call_and_it_is_settled(reply: Reply) -> None:
    async with served(reply) as one:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
            body = {"model": "gizzi/auto", "messages": QUESTION, "stream": True}
            asking = asyncio.ensure_future(http.post(f"{one.url}/chat/completions", json=body))
            await one.fake.was_asked.wait()
            await asyncio.sleep(0.2)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await one.settled()
        assert await one.spent() == [("mine/m", "cancelled")]


async def test_a_tier_is_not_left() -> None:
    async with served(chat("Never asked.")) as one:
        with pytest.raises(openai.InternalServerError, match="no model"):
            await one.client.chat.completions.create(model="gizzi/local", messages=QUESTION)  # type: ignore[arg-type]
        assert one.fake.calls == 0


async def test_private_addresses_come_back_across_chunks() -> None:
    replies = chat_stream("It is <addr", "ess:", "1> or <", "b>.")
    asked: Any = [{"role": "user", "content": "Which of 10.1.2.3?"}]
    async with served(replies, privacy={"redact_private_addresses": True}) as one:
        stream = await one.client.chat.completions.create(model="gizzi/auto", messages=asked, stream=True)
        said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert said == "It is 10.1.2.3 or <b>." and "10.1.2.3" not in json.dumps(one.fake.asked)


async def test_a_plugin_is_not_loaded_twice(tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(f"open({str(tmp_path / 'count')!r}, 'a').write('x')\n")
    async with served(chat("Paris."), plugins={"folder": str(tmp_path)}) as one:
        await one.client.chat.completions.create(model="gizzi/auto", messages=QUESTION)  # type: ignore[arg-type]
    assert (tmp_path / "count").read_text() == "x"
