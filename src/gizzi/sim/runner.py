"""Runs a scenario in simulated time: the same sources, rules and loop as live, over a simulated fleet."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gizzi.alerts.message import Message
from gizzi.app import open_app
from gizzi.clock import SimulatedClock, run_simulated
from gizzi.config import Settings
from gizzi.engine.tell.channels import Channel
from gizzi.kinds import Notifier
from gizzi.sections import Notify
from gizzi.sim.fleet import SimFleet
from gizzi.sim.judge import judge
from gizzi.sim.scenario import Scenario, load_scenario
from gizzi.store import open_store

NO_PLUGINS = {"folder": "/nonexistent"}
PERSON = "person://on-call"
"""The channel of the person whom a scenario tells."""


def run_scenario(folder: Path | str) -> dict[str, Any]:
    """Play one scenario to its end and judge it. Raises ConfigError where it cannot be read.

    Returns the object that `gizzi scenario run --json` prints; `opened_s` and `resolved_s` count from the first fault that names one of
    the incident's validators, and are None where no fault does.
    """
    scenario = load_scenario(folder)
    gc.freeze()
    started = time.perf_counter()
    try:
        incidents, actions, told = run_simulated(_play(scenario))
    finally:
        gc.unfreeze()
    wall_s = time.perf_counter() - started
    result: dict[str, Any] = {
        "scenario": scenario.name,
        "passed": True,
        "failures": [],
        "incidents": incidents,
        "actions": actions,
        "violations": [],
        "notifications": len(told),
        "cost_usd": "0",
        "simulated_s": scenario.duration_s,
        "wall_s": round(wall_s, 3),
    }
    result["failures"] = judge(scenario, {**result, "notifications": told})
    result["passed"] = not result["failures"]
    return result


async def _play(scenario: Scenario) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """The incidents, the actions, and the titles of the messages that a person would have had."""
    clock = SimulatedClock()
    fleet = scenario.fleet(clock)
    store = open_store("sqlite://")
    settings = settings_for(fleet).model_copy(update={"policy": scenario.policy, "notify": Notify.model_validate({"urls": [PERSON]})})
    async with open_app(settings, clock=clock, reach=fleet.reach(), store=store, live=False) as app:
        told = keep_messages(app.teller.channels)
        telling = asyncio.create_task(app.teller.run())
        watching = asyncio.create_task(app.work())
        await asyncio.wait({watching}, timeout=scenario.duration_s)
        for task in (watching, telling):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        rows = await app.desk.incidents(limit=10_000)
        actions = await app.door.shown()
        times = {row["id"]: (row["opened_at"], row["resolved_at"]) for row in await store.incident_rows(limit=10_000)}
    store.close()
    for row in rows:
        opened_at, resolved_at = times[int(row["id"].removeprefix("inc-"))]
        fault_s = scenario.first_fault_s(row["validators"], row["chain"])
        since = None if fault_s is None else fleet.start_at + fault_s
        row["opened_s"] = None if since is None else round(opened_at - since, 3)
        row["resolved_s"] = None if since is None or resolved_at is None else round(resolved_at - since, 3)
    return sorted(rows, key=lambda row: (row["opened_at"], int(row["id"].removeprefix("inc-")))), actions, told


def keep_messages(channels: dict[str, Channel]) -> list[str]:
    """Put the person's channel in its place; returns the list in which it keeps the titles of what it is told."""
    titles: list[str] = []

    def keep(message: Message) -> None:
        titles.append(message.title)

    kept = Channel(PERSON, 1, Notifier("person", keep, False, ("message",), False, "", ""), {}, threads=False)
    channels[kept.id] = kept
    return titles


def settings_for(fleet: SimFleet) -> Settings:
    """The configuration that watches a simulated fleet, with every shipped default."""
    base = Settings.model_validate({"network": {"name": "simulated"}, "ssh": {"user": "sim"}, "plugins": NO_PLUGINS})
    return base.model_copy(update={"validators": tuple(fleet.settings_validators()), "chains": tuple(fleet.settings_chains())})
