"""Whatever ends a call, its reservation is settled once; other models answer in its place until the first token, and none after it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gizzi.models.door import NoAnswer
from gizzi.models.retry import ModelCallFailed
from gizzi.models.task import Task
from tools.models import FakePurse, QuickClock, call, catalogue, door, route
from tools.providers import Reply, chat, chat_stream, fault, html, never, ollama_stream, provider

TASK = Task("How are you?", limit_s=5.0)


async def words(through: Any, rows: Any, task: Task = TASK) -> str:
    said = ""
    async with through.stream(task, route(rows), call()) as opened:
        async for event in opened.stream:
            part = getattr(event, "part", None) if event.event_kind == "part_start" else getattr(event, "delta", None)
            said += getattr(part, "content", None) or getattr(part, "content_delta", None) or ""
    return said


async def test_an_answer_is_reserved_for_and_settled() -> None:
    async with provider(chat("Well.")) as fake:
        rows, purse = catalogue(openai_a=fake.url), FakePurse()
        through = door(rows, purse)
        reply = await through.call(TASK, route(rows), call())
        await through.providers.close()
    (model, usage, outcome), estimate = purse.settled[0], purse.estimates[0]
    assert (model, usage.input_tokens, usage.output_tokens, outcome) == ("openai_a/m", 12, 3, "answered")
    assert reply.bill.cost_usd is not None and estimate is not None and estimate > reply.bill.cost_usd
    assert not purse.open and not purse.released


async def test_retry_after_is_waited_for() -> None:
    async with provider(fault("429 Too Many Requests", "slow", retry_after="2"), chat("Well.")) as fake:
        rows, purse = catalogue(openai_a=fake.url), FakePurse()
        through = door(rows, purse)
        reply = await through.call(Task("?", limit_s=60), route(rows), call())
        await through.providers.close()
    clock = through.clock
    assert isinstance(clock, QuickClock) and 2 <= clock.waits[0] < 2.4
    assert reply.response.text == "Well." and purse.released == [("openai_a/m", "rate_limit")] and len(purse.settled) == 1


@pytest.mark.parametrize("first", [fault("401 Unauthorized", "no"), fault("503 Service Unavailable", "no"), html(), None, never])
async def test_the_next_model_answers(first: Reply) -> None:
    async with provider(first) as bad, provider(chat("Well.")) as good:
        rows, purse = catalogue(openai_a=bad.url, openai_b=good.url), FakePurse()
        through = door(rows, purse)
        reply = await through.call(Task("?", limit_s=1.5), route(rows), call())
        await through.providers.close()
    assert reply.bill.model.id == "openai_b/m" and list(reply.failures) == ["openai_a/m"]
    assert not purse.open


async def test_a_breaker_keeps_calls_from_a_broken_model() -> None:
    async with provider(fault("500 Internal Server Error", "no")) as bad, provider(chat("Well.")) as good:
        rows = catalogue(openai_a=bad.url, openai_b=good.url)
        through = door(rows)
        for _ in range(10):
            await through.call(TASK, route(rows), call())
        await through.providers.close()
    assert bad.calls <= 6 and good.calls == 10


async def test_a_budget_that_is_met_goes_to_the_next_and_says_so() -> None:
    async with provider(chat("Well.")) as fake:
        rows, purse = catalogue(openai_a=fake.url, openai_b=fake.url), FakePurse(refuses=frozenset({"openai_a/m"}))
        through = door(rows, purse)
        reply = await through.call(TASK, route(rows), call())
        await through.providers.close()
    assert reply.bill.model.id == "openai_b/m" and "budget" in reply.failures["openai_a/m"] and fake.calls == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_settles_at_an_estimate(stream: bool) -> None:
    async with provider(never) as fake:
        rows, purse = catalogue(openai_a=fake.url), FakePurse()
        through = door(rows, purse)
        asking = asyncio.ensure_future(words(through, rows) if stream else through.call(TASK, route(rows), call()))  # type: ignore[arg-type]
        await fake.was_asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await through.providers.close()
    assert not purse.open and not purse.released
    assert purse.settled[0][1].estimated and purse.settled[0][1].input_tokens > 0 and purse.settled[0][2] == "cancelled"


async def test_two_hundred_at_once_are_each_settled_once() -> None:
    async with provider(chat("Well.")) as fake:
        rows, purse = catalogue(openai_a=fake.url), FakePurse()
        through = door(rows, purse)
        replies = await asyncio.gather(*(through.call(Task("?", limit_s=60), route(rows), call()) for _ in range(200)))
        await through.providers.close()
    assert len(replies) == len(purse.settled) == fake.calls == 200 and not purse.open


@pytest.mark.parametrize("wire", ["openai_a", "ollama_a"])
async def test_a_stream_is_told_as_it_comes_and_settled_at_its_end(wire: str) -> None:
    async with provider(chat_stream("Quite ", "well.") if wire == "openai_a" else ollama_stream("Quite ", "well.")) as fake:
        rows, purse = catalogue(**{wire: fake.url}), FakePurse()
        through = door(rows, purse)
        assert await words(through, rows) == "Quite well."
        await through.providers.close()
    assert purse.settled[0][1].input_tokens == 12 and purse.settled[0][1].output_tokens == 2 and not purse.settled[0][1].estimated


async def test_a_stream_without_usage_is_estimated() -> None:
    async with provider(chat_stream("Quite ", "well.", usage=False)) as fake:
        rows, purse = catalogue(openai_a=fake.url), FakePurse()
        through = door(rows, purse)
        assert await words(through, rows) == "Quite well."
        await through.providers.close()
    assert purse.settled[0][1].estimated and purse.settled[0][1].output_tokens > 0


async def test_before_the_first_token_another_model_answers() -> None:
    async with provider(chat_stream(cut=True)) as bad, provider(chat_stream("Well.")) as good:
        rows, purse = catalogue(openai_a=bad.url, openai_b=good.url), FakePurse()
        through = door(rows, purse)
        assert await words(through, rows, Task("?", limit_s=20)) == "Well."
        await through.providers.close()
    assert good.calls == 1 and not purse.open


@pytest.mark.parametrize("rest", [{"cut": True}, {"hang": True}])
@pytest.mark.parametrize("wire", ["openai_a", "ollama_a"])
async def test_after_the_first_token_it_fails_and_is_settled(rest: dict[str, bool], wire: str) -> None:
    if wire == "ollama_a" and "hang" in rest:
        return
    broken = chat_stream("Quite ", **rest) if wire == "openai_a" else ollama_stream("Quite ", cut=True)
    async with provider(broken) as bad, provider(chat_stream("Well.")) as good:
        rows, purse = catalogue(**{wire: bad.url}, openai_b=good.url), FakePurse()
        through = door(rows, purse)
        with pytest.raises(ModelCallFailed, match=r"broke off|did not end in time"):
            await words(through, rows, Task("?", limit_s=1.0))
        await through.providers.close()
    assert good.calls == 0 and not purse.open
    assert purse.settled[0][1].estimated and purse.settled[0][1].output_tokens > 0


async def test_a_reader_who_leaves_is_settled() -> None:
    async with provider(chat_stream("Quite ", "well.", hang=True)) as fake:
        rows, purse = catalogue(openai_a=fake.url), FakePurse()
        through = door(rows, purse)
        async with through.stream(TASK, route(rows), call()) as opened:
            async for _ in opened.stream:
                break
        await through.providers.close()
    assert not purse.open and purse.settled[0][2] == "cancelled"


async def test_every_failure_is_told_in_one_line() -> None:
    async with provider(fault("401 Unauthorized", "no")) as bad, provider(html()) as worse:
        rows = catalogue(openai_a=bad.url, openai_b=worse.url)
        through = door(rows)
        with pytest.raises(NoAnswer, match=r"no model answered: openai_a/m: it refuses the key .*; openai_b/m: what") as raised:
            await through.call(TASK, route(rows), call())
        await through.providers.close()
    assert set(raised.value.failures) == {"openai_a/m", "openai_b/m"}


OUTCOMES: list[Reply] = [
    chat("Well."),
    fault("429 Too Many Requests", "no"),
    fault("400 Bad Request", "no"),
    html(),
    None,
    chat("x", {"prompt_tokens": -1}),
]


@settings(max_examples=25)
@given(st.lists(st.integers(0, len(OUTCOMES) - 1), min_size=1, max_size=8))
def test_whatever_providers_do_the_books_balance(script: list[int]) -> None:
    async def run() -> None:
        async with provider(*(OUTCOMES[choice] for choice in script)) as fake:
            rows, purse = catalogue(openai_a=fake.url, openai_b=fake.url), FakePurse()
            through = door(rows, purse)
            try:
                await through.call(TASK, route(rows), call())
            except NoAnswer:
                pass
            await through.providers.close()
            assert not purse.open and len(purse.settled) + len(purse.released) == purse.count == fake.calls

    asyncio.run(run())
