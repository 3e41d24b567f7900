"""Roles by the clock."""

from __future__ import annotations

import asyncio
from typing import Any

from structlog.testing import capture_logs

from gizzi.app import open_app
from gizzi.clock import SimulatedClock, run_simulated
from gizzi.engine.roles.report import Report
from gizzi.engine.roles.schedule import FIRST_AFTER_S, run_scheduled
from gizzi.sim.fleet import SimFleet
from gizzi.sim.runner import settings_for
from gizzi.store import open_store


def test_each_task_that_needs_no_words_of_a_person_is_run_once_a_turn_and_the_others_are_no_failure() -> None:
    reports: list[tuple[str, str]] = []

    async def read(report: Report) -> None:
        reports.append((report.role, report.task))

    async def run() -> list[Any]:
        clock = SimulatedClock()
        fleet = SimFleet(clock, validators=4)
        store = open_store("sqlite://")
        async with open_app(settings_for(fleet), clock=clock, reach=fleet.reach(), store=store, live=False) as app:
            await app.look()
            with capture_logs() as logs:
                running = asyncio.create_task(run_scheduled(app.roles, app.store, app.clock, read))
                await clock.sleep(2 * FIRST_AFTER_S)
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            wanted = [(r.name, t) for r in app.roles.roles.values() if r.every_s for t in r.tasks if t in app.registry.tasks]
        store.close()
        assert ("governance", "position") in wanted, "it needs a referendum's number"
        assert sorted(reports) == sorted(set(wanted) - {("governance", "position")})
        return logs

    assert [log for log in run_simulated(run()) if log["log_level"] in ("error", "warning")] == []
