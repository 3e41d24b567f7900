"""Every wire over HTTP against a server that speaks it as documented: whole, streamed, with tools and schemas, and all that goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import ollama
import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from gizzi.errors import GizziError
from gizzi.models.agent_model import RouterModel
from gizzi.models.door import NoAnswer, Reply
from gizzi.models.merge import APIS
from gizzi.models.providers import WIRES
from gizzi.models.retry import ModelCallFailed
from gizzi.models.router import Router
from gizzi.models.task import Task
from tools.loopback import then_close
from tools.models import KEY, FakePurse, QuickClock, call, catalogue, door, route, settings_for
from tools.providers import FakeProvider, html, provider, reply, tags
from tools.wires import SPEAKS

EVERY = pytest.mark.parametrize("api", SPEAKS)
TASK = Task("How are you?", limit_s=10.0)


async def ask(fake: FakeProvider, api: str, purse: FakePurse | None = None) -> Reply:
    rows = catalogue(**{api: fake.url})
    through = door(rows, purse)
    try:
        return await through.call(TASK, route(rows), call())
    finally:
        await through.providers.close()


async def stream(fake: FakeProvider, api: str, purse: FakePurse) -> list[str]:
    rows = catalogue(**{api: fake.url})
    through = door(rows, purse)
    said: list[str] = []
    try:
        async with through.stream(TASK, route(rows), call()) as opened:
            async for event in opened.stream:
                part = getattr(event, "part", None) if event.event_kind == "part_start" else getattr(event, "delta", None)
                said.append(getattr(part, "content", None) or getattr(part, "content_delta", None) or "")
    finally:
        await through.providers.close()
    return [piece for piece in said if piece]


def test_every_wire_is_tested() -> None:
    assert set(WIRES) == {*SPEAKS, "claude-code"} == set(APIS)  # which is no HTTP, and has tests of its own


@EVERY
async def test_whole(api: str) -> None:
    async with provider(SPEAKS[api].whole("Well.")) as fake:
        answered = await ask(fake, api)
    usage = answered.bill.usage
    assert answered.response.text == "Well."
    assert usage is not None and (usage.input_tokens, usage.output_tokens, usage.estimated) == (12, 3, False)
    assert fake.heads[0].split()[1].removesuffix("?beta=true") == SPEAKS[api].path
    assert KEY in fake.heads[0] and "how are you?" in json.dumps(fake.asked[0]).lower()


@EVERY
async def test_streamed(api: str) -> None:
    purse = FakePurse()
    async with provider(SPEAKS[api].stream("Quite ", "well", ".")) as fake:
        assert await stream(fake, api, purse) == ["Quite ", "well", "."]
    assert fake.heads[0].split()[1].removesuffix("?beta=true") == SPEAKS[api].stream_path
    (_, usage, outcome) = purse.settled[0]
    assert (usage.input_tokens, usage.output_tokens, usage.estimated, outcome) == (12, 3, False, "answered")


@EVERY
async def test_a_stream_that_breaks_off_is_one_error_and_settled(api: str) -> None:
    purse = FakePurse()
    async with provider(SPEAKS[api].stream("Quite ", "well", cut=True)) as fake:
        with pytest.raises(ModelCallFailed, match="broke off"):
            await stream(fake, api, purse)
    assert not purse.open and purse.settled[0][1].estimated and purse.settled[0][1].output_tokens > 0 and fake.calls == 1


@EVERY
@pytest.mark.parametrize("counts", [(-5, 3), (12, -3), (10**15, 3)])
async def test_impossible_counts_are_estimated(api: str, counts: tuple[int, int]) -> None:
    async with provider(SPEAKS[api].whole(counts=counts)) as fake:
        usage = (await ask(fake, api)).bill.usage
    assert usage is not None and usage.estimated and 0 < usage.input_tokens < 100 and 0 < usage.output_tokens < 100


@EVERY
async def test_no_counts_are_estimated(api: str) -> None:
    async with provider(SPEAKS[api].whole(counts=None)) as fake:
        usage = (await ask(fake, api)).bill.usage
    assert usage is not None and usage.estimated and usage.input_tokens > 0 and usage.output_tokens > 0


@pytest.mark.parametrize("api", [api for api in SPEAKS if api != "anthropic"])  # its streams begin with what was counted
async def test_no_counts_in_a_stream_are_estimated(api: str) -> None:
    purse = FakePurse()
    async with provider(SPEAKS[api].stream("Well.", counts=None)) as fake:
        await stream(fake, api, purse)
    assert purse.settled[0][1].estimated and purse.settled[0][1].output_tokens > 0


@EVERY
@pytest.mark.parametrize(
    ("status", "words", "says", "calls"),
    [
        ("401 Unauthorized", f"bad key {KEY}", "refuses the key (401); check TEST_KEY", 1),
        ("404 Not Found", "model not found", "knows no model 'm'", 1),
        ("500 Internal Server Error", "oh dear", "in trouble (500)", 3),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_error_bodies(api: str, status: str, words: str, says: str, calls: int, streamed: bool) -> None:
    purse = FakePurse()
    async with provider(SPEAKS[api].fault(status, words)) as fake:
        with pytest.raises(NoAnswer) as raised:
            await (stream(fake, api, purse) if streamed else ask(fake, api, purse))
    assert says in str(raised.value) and KEY not in str(raised.value)
    assert fake.calls == calls and not purse.open


@pytest.mark.parametrize("api", ["openai", "openai-responses", "anthropic", "google"])  # the others name no error for it
async def test_a_prompt_that_is_too_long_there(api: str) -> None:
    async with provider(SPEAKS[api].fault("400 Bad Request", "too many tokens")) as fake:
        with pytest.raises(NoAnswer, match="longer than it takes"):
            await ask(fake, api)
    assert fake.calls == 1


@EVERY
async def test_retry_after_is_obeyed(api: str) -> None:
    async with provider(SPEAKS[api].fault("429 Too Many Requests", "slow", retry_after="2"), SPEAKS[api].whole()) as fake:
        rows = catalogue(**{api: fake.url})
        through = door(rows)
        answered = await through.call(Task("?", limit_s=60), route(rows), call())
        await through.providers.close()
    assert isinstance(through.clock, QuickClock)
    assert answered.response.text == "Well." and 2 <= through.clock.waits[0] < 2.4


@EVERY
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "nonsense",
    [
        html(),
        reply(b"{broken", content_type="application/json"),
        reply(b"[]", content_type="application/json"),
        reply(b"\xff\xfe\x00", content_type="application/json"),
        reply(b'{"candidates": [5], "choices": [5], "output": [5], "message": 5, "content": 5}', content_type="application/json"),
        then_close(reply(b"{", content_length="50")),
    ],
    ids=["html", "broken", "list", "bytes", "shapes", "cut"],
)
async def test_what_is_not_an_answer_is_one_clean_line(api: str, streamed: bool, nonsense: Any) -> None:
    purse = FakePurse()
    async with provider(nonsense) as fake:
        with pytest.raises(NoAnswer) as raised:
            await (stream(fake, api, purse) if streamed else ask(fake, api, purse))
    text = str(raised.value)
    assert text.isprintable() and len(text) < 600 and "Traceback" not in text and fake.calls == 3
    assert not purse.open


@EVERY
async def test_tools(api: str, tmp_path: Path) -> None:
    speaks = SPEAKS[api]
    async with (
        provider(speaks.call(("peers_of", {"validator": 6})), speaks.whole("It has 2.")) as fake,
        Router(settings_for(fake.url, tmp_path, api=api)) as router,
    ):
        agent = Agent(RouterModel(router), instructions="Be short.")

        @agent.tool_plain
        def peers_of(validator: int) -> str:
            return f"validator {validator}: two peers"

        assert (await agent.run("How is validator 6?")).output == "It has 2."
    first, second = json.dumps(fake.asked[0]), json.dumps(fake.asked[1])
    assert "peers_of" in first and "Be short." in first and "validator 6: two peers" in second
    if api == "google":
        assert fake.asked[1]["contents"][1]["parts"][0]["thoughtSignature"] == "c2ln"


class Decision(BaseModel):
    action: str
    confidence: float


@EVERY
async def test_typed_output(api: str, tmp_path: Path) -> None:
    said = json.dumps({"action": "wait", "confidence": 0.5})
    async with (
        provider(SPEAKS[api].whole("{}"), SPEAKS[api].whole(said)) as fake,
        Router(settings_for(fake.url, tmp_path, api=api)) as router,
    ):
        result = await Agent(RouterModel(router), output_type=NativeOutput(Decision)).run("What now?")
    assert result.output == Decision(action="wait", confidence=0.5)
    assert set(SPEAKS[api].schema_in(fake.asked[0])["properties"]) == {"action", "confidence"}
    assert "confidence" in json.dumps(fake.asked[1]).split("What now?")[1], "what was wrong is told"


async def test_mistral_is_asked_only_for_what_it_lists() -> None:
    listed = {"model", "temperature", "top_p", "max_tokens", "stream", "stop", "random_seed", "messages", "response_format", "tools"}
    chunks: Any = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Well."}]
    answers = SPEAKS["mistral"].whole(chunks), SPEAKS["mistral"].stream(chunks)
    async with provider(*answers) as fake:
        rows = catalogue(mistral=fake.url)
        through = door(rows)
        asked = call()
        asked.settings.update(seed=7, temperature=0.1, stop_sequences=["."])  # type: ignore[attr-defined]
        answered = await through.call(TASK, route(rows), asked)
        async with through.stream(TASK, route(rows), asked) as opened:
            async for _ in opened.stream:
                pass
            assert opened.stream.get().text == "Well."
        await through.providers.close()
    assert answered.response.text == "Well."
    for body in fake.asked:
        assert set(body) <= listed and (body["random_seed"], body["max_tokens"]) == (7, 50)


async def test_mistrals_own_words_are_told() -> None:
    async with provider(SPEAKS["mistral"].fault("422 Unprocessable Entity", "Extra inputs are not permitted")) as fake:
        with pytest.raises(NoAnswer, match=r"refused the request \(422\): Extra inputs are not permitted"):
            await ask(fake, "mistral")


@pytest.mark.parametrize(
    "answer", [{"promptFeedback": {"blockReason": "SAFETY"}}, {"candidates": [{"finishReason": "SAFETY"}], "usageMetadata": {}}]
)
async def test_gemini_would_not_answer(answer: dict[str, Any]) -> None:
    async with provider(reply(json.dumps(answer).encode(), content_type="application/json")) as fake:
        with pytest.raises(NoAnswer, match="filter would not answer"):
            await ask(fake, "google")
    assert fake.calls == 1


async def test_nothing_is_left_with_openai(tmp_path: Path) -> None:
    async with (
        provider(SPEAKS["openai-responses"].whole()) as fake,
        Router(settings_for(fake.url, tmp_path, api="openai-responses")) as router,
    ):
        await router.ask("What is the capital of France?")
    assert fake.asked[0]["store"] is False


async def test_ollama_makes_room_for_the_rows_context_and_no_more_is_sent(tmp_path: Path) -> None:
    models = {"mine/m": {"tier": "standard", "price": {"input": 1, "output": 2}, "context_tokens": 4096}}
    async with (
        provider(SPEAKS["ollama"].whole()) as fake,
        Router(settings_for(fake.url, tmp_path, api="ollama", models=models)) as router,
    ):
        await router.ask("What is the capital of France?")
        assert fake.asked[0]["options"]["num_ctx"] == 4096
        with pytest.raises(GizziError, match="too long"):
            await router.ask("word " * 4000)
    assert fake.calls == 1


@pytest.mark.parametrize(("choice", "named"), [("auto", ["one", "two"]), ("none", None), (["two"], ["two"])])
async def test_ollama_is_told_only_of_tools_that_may_be_called(choice: Any, named: list[str] | None) -> None:
    tools = [ToolDefinition(name="one"), ToolDefinition(name="two")]
    async with provider(SPEAKS["ollama"].whole()) as fake:
        rows = catalogue(ollama=fake.url)
        through = door(rows)
        asked = replace(call(), parameters=ModelRequestParameters(function_tools=tools), settings={"tool_choice": choice})
        await through.call(TASK, route(rows), asked)
        await through.providers.close()
    sent = fake.asked[0].get("tools")
    assert (sent and [tool["function"]["name"] for tool in sent]) == named


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
async def test_gemini_is_told_how_tools_may_be_called(choice: Any) -> None:
    async with provider(SPEAKS["google"].whole()) as fake:
        rows = catalogue(google=f"{fake.url}/v1beta/openai")
        through = door(rows)
        parameters = ModelRequestParameters(function_tools=[ToolDefinition(name="one")])
        await through.call(TASK, route(rows), replace(call(), parameters=parameters, settings={"tool_choice": choice, "top_k": 3}))
        await through.providers.close()
    mode = {"auto": "AUTO", "none": "NONE", "required": "ANY"}[choice]
    assert fake.asked[0]["toolConfig"] == {"functionCallingConfig": {"mode": mode}} and fake.asked[0]["generationConfig"]["topK"] == 3
    assert fake.heads[0].split()[1] == SPEAKS["google"].path, "the address of its OpenAI dialect is understood"


async def test_ollamas_own_client_takes_our_fake_for_ollama() -> None:
    tool = {"type": "function", "function": {"name": "peers_of", "parameters": {"type": "object", "properties": {}}}}
    answers = (
        SPEAKS["ollama"].whole("Well."),
        SPEAKS["ollama"].stream("Quite ", "well."),
        SPEAKS["ollama"].call(("peers_of", {"validator": 6})),
        tags("llama3.1:8b"),
        SPEAKS["ollama"].fault("404 Not Found", "model 'm' not found"),
    )
    asked = [{"role": "user", "content": "How are you?"}]
    async with provider(*answers) as fake:
        client = ollama.AsyncClient(host=fake.url)
        whole = await client.chat("m", asked)
        assert (whole.message.content, whole.done_reason, whole.prompt_eval_count, whole.eval_count) == ("Well.", "stop", 12, 3)
        pieces = [piece async for piece in await client.chat("m", asked, stream=True)]
        assert [piece.message.content for piece in pieces] == ["Quite ", "well.", ""] and pieces[-1].eval_count == 3
        called = (await client.chat("m", asked, tools=[tool])).message.tool_calls
        assert called is not None and called[0].function.arguments == {"validator": 6}
        assert [model.model for model in (await client.list()).models] == ["llama3.1:8b"]
        with pytest.raises(ollama.ResponseError, match="not found") as raised:
            await client.chat("m", asked)
        assert raised.value.status_code == 404
    assert {head.split()[1] for head in fake.heads} == {"/api/chat", "/api/tags"}
