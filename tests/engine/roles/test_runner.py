"""Roles at work on a simulated fleet: facts, words that add none, memory, and what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from gizzi.app import App, open_app
from gizzi.clock import SimulatedClock, run_simulated
from gizzi.engine.roles.report import adds_nothing, plain
from gizzi.errors import GizziError, NotFound, UsageError
from gizzi.kinds import ReportItem
from gizzi.sim.fleet import SimFleet
from gizzi.sim.runner import settings_for
from gizzi.store import open_store


@asynccontextmanager
async def looked(validators: int = 4) -> AsyncIterator[App]:
    clock = SimulatedClock()
    fleet = SimFleet(clock, validators=validators)
    store = open_store("sqlite://")
    async with open_app(settings_for(fleet), clock=clock, reach=fleet.reach(), store=store, live=False) as app:
        await app.look()
        yield app
    store.close()


def test_a_report_is_complete_without_a_model_and_remembered() -> None:
    async def run() -> None:
        async with looked() as app:
            report = await app.roles.run("devops", "check_disk_space")
            free = [item for item in report.items if "GB free" in item.text or "GB of" in item.text]
            assert {item.about for item in free} == {f"validator {n}" for n in range(1, 5)}
            assert report.words == "" and report.as_json()["summary"] == plain(report.items)
            (entry,) = await app.memory.tail()
            assert (entry.entry.author, entry.entry.kind) == ("devops", "report") and "check_disk_space" in entry.entry.tags
            assert (await app.memory.verify()).ok

    run_simulated(run())


@pytest.mark.parametrize(
    "role, task", [("devops", "optimize_network_topology"), ("devops", "forecast"), ("security", "scan_logs_for_attacks")]
)
def test_shipped_tasks_run_on_a_fleet(role: str, task: str) -> None:
    async def run() -> None:
        async with looked() as app:
            report = await app.roles.run(role, task)
            assert not [item for item in report.items if item.severity in ("high", "critical")]

    run_simulated(run())


def test_a_plan_proposes_the_command_and_only_where_the_quorum_has_room() -> None:
    async def run(validators: int) -> ReportItem:
        async with looked(validators) as app:
            (item,) = (await app.roles.run("devops", "plan_upgrade", options={"version": "1.18.0"})).items
            return item

    assert run_simulated(run(21)).proposal == "gizzi workflow run rolling-upgrade --to 1.18.0"
    small = run_simulated(run(4))
    assert small.proposal is None and small.severity == "high"


def test_what_cannot_be_listed_is_unknown_and_never_safe() -> None:
    async def run() -> None:
        async with looked() as app:
            report = await app.roles.run("security", "review_firewall_rules", validator=2)
            assert [item.text.startswith("not known") for item in report.items] == [True] and report.validators == (2,)

    run_simulated(run())


def test_words_of_a_model_are_used_only_where_they_add_no_figure() -> None:
    async def run(response: str) -> Any:
        async with looked() as app:

            async def ask(text: str, **more: Any) -> Any:
                assert "<data>" in text and more["role"] == "devops"
                return SimpleNamespace(response=response, model="a/b", cost_usd=None)

            app.roles.router = SimpleNamespace(ask=ask)  # type: ignore[assignment]
            return await app.roles.run("devops", "check_disk_space")

    assert run_simulated(run("All disks have room.")).words == "All disks have room."
    invented = run_simulated(run("Validator 1 is full in 999123 days."))
    assert invented.words == "" and "nobody observed" in invented.note


def test_a_model_that_fails_leaves_a_plain_report() -> None:
    async def run() -> None:
        async with looked() as app:

            async def ask(*_: Any, **__: Any) -> Any:
                raise GizziError("no model is reachable")

            app.roles.router = SimpleNamespace(ask=ask)  # type: ignore[assignment]
            report = await app.roles.run("devops", "check_disk_space")
            assert report.items and "no model is reachable" in report.note

    run_simulated(run())


def test_unknown_roles_tasks_options_and_validators_are_named() -> None:
    async def run() -> None:
        async with looked() as app:
            for given, error in (
                (("devosp", "forecast", {}), NotFound),
                (("devops", "nothing", {}), NotFound),
                (("devops", "forecast", {"options": {"x": "1"}}), UsageError),
                (("devops", "forecast", {"validator": 99}), NotFound),
            ):
                role, task, more = given
                with pytest.raises(error):
                    await app.roles.run(role, task, **more)

    run_simulated(run())


def test_counts_may_be_said_and_figures_may_not_be_invented() -> None:
    items = [ReportItem("12.5 GB free", about="validator 6")]
    assert adds_nothing("Validator 6 has 12.5 GB; 1 finding.", items)
    assert not adds_nothing("Validator 7 has 12.5 GB.", items)
