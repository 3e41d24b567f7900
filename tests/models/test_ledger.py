"""The ledger on SQLite and on a real PostgreSQL: exact, whoever else writes and whatever dies."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from conftest import need
from gizzi.clock import LiveClock
from gizzi.config import Budget
from gizzi.errors import BudgetMet, ConfigError, StoreError
from gizzi.models.ledger import Ledger, Reservation, day_of
from gizzi.models.ledger_rows import LOST, LOST_AFTER_S
from gizzi.models.task import Usage
from gizzi.store import Store, open_store
from gizzi.store.ledger_schema import tables
from tools import postgres

TESTS = Path(__file__).parents[1]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


class Clock(LiveClock):
    def __init__(self, at: float = NOON) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    initdb, server = need("initdb", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres.running(initdb, server, port) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gizzi.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    opened.run_now(lambda c: [c.execute(table.delete()) for table in tables.sorted_tables])
    yield opened
    opened.close()


def ledger_of(store: Store, clock: LiveClock | None = None, **budget: Any) -> Ledger:
    return Ledger(store, Budget.model_validate({"day_usd": 1, "month_usd": 45, "critical_share": 0, **budget}), clock or Clock())


async def reserve(ledger: Ledger, usd: str | None = "0.1", **more: Any) -> Reservation:
    given = {"model": "acme/one", "tier": "standard", "role": "dev", "kind": "health", "critical": False, **more}
    return await ledger.reserve(estimate_usd=None if usd is None else Decimal(usd), **given)


def entries(store: Store) -> list[dict[str, Any]]:
    return store.run_now(lambda c: [dict(r._mapping) for r in c.execute(text("select * from ledger_entries order by at, entry"))])


async def test_a_reservation_counts_until_it_is_settled(store: Store) -> None:
    ledger = ledger_of(store, tiers={"standard": "0.5"}, roles={"dev": "0.3"})
    made = await reserve(ledger, "0.25")
    left = await ledger.left()
    assert (left.day_usd, left.month_usd, left.tiers, left.roles) == (
        Decimal("0.75"),
        Decimal("44.75"),
        {"standard": Decimal("0.25")},
        {"dev": Decimal("0.05")},
    )
    with pytest.raises(BudgetMet, match="role dev"):
        await reserve(ledger, "0.06")
    await ledger.settle(made, Usage(1000, 100, cached_input_tokens=5, reasoning_tokens=7), Decimal("0.000000000123"), "answered")
    left = await ledger.left()
    assert left.day_usd == Decimal("0.999999999877")
    assert left.roles == {"dev": Decimal("0.299999999877")}
    rows = {row["entry"]: row for row in entries(store)}
    assert (rows["reserve"]["usd"], rows["settle"]["usd"]) == ("0.25", "0.000000000123")
    assert (rows["settle"]["input_tokens"], rows["settle"]["reasoning_tokens"], rows["settle"]["kind"]) == (1000, 7, "health")


async def test_settling_twice_counts_once(store: Store) -> None:
    ledger = ledger_of(store)
    made = await reserve(ledger)
    await ledger.settle(made, Usage(), Decimal("0.02"), "answered")
    await ledger.settle(made, Usage(), Decimal("0.03"), "again")
    await ledger.release(made, "again")
    assert (await ledger.left()).day_usd == Decimal("0.98")
    assert len(entries(store)) == 2


async def test_what_was_not_sent_costs_nothing(store: Store) -> None:
    ledger = ledger_of(store)
    await ledger.release(await reserve(ledger, "1"), "no connection")
    assert (await ledger.left()).day_usd == 1
    assert entries(store)[1]["outcome"] == "released: no connection"


async def test_an_unknown_cost_is_unknown_and_never_zero(store: Store) -> None:
    ledger = ledger_of(store)
    await ledger.settle(await reserve(ledger, None), Usage(10, 10), None, "answered")
    await ledger.settle(await reserve(ledger, "0.4"), Usage(10, 10), None, "answered")
    settled = [row for row in entries(store) if row["entry"] == "settle"]
    assert [row["usd"] for row in settled] == [None, None]
    assert (await ledger.left()).day_usd == Decimal("0.6"), "a budget counts the estimate where the cost is not known"


@pytest.mark.parametrize("cost", ["-1", "NaN", "Infinity", "1E+30", "1E-60"])
async def test_a_cost_that_cannot_be_one_is_settled_at_the_estimate(store: Store, cost: str) -> None:
    ledger = ledger_of(store)
    await ledger.settle(await reserve(ledger, "0.4"), Usage(-5, 2**40), Decimal(cost), "answered\n\x1b[31m" + "x" * 500)
    row = next(row for row in entries(store) if row["entry"] == "settle")
    assert (row["usd"], bool(row["estimated"]), row["input_tokens"]) == ("0.4", True, 0)
    assert len(row["outcome"]) <= 200 and row["outcome"].isprintable()
    assert (await ledger.left()).day_usd == Decimal("0.6")


async def test_an_estimate_that_cannot_be_one_is_refused(store: Store) -> None:
    for usd in ("-1", "NaN", "1E+12"):
        with pytest.raises(ConfigError, match="price of acme/one"):
            await reserve(ledger_of(store), usd)
    assert entries(store) == []


async def test_days_and_months_end(store: Store) -> None:
    clock = Clock()
    ledger = ledger_of(store, clock, month_usd="1.5")
    made = await reserve(ledger, "1")
    with pytest.raises(BudgetMet, match="of the day"):
        await reserve(ledger, "0.1")
    clock.at += 86_400 / 2 + 1
    await ledger.settle(made, Usage(), Decimal(1), "answered after midnight")
    assert {row["day"] for row in entries(store)} == {"2026-11-22"}, "a call counts where its budget was checked"
    with pytest.raises(BudgetMet, match="of the month"):
        await reserve(ledger, "0.6")
    await ledger.settle(await reserve(ledger, "0.5"), Usage(), Decimal("0.5"), "answered")
    clock.at += 9 * 86_400
    assert day_of(clock.at) == "2026-12-02"
    await reserve(ledger, "1")


async def test_critical_work_keeps_its_share(store: Store) -> None:
    ledger = ledger_of(store, critical_share="0.2")
    await reserve(ledger, "0.8")
    with pytest.raises(BudgetMet, match="kept for critical work"):
        await reserve(ledger, "0.01")
    await reserve(ledger, "0.2", critical=True)
    await reserve(ledger, "0", tier="local")


async def test_a_lost_reservation_is_settled_at_its_estimate(store: Store) -> None:
    clock = Clock()
    ledger = ledger_of(store, clock)
    lost = await reserve(ledger, "0.6")
    clock.at += LOST_AFTER_S - 1
    with pytest.raises(BudgetMet):
        await reserve(ledger, "0.5")
    clock.at += 2
    await ledger.tidy()
    row = next(row for row in entries(store) if row["entry"] == "settle")
    assert (row["usd"], bool(row["estimated"]), row["outcome"], row["model"]) == ("0.6", True, LOST, "acme/one")
    assert (await ledger.left()).day_usd == Decimal("0.4")
    await ledger.settle(lost, Usage(10, 10), Decimal("0.05"), "answered late")
    await ledger.settle(lost, Usage(10, 10), Decimal("0.05"), "answered late")
    assert [row["usd"] for row in entries(store) if row["entry"] == "late"] == ["-0.55"]
    assert (await ledger.left()).day_usd == Decimal("0.95")


async def test_a_cancelled_call_leaves_nothing_open(store: Store) -> None:
    ledger = ledger_of(store)
    await ledger.tidy()
    waiting = [asyncio.create_task(reserve(ledger, "0.1")) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    made = await reserve(ledger, "0.1")
    settling = asyncio.create_task(ledger.settle(made, Usage(), Decimal("0.07"), "cancelled"))
    await asyncio.sleep(0)
    settling.cancel()
    await ledger.finish()
    assert (await ledger.left()).day_usd == Decimal("0.93")
    assert store.run_now(lambda c: c.execute(text("select count(*) from ledger_open")).scalar()) == 0


def spender(url: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tools.spender", url, *words]
    return subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_200_calls_from_four_processes_never_exceed_the_budget(store: Store, url: str) -> None:
    processes = [spender(url, "many", "50", "0.013", "0.013") for _ in range(4)]
    made = 0
    for process in processes:
        out, err = process.communicate(timeout=50)
        assert process.returncode == 0, err
        made += int(out)
    assert made == 76, "76 x 0.013 = 0.988 of 1; one more does not fit"
    settled = [Decimal(row["usd"]) for row in entries(store) if row["entry"] == "settle"]
    assert sum(settled) == Decimal("0.988")
    left = asyncio.run(ledger_of(store, LiveClock()).left())
    assert left.day_usd == Decimal("0.012")


def test_200_calls_settled_at_other_costs_sum_exactly(store: Store, url: str) -> None:
    processes = [spender(url, "many", "50", "0.005", "0.000000000001") for _ in range(4)]
    made = sum(int(process.communicate(timeout=50)[0]) for process in processes)
    left = asyncio.run(ledger_of(store, LiveClock()).left())
    assert made >= 199, "an open reservation may keep the last one out, never more"
    assert 1 - left.day_usd == Decimal(made).scaleb(-12)


def test_a_killed_process_is_neither_forgotten_nor_in_the_way_for_ever(store: Store, url: str) -> None:
    process = spender(url, "hold", "0.7")
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    process.kill()
    process.communicate()

    async def meanwhile() -> None:
        clock = Clock(LiveClock().now())
        ledger = ledger_of(store, clock, month_usd=1)
        assert (await ledger.left()).day_usd == Decimal("0.3")
        with pytest.raises(BudgetMet):
            await reserve(ledger, "0.4")
        clock.at += LOST_AFTER_S + 1
        await reserve(ledger, "0.3")
        assert (await ledger.left()).month_usd <= 0 or day_of(clock.at)[:7] != day_of(LiveClock().now())[:7]

    asyncio.run(meanwhile())
    rows = [row for row in entries(store) if row["reservation"] == name]
    assert [(row["entry"], row["usd"]) for row in rows] == [("reserve", "0.7"), ("settle", "0.7")]


def test_processes_killed_in_the_middle_leave_a_ledger_that_adds_up(store: Store, url: str) -> None:
    processes = [spender(url, "many", "2000", "0.0001", "0.0001") for _ in range(3)]
    wait_for_entries(store, 30)
    for process in processes:
        process.kill()
        process.communicate()
    clock = Clock(LiveClock().now())
    before = asyncio.run(ledger_of(store, clock).left())
    clock.at += LOST_AFTER_S + 1
    asyncio.run(ledger_of(store, clock).tidy())
    rows = entries(store)
    reserved = {row["reservation"] for row in rows if row["entry"] == "reserve"}
    assert reserved == {row["reservation"] for row in rows if row["entry"] == "settle"}
    assert 45 - before.month_usd == sum(Decimal(row["usd"]) for row in rows if row["entry"] == "settle")


def wait_for_entries(store: Store, count: int) -> None:
    for _ in range(2000):
        if len(entries(store)) >= count:
            return
        subprocess.run(["sleep", "0.01"], check=True)
    pytest.fail("nothing was written")


# A store that cannot be written


async def test_a_full_disk_is_one_error_and_the_cost_is_written_later(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    ledger = ledger_of(store)
    made = await reserve(ledger, "0.4")
    pages = await store.run(lambda c: c.execute(text("pragma page_count")).scalar())
    await store.run(lambda c: c.execute(text(f"pragma max_page_count = {pages}")).all())
    with pytest.raises(StoreError, match=r"acme/one was not asked.*full") as refused:
        for _ in range(500):
            await reserve(ledger, "0.0001")
    with pytest.raises(StoreError, match=r"cost of a call to acme/one .*estimate of \$0\.40.*full") as unwritten:
        for _ in range(100):
            await ledger.settle(made, Usage(10, 10), Decimal("0.02"), "answered " * 20)
            made = await reserve(ledger, "0.4")
    assert all("\n" not in str(error.value) for error in (refused, unwritten))
    await store.run(lambda c: c.execute(text("pragma max_page_count = 100000")).all())
    await ledger.tidy()
    assert next(row for row in entries(store) if row["reservation"] == made.id and row["entry"] == "settle")["usd"] == "0.02"
    store.close()


async def test_a_store_in_memory_serves_too() -> None:
    store = open_store("sqlite://")
    ledger = ledger_of(store)
    made = await asyncio.gather(*(reserve(ledger, "0.01") for _ in range(100)))
    with pytest.raises(BudgetMet):
        await reserve(ledger, "0.01")
    await asyncio.gather(*(ledger.settle(one, Usage(), Decimal("0.003"), "answered") for one in made))
    assert (await ledger.left()).day_usd == Decimal("0.7")
    store.close()


async def test_a_read_only_store_is_one_error(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/gizzi.db").close()
    store = open_store(f"sqlite:///file:{tmp_path}/gizzi.db?mode=ro&uri=true")
    with pytest.raises(StoreError, match=r"was not asked.*readonly"):
        await reserve(ledger_of(store))
    store.close()


async def test_a_store_from_before_the_ledger_gets_one(url: str, store: Store) -> None:
    def go_back(connection: Any) -> None:
        tables.drop_all(connection)
        connection.execute(text("update meta set value = '1' where key = 'schema_version'"))

    store.run_now(go_back)
    newer = open_store(url)
    await reserve(ledger_of(newer))
    assert len(entries(newer)) == 1
    newer.close()
