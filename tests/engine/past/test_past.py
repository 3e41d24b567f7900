"""What was seen outlives restarts, stays small, and waits for a store that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from gizzi.app import open_app
from gizzi.clock import SimulatedClock, run_simulated
from gizzi.engine.past.block import MINUTES, QUARTERS
from gizzi.engine.past.rows import prune
from gizzi.errors import StoreError
from gizzi.sim.fleet import SimFleet
from gizzi.sim.runner import settings_for
from gizzi.store import Store, open_store
from gizzi.store.history_schema import blocks, tables
from tools.remembered import Kept
from tools.stores import postgres_server

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    yield from postgres_server()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    else:
        opened = open_store(request.getfixturevalue("postgres_url"))
        opened.run_now(lambda c: [c.execute(table.delete()) for table in tables.sorted_tables])
    yield opened
    opened.close()


def shows(number: int, at: float) -> dict[str, Any]:
    return {"block_height": 1000 + int(at // 6), "peers": 30 + number, "finalization_lag": 2, "disk_free_bytes": 4e11 - 2e6 * at}


def rows(store: Store) -> dict[int, int]:
    return dict(store.run_now(lambda c: c.execute(select(blocks.c.step_s, func.count()).group_by(blocks.c.step_s)).all()))  # type: ignore[arg-type]


async def test_a_restart_loses_nothing_that_was_saved(store: Store) -> None:
    one = await Kept(store, shows).go(2.5)
    before = await one.past.stretch(2, 3 * 3600)
    two = await Kept(store, shows, clock=one.clock).go(0)
    await two.past.take_up()
    after = await two.past.stretch(2, 3 * 3600)
    assert after == before and len(after.points("peers")) == 150
    assert after.points("block_height")[0][1] == 1000 + 30 // 6
    await two.go(0.25)
    assert len((await two.past.stretch(2, 3 * 3600)).points("peers")) == 165, "the hour goes on"


async def test_days_are_kept_by_quarters_of_an_hour_and_months_are_dropped(store: Store) -> None:
    kept = await Kept(store, shows).go(50)
    await kept.past.save()
    month = await kept.past.stretch(1, 30 * DAY_S)
    heights = month.points("block_height")
    assert month.step_s == 900 and len(heights) == 200 and heights == sorted(heights)
    assert len((await kept.past.stretch(1, DAY_S)).points("peers")) == 24 * 60
    assert rows(store) == {60: 3 * 50, 900: 3 * 3}
    store.run_now(lambda c: prune(c, kept.clock.now()))
    assert rows(store)[60] == 3 * 26, "minutes of a day and two hours"
    store.run_now(lambda c: prune(c, kept.clock.now() + QUARTERS.kept_s + DAY_S))
    assert rows(store) == {}


async def test_an_hour_that_a_crash_cut_off_joins_its_day_later(store: Store) -> None:
    one = await Kept(store, shows).go(0.75)
    one.clock.at += 5 * 3600
    two = Kept(store, shows, clock=one.clock)
    await two.past.take_up()
    await two.past.save()
    assert rows(store) == {60: 3, 900: 3}
    assert len((await two.past.stretch(3, 2 * DAY_S)).points("peers")) == 2, "half an hour was saved"


async def test_what_a_failing_store_does_not_take_waits_and_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = await Kept(store, shows).go(0.25)

    async def fails(work: Any) -> Any:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "run", fails)
        await kept.go(8)
        assert kept.troubles and len(kept.past._ended) <= 5 * 3
    await kept.past.save()
    kept_peers = (await kept.past.stretch(1, 12 * 3600)).points("peers")
    assert len(kept_peers) >= 4 * 60, "the last hours are there once it works again"


async def test_unknown_stays_unknown(store: Store) -> None:
    kept = await Kept(store, lambda number, at: {"peers": 5} if at < 1800 else {}).go(1.5)
    past = await kept.past.stretch(1, 2 * 3600)
    assert len(past.points("peers")) == 30 and past.points("disk_free_bytes") == []
    assert (await kept.past.stretch(99, 3600)).points("peers") == []


def test_a_watch_keeps_its_past_across_a_restart(tmp_path: Path) -> None:
    """The whole app, in simulated time: the trend of the pages begins with what the process before it kept."""

    async def watched(clock: SimulatedClock, fleet: SimFleet, for_s: float) -> Any:
        store = open_store(f"sqlite:///{tmp_path}/gizzi.db")
        store._thread = None
        async with open_app(settings_for(fleet), clock=clock, reach=fleet.reach(), store=store, live=False) as app:
            await app.live.take_up()
            began = len([p for p in app.live.trend.of(1) if p.peers is not None])
            working = asyncio.create_task(app.work())
            await clock.sleep(for_s)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            found = await app.past.stretch(1, 3600)
        store.close()
        return began, found

    async def run() -> None:
        clock = SimulatedClock()
        fleet = SimFleet(clock, validators=2)
        began, first = await watched(clock, fleet, 1200)
        assert began == 0 and len(first.points("peers")) >= 19
        began, second = await watched(clock, fleet, 300)
        assert began >= 19 and len(second.points("peers")) >= len(first.points("peers")) + 4
        assert first.points("disk_free_bytes") and first.points("prevotes_total")

    run_simulated(run())


def test_the_grid_is_whole_hours_and_days() -> None:
    assert MINUTES.block_s == 3600 and QUARTERS.block_s == 86_400 and MINUTES.block_s % QUARTERS.step_s == 0
