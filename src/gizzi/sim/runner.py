"""Runs a scenario in simulated time: the same sources, rules and loop as live, over a simulated fleet."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from gizzi.alerts.message import Message
from gizzi.app import open_app
from gizzi.clock import SimulatedClock, run_simulated
from gizzi.config import Settings
from gizzi.engine.decide.mind import Mind, ScriptedMind
from gizzi.engine.tell.channels import Channel
from gizzi.kinds import Notifier
from gizzi.sections import Notify
from gizzi.sim.fleet import SimFleet
from gizzi.sim.judge import judge
from gizzi.sim.oracle import Oracle
from gizzi.sim.people import play
from gizzi.sim.scenario import Scenario, load_scenario
from gizzi.sim.ways import FleetSsh
from gizzi.store import open_store

NO_PLUGINS = {"folder": "/nonexistent"}
PERSON = "person://on-call"
"""The channel of the person whom a scenario tells."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it. told: the titles of the messages that a person would have had."""

    incidents: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    violations: list[str]
    told: list[str]


def run_scenario(folder: Path | str, mind: Callable[[Scenario], Mind | None] | None = None) -> dict[str, Any]:
    """Play one scenario to its end and judge it. Raises ConfigError where it cannot be read.

    Returns the object that `gizzi scenario run --json` prints; `opened_s` and `resolved_s` count from the first fault that names one of
    the incident's validators, and are None where no fault does. mind: who thinks instead of the scenario's own `[[replies]]`.
    """
    scenario = load_scenario(folder)
    gc.freeze()
    started = time.perf_counter()
    try:
        played = run_simulated(_play(scenario, mind(scenario) if mind else _scripted(scenario)))
    finally:
        gc.unfreeze()
    wall_s = time.perf_counter() - started
    result: dict[str, Any] = {
        "scenario": scenario.name,
        "passed": True,
        "failures": [],
        "incidents": played.incidents,
        "actions": played.actions,
        "violations": played.violations,
        "notifications": len(played.told),
        "cost_usd": str(sum((Decimal(incident["cost_usd"]) for incident in played.incidents), Decimal(0))),
        "simulated_s": scenario.duration_s,
        "wall_s": round(wall_s, 3),
    }
    result["failures"] = judge(scenario, result)
    result["passed"] = not result["failures"]
    return result


def _scripted(scenario: Scenario) -> Mind | None:
    """The models of its replies; None where it has none, and the reflex tier decides."""
    return ScriptedMind(scenario.replies) if scenario.replies else None


async def _play(scenario: Scenario, mind: Mind | None) -> Played:
    clock = SimulatedClock()
    fleet = scenario.fleet(clock)
    store = open_store("sqlite://")
    settings = settings_for(fleet).model_copy(update={"policy": scenario.policy, "notify": Notify.model_validate({"urls": [PERSON]})})
    oracle = Oracle(fleet, scenario.policy, FleetSsh(fleet))
    reach = replace(fleet.reach(), ssh=oracle)
    async with open_app(settings, clock=clock, reach=reach, store=store, live=False, mind=mind) as app:
        told = keep_messages(app.teller.channels)
        watching = asyncio.create_task(app.work())
        beside = [asyncio.create_task(app.teller.run()), asyncio.create_task(play(scenario.people, app, oracle))]
        await asyncio.wait({watching}, timeout=scenario.duration_s)
        for task in (watching, *beside):
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
    rows.sort(key=lambda row: (row["opened_at"], int(row["id"].removeprefix("inc-"))))
    return Played(rows, actions, oracle.violations(actions), told)


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
