"""Processes killed (-9) while they call models: the next one finds books that add up, and no budget is lost for ever."""

from __future__ import annotations

import asyncio
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import text

from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.models.ledger_rows import LOST, LOST_AFTER_S
from gizzi.models.router import Router
from gizzi.store import open_store
from tools.asker import settings_of
from tools.loopback import Request
from tools.providers import FakeProvider, chat, never, provider

TESTS = Path(__file__).parents[1]
COST_USD = (Decimal(12) + 2 * 3) / 1_000_000
"""Of what `chat()` says it has counted, at the prices of `settings_of`."""


class Later(LiveClock):
    def __init__(self, by_s: float) -> None:
        self.by_s = by_s

    def now(self) -> float:
        return super().now() + self.by_s


async def asker(fake: FakeProvider, folder: Path, count: int, name: str) -> asyncio.subprocess.Process:
    words = ("-m", "tools.asker", fake.url, str(folder), str(count), name)
    return await asyncio.create_subprocess_exec(sys.executable, *words, cwd=TESTS, stdout=asyncio.subprocess.PIPE)


def rows(settings: Settings) -> list[dict[str, Any]]:
    store = open_store(settings.store.url)
    found = store.run_now(lambda c: [dict(row._mapping) for row in c.execute(text("select * from ledger_entries order by at"))])
    store.close()
    return found


def by_entry(settings: Settings, entry: str) -> dict[str, dict[str, Any]]:
    found = [row for row in rows(settings) if row["entry"] == entry]
    assert len({row["reservation"] for row in found}) == len(found)
    return {row["reservation"]: row for row in found}


async def left(settings: Settings, later_s: float = 0) -> Decimal:
    async with Router(settings, clock=Later(later_s)) as router:
        return (await router.left()).day_usd


def only_odd_ones(request: Request) -> Any:
    """Answers every second question, and leaves the others waiting."""
    number = re.search(rb"Question (\d+)", request.body)
    assert number is not None
    return chat() if int(number.group(1)) % 2 else never(request)


async def test_calls_under_way_count_at_their_estimates_and_then_for_good(tmp_path: Path) -> None:
    async with asyncio.timeout(60), provider(only_odd_ones) as fake:
        settings = settings_of(fake.url, tmp_path)
        process = await asker(fake, tmp_path, 20, "one")
        assert process.stdout is not None
        told = [(await process.stdout.readline()).split() for _ in range(10)]
        while fake.calls < 20:  # noqa: ASYNC110 - what is awaited tells nobody
            await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
        assert [Decimal(cost.decode()) for _, cost in told] == [COST_USD] * 10

        reserved, settled = by_entry(settings, "reserve"), by_entry(settings, "settle")
        assert len(reserved) == 20 and len(settled) == 10
        estimates = [Decimal(row["usd"]) for name, row in reserved.items() if name not in settled]
        assert min(estimates) > COST_USD
        expected = settings.budget.day_usd - 10 * COST_USD - sum(estimates)
        assert await left(settings) == expected

        fake.replies[:] = [chat()]
        async with Router(settings, clock=Later(LOST_AFTER_S + 1)) as router:
            answer = await router.ask("And now?")
    lost = [row for row in by_entry(settings, "settle").values() if row["outcome"] == LOST]
    assert sorted(Decimal(row["usd"]) for row in lost) == sorted(estimates) and all(row["estimated"] for row in lost)
    if {row["day"] for row in rows(settings)} == {row["day"] for row in reserved.values()}:  # not at midnight
        assert await left(settings) == expected - (answer.cost_usd or 0)
    assert await left(settings, 86_400) == settings.budget.day_usd


async def test_killed_at_any_moment_two_processes_on_one_store(tmp_path: Path) -> None:
    told: list[Decimal] = []
    async with asyncio.timeout(100), provider(chat()) as fake:
        settings = settings_of(fake.url, tmp_path)
        for killed_after in (1, 30):
            processes = [await asker(fake, tmp_path, 300, name) for name in ("one", "two")]
            said: list[bytes] = []
            for process in processes:
                assert process.stdout is not None
                said += [await process.stdout.readline() for _ in range(killed_after)]
                process.kill()
            for process in processes:
                said += (await process.communicate())[0].splitlines(keepends=True)
            told += [Decimal(line.split()[1].decode()) for line in said if line.endswith(b"\n")]
        answered = fake.calls * COST_USD
        async with Router(settings, clock=Later(LOST_AFTER_S + 1)) as router:
            await router.door.purse.tidy()  # type: ignore[attr-defined]
            spent = settings.budget.month_usd - (await router.left()).month_usd
    reserved, settled = by_entry(settings, "reserve"), by_entry(settings, "settle")
    assert reserved.keys() == settled.keys() and len(reserved) >= fake.calls > 31 * 2 - 1
    exact = [row for row in settled.values() if row["outcome"] == "answered"]
    assert len(exact) >= len(told) and {Decimal(row["usd"]) for row in exact} == {COST_USD} == set(told), (
        "who was told a cost finds it settled"
    )
    total = sum(Decimal(row["counted_usd"]) for row in settled.values())
    if {row["day"][:7] for row in settled.values()} == {rows(settings)[-1]["day"][:7]}:  # not at a month's end
        assert spent == total
    assert total >= answered, "whatever a provider may bill is counted"
