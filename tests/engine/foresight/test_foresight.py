"""Forecasts from what was kept: what comes, what does not, what is not known, and how earlier ones did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from gizzi.analysis.forecast import coming, outlook, outlook_of
from gizzi.engine.foresight import rows
from gizzi.engine.foresight.foresight import Foresight
from gizzi.engine.foresight.series import of_chain, of_spend, this_month
from gizzi.store import Store, open_store
from gizzi.store.history_schema import checks
from gizzi.store.ledger_schema import entries
from tools.remembered import Kept
from tools.simulated import START_AT

DAY_S = 86_400.0
GB = 1e9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    yield opened
    opened.close()


def shows(number: int, at: float) -> dict[str, Any]:
    """Validator 2 fills 400 GB in 50 hours."""
    noise = Random(f"{number}{at}").gauss(0, 0.05 * GB)
    free = 400 * GB - (8 * GB * at / 3600 if number == 2 else 0) + noise
    return {"block_height": int(at // 6), "finalization_lag": 2, "peers": 33 + int(at // 60) % 4, "disk_free_bytes": free}


async def test_a_disk_that_fills_is_foretold_and_what_does_not_break_is_not(store: Store) -> None:
    kept = await Kept(store, shows).go(30)
    await kept.foresight.look()
    (soon,) = kept.foresight.soon()
    assert (soon.subject, soon.what) == ("validator 2", "disk")
    left_s = soon.left_s(kept.clock.now())
    assert left_s == pytest.approx(20 * 3600, rel=0.03), "the rest of its 50 hours"
    assert "validator 2 has a full disk in about 20" in soon.text() and "80 %" in soon.text()
    assert kept.watch.fleet.histories[2].outlooks["disk"] == soon, "rules see it"
    shown = kept.foresight.everything()
    assert shown[0]["subject"] == "validator 2" and len(shown) == 3 * 3 + 1
    assert all(one["likely_at"] is None and not one["unknown"] for one in shown if one["what"] in ("peers", "lag", "finality"))


async def test_too_short_a_history_says_so(store: Store) -> None:
    kept = await Kept(store, shows).go(0.2)
    await kept.foresight.look()
    assert kept.foresight.soon() == []
    assert all("too short" in one["unknown"] and one["now"] is None for one in kept.foresight.everything())


async def test_forecasts_go_on_after_a_restart(store: Store) -> None:
    kept = await Kept(store, shows).go(30)
    await kept.foresight.look()
    again = Foresight(kept.watch)
    again._show(await store.run(lambda c: rows.latest(c, kept.clock.now())))
    assert again.everything() == kept.foresight.everything()
    assert await store.run(lambda c: rows.latest(c, kept.clock.now() + rows.OLD_S + 1)) == [], "old ones are not shown as if they were new"


async def test_what_came_is_compared_with_what_was_foretold(store: Store) -> None:
    kept = await Kept(store, shows).go(1)
    await kept.go(47, foresee=True)
    record = kept.watch.record
    assert set(record) == {"disk", "peers", "lag", "finality"}
    assert record["disk"].tests >= 9 and record["disk"].held >= 0.6 and record["disk"].error < GB
    shown = next(one for one in kept.foresight.of("validator 2") if one["what"] == "disk")
    assert shown["record"] == {"tests": record["disk"].tests, "held": record["disk"].held, "error": record["disk"].error}
    waiting = store.run_now(lambda c: c.execute(select(checks).where(checks.c.due_at > kept.clock.now())).all())
    assert len(waiting) == len({(row.subject, row.what) for row in waiting}), "one of each kind waits for its time"
    store.run_now(lambda c: rows.forget(c, kept.clock.now() + 40 * DAY_S))
    assert store.run_now(rows.records) == {}


async def test_nobody_saw_what_came(store: Store) -> None:
    made = outlook_of(outlook(of_chain("main", [{START_AT + 900.0 * n: 2.0 for n in range(40)}])).as_json())
    await store.run(lambda c: rows.note(c, [made], START_AT + 900 * 40))
    assert made.end is not None
    await store.run(lambda c: rows.settle(c, made.subject, made.what, [(made.end.at - 7200, 2.0)], made.end.at + 60))  # type: ignore[union-attr]
    assert await store.run(rows.records) == {}


def test_what_is_spent_is_foretold_for_this_month_only() -> None:
    now = datetime(2026, 3, 20, tzinfo=UTC).timestamp()
    first = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    calls = [(first - 5 * DAY_S + hour * 3600.0 + 60, 0.05) for hour in range(24 * 24)]
    series = of_spend(calls, now, 25.0)
    assert series.points[-1][1] == pytest.approx(0.05 * 24 * 19, abs=0.1), "this month's, not all"
    found = this_month(outlook(series), now)
    assert found.likely_s == pytest.approx((25.0 - 22.8) / 0.05 * 3600, rel=0.05)
    later = this_month(outlook(of_spend(calls, now, 45.0)), now)
    assert (later.likely_s, later.soonest_s, later.latest_s) == (None, None, None), "it would be met in April"
    assert later.end is not None
    assert of_spend([], now, 45.0).points == []


@given(st.lists(st.tuples(st.floats(0, 40 * DAY_S), st.floats(0, 10)), max_size=40))
def test_spend_never_falls_and_ends_at_the_months_total(calls: list[tuple[float, float]]) -> None:
    now = datetime(2026, 3, 20, tzinfo=UTC).timestamp()
    first = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    placed = sorted((now - 40 * DAY_S + at, usd) for at, usd in calls)
    values = [value for _, value in of_spend(placed, now, 45.0).points]
    assert all(later >= value - 1e-9 for value, later in pairwise(values))
    if values:
        assert values[-1] == pytest.approx(sum(usd for at, usd in placed if first <= at <= now // 3600 * 3600), abs=1e-6)


async def test_the_ledger_is_read_for_it(store: Store) -> None:
    kept = await Kept(store, shows).go(0.1)
    row = {"model": "m", "tier": "local", "role": "", "kind": "", "critical": False, "estimated": False, "outcome": "done"}
    tokens = dict.fromkeys(("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens"), 0)
    at = kept.clock.now()
    calls = [
        {"reservation": str(n), "entry": "settle", "at": at - 3600.0 * (40 - n), "day": "2026-01-01", "usd": "1.5", **row, **tokens}
        for n in range(40)
    ]
    store.run_now(lambda c: c.execute(entries.insert(), calls))
    await kept.foresight.look()
    (spend,) = kept.foresight.of("models")
    assert spend["what"] == "spend" and spend["limit"] == 45.0 and not spend["unknown"]
    store.run_now(lambda c: c.execute(delete(entries)))


def test_only_what_surely_comes_is_told() -> None:
    found = outlook(of_chain("main", [{900.0 * n: 1.0 + 0.1 * n for n in range(60)}], 10.0))
    assert found.sure and coming([found], found.at or 0, 1e9) == [found]
    assert coming([replace(found, sure=False), replace(found, likely_s=0.0), replace(found, likely_s=None)], 0, 1e9) == []
    assert coming([found], found.at or 0, 60) == []
