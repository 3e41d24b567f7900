from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gizzi.clock import LiveClock
from gizzi.config import Budget
from gizzi.models.ledger import Ledger
from gizzi.models.ledger_rows import LOST_AFTER_S
from gizzi.models.model import Model, Price
from gizzi.models.report import BY, costs_by
from gizzi.models.task import Usage
from gizzi.store import Store, open_store

BUDGET = Budget(day_usd=Decimal(5), month_usd=Decimal(45))
FRONTIER = Model("acme/best", "acme", "best", "frontier", Price(Decimal(10), Decimal(30)))
DAY_S = 86_400


class Clock(LiveClock):
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()

    def now(self) -> float:
        return self.at


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    yield opened
    opened.close()


async def spend(ledger: Ledger, usd: str | None, usage: Usage | None = None, **more: Any) -> None:
    given = {"model": "acme/one", "tier": "standard", "role": "dev", "kind": "health", "critical": False, **more}
    cost = None if usd is None else Decimal(usd)
    made = await ledger.reserve(estimate_usd=cost, **given)
    await ledger.settle(made, usage or Usage(1000, 100), cost, "answered")


async def report(store: Store, clock: Clock, by: Any = "model", **more: Any) -> dict[str, Any]:
    return await costs_by(store, by, now=clock.at, budget=BUDGET, **more)


async def test_an_empty_ledger(store: Store) -> None:
    for by in BY:
        found = await report(store, Clock(), by, frontier=FRONTIER)
        assert (found["rows"], found["total"]["cost_usd"], found["forecast"]["month_usd"]) == ([], "0", "0")
        assert found["always_frontier"]["cost_usd"] == "0"


async def test_by_each(store: Store) -> None:
    clock = Clock()
    ledger = Ledger(store, BUDGET, clock)
    await spend(ledger, "0.1")
    await spend(ledger, "0.3", model="acme/best", tier="frontier", kind="security", critical=True)
    await spend(ledger, "0", model="ollama/small", tier="local", role=None, kind=None)
    clock.at += DAY_S
    await spend(ledger, "0.000000000001")
    shown = {by: [(row[by], row["cost_usd"], row["calls"]) for row in (await report(store, clock, by))["rows"]] for by in BY}
    assert shown == {
        "model": [("acme/best", "0.3", 1), ("acme/one", "0.100000000001", 2), ("ollama/small", "0", 1)],
        "tier": [("frontier", "0.3", 1), ("standard", "0.100000000001", 2), ("local", "0", 1)],
        "role": [("dev", "0.400000000001", 3), (None, "0", 1)],
        "kind": [("security", "0.3", 1), ("health", "0.100000000001", 2), (None, "0", 1)],
        "day": [("2026-11-01", "0.4", 3), ("2026-11-02", "0.000000000001", 1)],
    }
    found = await report(store, clock)
    assert (found["total"]["cost_usd"], found["total"]["calls"], found["total"]["tokens"]["input"]) == ("0.400000000001", 4, 4000)
    assert found["budget"]["day_left_usd"] == "4.999999999999"
    assert found["budget"]["month_left_usd"] == "44.599999999999"


async def test_unknown_is_shown_as_unknown(store: Store) -> None:
    clock = Clock()
    ledger = Ledger(store, BUDGET, clock)
    await spend(ledger, None, model="acme/new")
    await spend(ledger, None)
    await spend(ledger, "0.1")
    found = await report(store, clock)
    assert [(row["model"], row["cost_usd"], row["unknown_cost_calls"]) for row in found["rows"]] == [
        ("acme/one", "0.1", 1),
        ("acme/new", None, 1),
    ]
    assert (found["total"]["cost_usd"], found["total"]["unknown_cost_calls"]) == ("0.1", 2)


async def test_what_was_not_sent_is_no_call_and_what_was_lost_is_estimated(store: Store) -> None:
    clock = Clock()
    ledger = Ledger(store, BUDGET, clock)
    fields: dict[str, Any] = {"model": "acme/one", "tier": "standard", "role": None, "kind": None, "critical": False}
    await ledger.release(await ledger.reserve(estimate_usd=Decimal(1), **fields), "no connection")
    lost = await ledger.reserve(estimate_usd=Decimal("0.5"), **fields)
    found = await report(store, clock)
    assert (found["total"]["calls"], found["open"]) == (0, {"calls": 1, "estimate_usd": "0.5"})
    clock.at += LOST_AFTER_S + 1
    await ledger.tidy()
    found = await report(store, clock)
    assert (found["total"]["calls"], found["total"]["estimated_calls"], found["total"]["cost_usd"]) == (1, 1, "0.5")
    await ledger.settle(lost, Usage(10, 5), Decimal("0.2"), "answered late")
    found = await report(store, clock)
    assert (found["total"]["calls"], found["total"]["cost_usd"], found["total"]["tokens"]["input"]) == (1, "0.2", 10)
    assert found["open"] == {"calls": 0, "estimate_usd": "0"}


async def test_the_forecast(store: Store) -> None:
    clock = Clock()
    ledger = Ledger(store, BUDGET, clock)
    await spend(ledger, "1")
    first = await report(store, clock)
    assert first["forecast"]["month_usd"] == "30.5"
    assert first["forecast"]["how"] == "spent so far, and for each of the 29.5 days left as much as today so far"
    for _ in range(9):
        clock.at += DAY_S
        await spend(ledger, "2")
    tenth = (await report(store, clock))["forecast"]
    assert tenth["how"] == "spent so far, and for each of the 20.5 days left the mean of the last 7 whole days"
    assert (tenth["so_far_usd"], tenth["mean_day_usd"], tenth["month_usd"]) == ("19", "2", "60")


async def test_the_forecast_at_the_beginning_of_a_month_knows_the_last_one(store: Store) -> None:
    clock = Clock()
    ledger = Ledger(store, BUDGET, clock)
    clock.at += 29 * DAY_S
    await spend(ledger, "3.5")
    clock.at += DAY_S
    found = await report(store, clock)
    assert (found["from"], found["rows"], found["forecast"]["so_far_usd"]) == ("2026-12-01", [], "0")
    assert (found["forecast"]["mean_day_usd"], found["forecast"]["month_usd"]) == ("3.5", "106.75")


async def test_always_frontier(store: Store) -> None:
    clock = Clock()
    ledger = Ledger(store, BUDGET, clock)
    await spend(ledger, "0.1", Usage(1_000_000, 100_000))
    await spend(ledger, "0", Usage(1_000_000, 0, cached_input_tokens=2_000_000), tier="local")
    found = await report(store, clock, frontier=FRONTIER)
    assert found["always_frontier"]["cost_usd"] == "23"
    assert (await report(store, clock))["always_frontier"] is None
