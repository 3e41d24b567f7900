"""Two hundred questions at once, and money for fifty: through the router, its ledger in a file."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gizzi.errors import GizziError
from gizzi.models.router import Router
from gizzi.models.task import Answer
from gizzi.store import open_store
from tools.loopback import Request
from tools.models import settings_for
from tools.providers import chat, provider

QUESTION = "What is the capital of France?"
ROOM_FOR = 50


async def estimate_of(url: str, folder: Path) -> Decimal:
    """What is reserved for the question."""
    settings = settings_for(url, folder, cache={"ttl": "0s"})
    async with Router(settings) as router:
        await router.ask(QUESTION)
    store = open_store(settings.store.url)
    reserved = store.run_now(lambda c: c.execute(text("select usd from ledger_entries where entry = 'reserve'")).scalar_one())
    store.close()
    return Decimal(reserved)


async def test_no_more_are_asked_than_there_is_money_for(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    go_on = asyncio.Event()

    async def held(_: Request) -> Any:
        await go_on.wait()
        return chat()

    async with asyncio.timeout(100), provider(chat()) as fake:
        estimate = await estimate_of(fake.url, tmp_path_factory.mktemp("before"))
        fake.replies[:] = [held]
        budget = {"day_usd": str(ROOM_FOR * estimate + estimate / 2), "month_usd": 45, "critical_share": 0}
        settings = settings_for(fake.url, tmp_path, budget=budget, cache={"ttl": "0s"})
        async with Router(settings) as router:
            asking = [asyncio.create_task(router.ask(QUESTION)) for _ in range(200)]
            refused: set[asyncio.Task[Answer]] = set()
            while len(refused) < 200 - ROOM_FOR:
                refused, _ = await asyncio.wait(asking, timeout=0.05)
            assert all(
                isinstance(task.exception(), GizziError) and "the budget of the day is met" in str(task.exception()) for task in refused
            )
            go_on.set()
            answers = [task.result() for task in (await asyncio.wait(asking))[0] - refused]
            cost = sum(answer.cost_usd or Decimal(0) for answer in answers)
            left = await router.left()
    assert len(answers) == ROOM_FOR and fake.calls == 1 + ROOM_FOR
    assert cost == ROOM_FOR * Decimal("0.000018") and left.day_usd == settings.budget.day_usd - cost
