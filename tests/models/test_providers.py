"""Each wire, and everything a provider may answer instead."""

from __future__ import annotations

import asyncio

import pytest

from gizzi.errors import ConfigError, GizziError
from gizzi.models.door import NoAnswer, Reply
from gizzi.models.model import Provider
from gizzi.models.providers import Providers
from gizzi.models.task import Task
from tools.loopback import then_close
from tools.models import KEY, FakePurse, call, catalogue, door, route
from tools.providers import (
    FakeProvider,
    anthropic_fault,
    chat,
    fault,
    html,
    message,
    never,
    provider,
    reply,
    tags,
)
from tools.providers import Reply as Answer


async def ask(fake: FakeProvider, wire: str = "openai_a", purse: FakePurse | None = None, limit_s: float = 10.0) -> Reply:
    rows = catalogue(**{wire: fake.url})
    through = door(rows, purse)
    try:
        return await through.call(Task("How are you?", limit_s=limit_s), route(rows), call())
    finally:
        await through.providers.close()


async def test_openai_is_asked_as_documented() -> None:
    async with provider(
        chat("Well.", {"prompt_tokens_details": {"cached_tokens": 5}, "completion_tokens_details": {"reasoning_tokens": 2}})
    ) as fake:
        answered = await ask(fake)
    assert answered.response.text == "Well."
    usage = answered.bill.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.reasoning_tokens, usage.estimated) == (
        12,
        3,
        5,
        2,
        False,
    )
    assert fake.heads[0].startswith("POST /chat/completions ")
    assert f"authorization: bearer {KEY}" in fake.heads[0].lower()
    assert fake.asked[0]["messages"] == [{"role": "user", "content": "How are you?"}]


async def test_anthropic_is_asked_as_documented() -> None:
    async with provider(message("Well.", cache_read_input_tokens=6, cache_creation_input_tokens=3)) as fake:
        answered = await ask(fake, "anthropic_a")
    assert answered.response.text == "Well."
    usage = answered.bill.usage
    assert usage is not None
    assert (usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens, usage.output_tokens) == (19, 6, 3, 4)
    assert fake.heads[0].startswith("POST /v1/messages") and KEY in fake.heads[0]


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": -5}, {"completion_tokens": -1}, {"prompt_tokens": 10**15}, {"prompt_tokens": 0, "completion_tokens": 0}]
)
async def test_impossible_counts_are_estimated(usage: dict[str, int]) -> None:
    async with provider(chat("Well.", usage)) as fake:
        answered = await ask(fake)
    counted = answered.bill.usage
    assert counted is not None and counted.estimated
    assert 0 < counted.input_tokens < 100 and 0 < counted.output_tokens < 100


async def test_no_usage_is_counted_and_marked() -> None:
    async with provider(chat("Well.", no_usage=True)) as fake:
        answered = await ask(fake)
    assert answered.bill.usage is not None and answered.bill.usage.estimated


@pytest.mark.parametrize(
    ("wire", "answers", "says", "calls"),
    [
        (
            "openai_a",
            fault("401 Unauthorized", f"Incorrect API key provided: {KEY} or sk-abcdefghijkl"),
            "refuses the key (401); check TEST_KEY",
            1,
        ),
        ("openai_a", fault("404 Not Found", "no such model", code="model_not_found"), "knows no model 'm'", 1),
        ("openai_a", fault("400 Bad Request", "bad\x1b[31m thing"), "refused the request (400): bad [31m thing", 1),
        ("openai_a", fault("429 Too Many Requests", "slow down", "rate_limit"), "asked too often (429)", 3),
        ("openai_a", fault("500 Internal Server Error", "x" * 100_000), "in trouble (500)", 3),
        ("openai_a", fault("400 Bad Request", "too many", code="context_length_exceeded"), "longer than it takes", 1),
        (
            "openai_a",
            fault("400 Bad Request", "request (40 tokens) exceeds the available context size (8 tokens)"),
            "longer than it takes",
            1,
        ),
        ("openai_a", html(), "is not what its wire says", 3),
        ("openai_a", reply(b"{broken", content_type="application/json"), "is not what its wire says", 3),
        ("openai_a", reply(b"[]", content_type="application/json"), "is not what its wire says", 3),
        ("openai_a", reply(b"\xff\xfe\x00", content_type="application/json"), "is not what its wire says", 3),
        ("openai_a", reply(b"", "302 Found", location="http://127.0.0.1:1/steal"), "is not what its wire says", 3),
        ("openai_a", then_close(reply(b"{", content_length="50")), "broke off", 3),
        ("openai_a", None, "broke off", 3),
        ("openai_a", reply(b"x", content_encoding="gzip"), "", 3),
        ("anthropic_a", anthropic_fault("401 Unauthorized", "authentication_error", f"invalid x-api-key {KEY}"), "check TEST_KEY", 1),
        ("anthropic_a", anthropic_fault("529 Overloaded", "overloaded_error", "Overloaded"), "in trouble (529)", 3),
        ("anthropic_a", html(), "is not what its wire says", 3),
        (
            "ollama_a",
            reply(b'{"error": "model \'m\' not found"}', "404 Not Found", content_type="application/json"),
            "knows no model 'm'",
            1,
        ),
    ],
)
async def test_each_fault_is_one_clean_line(wire: str, answers: Answer, says: str, calls: int) -> None:
    async with provider(answers) as fake:
        with pytest.raises(NoAnswer) as raised:
            await ask(fake, wire)
    text = str(raised.value)
    assert says in text
    assert KEY not in text and "sk-abc" not in text and text.isprintable() and len(text) < 600
    assert fake.calls == calls


async def test_nobody_listens(free_port) -> None:  # type: ignore[no-untyped-def]
    purse = FakePurse()
    rows = catalogue(openai_a=f"http://127.0.0.1:{free_port()}")
    through = door(rows, purse)
    with pytest.raises(NoAnswer, match=r"no connection to http://127\.0\.0\.1"):
        await through.call(Task("?"), route(rows), call())
    assert not purse.open and not purse.settled and len(purse.released) == 3
    await through.providers.close()


async def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gizzi.models.guarded_http.LONGEST_ANSWER_BYTES", 10_000)
    async with provider(reply(b" " * 20_000, content_type="application/json")) as fake:
        with pytest.raises(NoAnswer, match="broke off"):
            await ask(fake)


async def test_silence_ends_at_the_time_limit() -> None:
    async with provider(never) as fake, asyncio.timeout(5):
        with pytest.raises(NoAnswer, match="no answer"):
            await ask(fake, limit_s=0.3)
    assert fake.calls == 1


async def test_an_unknown_wire_is_named() -> None:
    rows = catalogue(telegraph_a="http://127.0.0.1:1")
    with pytest.raises(ConfigError, match=r'\[providers.telegraph_a\] api = "telegraph" is not one Gizzi speaks; it speaks anthropic'):
        await door(rows).call(Task("?"), route(rows), call())


async def test_ollama_lists_what_it_has() -> None:
    through = Providers(lambda _: None)
    async with provider(tags("llama3.1:8b", "qwen3:4b"), html(), reply(b'{"models": 5}')) as fake:
        near = Provider("ollama", "ollama", fake.url, local=True)
        assert await through.installed(near) == ["llama3.1:8b", "qwen3:4b"]
        assert fake.heads[0].startswith("GET /api/tags ")
        for _ in range(2):
            with pytest.raises(GizziError, match="does not list its models"):
                await through.installed(near)
        await through.close()
