from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from gizzi.clock import LiveClock
from gizzi.config import Cache
from gizzi.models.cache import AnswerCache, Hit, likeness, words_that_matter
from gizzi.models.task import Answer, Route, Task, Usage
from gizzi.store import Store, open_store

ANSWER = Answer("acme/one", "standard", "It is.", Decimal("0.01"), 1.2, Usage(10, 3), Route("standard", ("acme/one",), "rules", ""))


class Clock(LiveClock):
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def now(self) -> float:
        return self.at


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    yield opened
    opened.close()


def cache_of(store: Store, clock: Clock | None = None, **settings: Any) -> AnswerCache:
    return AnswerCache(store, Cache.model_validate(settings), clock or Clock())


async def asked(cache: AnswerCache, question: str, **more: Any) -> Hit | None:
    return await cache.get(Task(question, **more), "standard", "facts 1")


async def test_the_same_question_has_the_same_answer(store: Store) -> None:
    cache = cache_of(store)
    assert await asked(cache, "Is validator 6 healthy?") is None
    await cache.put(Task("Is validator 6 healthy?"), "standard", "facts 1", ANSWER)
    hit = await asked(cache, "  is Validator 6\nhealthy? ")
    assert hit == Hit("acme/one", "standard", "It is.", Usage(10, 3), 1_000_000.0, near=False)


async def test_filler_words_do_not_matter(store: Store) -> None:
    cache = cache_of(store)
    await cache.put(Task("Is validator 6 healthy?"), "standard", "facts 1", ANSWER)
    hit = await asked(cache, "Hey Gizzi, please tell me: is the validator 6 healthy")
    assert hit is not None and hit.near
    assert await asked(cache_of(store, near=False), "please tell me: is validator 6 healthy") is None


@pytest.mark.parametrize(
    "other",
    [
        "Is validator 7 healthy?",
        "Is validator 6 not healthy?",
        "Is validator 6 unhealthy?",
        "Isn't validator 6 healthy?",
        "Was validator 6 healthy?",
        "Is validator 6 healthy or 7?",
        "Are validators 6 healthy?",
        "Is validator -6 healthy?",
        "Is healthy validator 6?",
    ],
)
async def test_what_matters_makes_another_question(store: Store, other: str) -> None:
    cache = cache_of(store)
    await cache.put(Task("Is validator 6 healthy?"), "standard", "facts 1", ANSWER)
    assert await asked(cache, other) is None


async def test_the_order_of_words_matters(store: Store) -> None:
    cache = cache_of(store)
    await cache.put(Task("Is relay chain flare behind side chain btc-pbc today?"), "standard", "facts 1", ANSWER)
    assert await asked(cache, "Is side chain btc-pbc behind relay chain flare today?") is None


async def test_who_asks_of_what_and_when_matters(store: Store) -> None:
    cache = cache_of(store)
    await cache.put(Task("Is validator 6 healthy?", role="dev"), "standard", "facts 1", ANSWER)
    task = Task("Is validator 6 healthy?", role="dev")
    assert await cache.get(task, "standard", "facts 1") is not None
    assert await cache.get(task, "standard", "facts 2") is None
    assert await cache.get(task, "frontier", "facts 1") is None
    for changed in ({"role": "security"}, {"model": "acme/two"}, {"kind": "health"}, {"needs": frozenset({"json"})}, {"private": True}):
        assert await cache.get(dataclasses.replace(task, **changed), "standard", "facts 1") is None  # type: ignore[arg-type]


async def test_never_where_a_write_may_follow(store: Store) -> None:
    cache = cache_of(store)
    question = "Should we restart validator 6?"
    await cache.put(Task(question, decides_write=True), "standard", "facts 1", ANSWER)
    assert await asked(cache, question) is None
    await cache.put(Task(question), "standard", "facts 1", ANSWER)
    assert await asked(cache, question) is not None
    assert await asked(cache, question, decides_write=True) is None


async def test_an_answer_ends_and_is_replaced(store: Store) -> None:
    clock = Clock()
    cache = cache_of(store, clock, ttl="10s")
    await cache.put(Task("Is it?"), "standard", "facts 1", ANSWER)
    clock.at += 5
    await cache.put(Task("Is it?"), "standard", "facts 1", dataclasses.replace(ANSWER, response="No."))
    clock.at += 9
    hit = await asked(cache, "Is it?")
    assert hit is not None and hit.response == "No."
    clock.at += 1
    assert await asked(cache, "Is it?") is None


async def test_what_is_not_kept(store: Store) -> None:
    for answer in ({"cached": True}, {"output": 3}, {"response": "x" * 200_001}, {"response": "\0"}, {"response": "\ud800"}):
        await cache_of(store).put(Task("Is it?"), "standard", "facts 1", dataclasses.replace(ANSWER, **answer))  # type: ignore[arg-type]
    await cache_of(store, ttl="0s").put(Task("Is it?"), "standard", "facts 1", ANSWER)
    assert await asked(cache_of(store), "Is it?") is None


async def test_it_stays_within_its_bounds(store: Store) -> None:
    clock = Clock()
    cache = cache_of(store, clock, entries=32)
    for number in range(100):
        clock.at += 1
        await cache.put(Task(f"Is validator {number} healthy?"), "standard", "facts 1", ANSWER)
    assert store.run_now(lambda c: c.execute(text("select count(*) from answer_cache")).scalar_one()) <= 32
    assert await asked(cache, "Is validator 99 healthy?") is not None
    assert await asked(cache, "Is validator 1 healthy?") is None


async def test_a_long_question_is_found_word_for_word(store: Store) -> None:
    cache = cache_of(store)
    question = "why? " + "log line " * 5000
    await cache.put(Task(question), "standard", "facts 1", ANSWER)
    assert await asked(cache, question) is not None
    assert await asked(cache, "please " + question) is None


@given(st.text(max_size=200))
def test_any_text_is_like_itself(question: str) -> None:
    words = words_that_matter(question)
    assert likeness(words, words) == 1.0


@given(st.lists(st.text("abc6", min_size=1, max_size=3), max_size=8), st.lists(st.text("abc6", min_size=1, max_size=3), max_size=8))
def test_likeness_is_symmetric_and_bounded(one: list[str], other: list[str]) -> None:
    assert 0 <= likeness(one, other) == likeness(other, one) <= 1
