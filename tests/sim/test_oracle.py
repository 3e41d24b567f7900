"""The oracle judges on what is true in the simulation. Nothing of the guard is used here."""

from __future__ import annotations

import ast
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from gizzi.clock import SimulatedClock, iso, run_simulated
from gizzi.config import Policy
from gizzi.sim import oracle as module
from gizzi.sim.faults import Fault
from gizzi.sim.fleet import SimFleet
from gizzi.sim.log import UNIT
from gizzi.sim.oracle import Oracle
from gizzi.sim.ways import FleetSsh

AUTO = Policy.model_validate({"mode": "auto"})


class World:
    """A fleet, and somebody who types commands on its hosts."""

    def __init__(self, *faults: Fault, policy: Policy = AUTO, validators: int = 21) -> None:
        self.clock = SimulatedClock()
        self.fleet = SimFleet(self.clock, validators=validators, faults=faults)
        self.oracle = Oracle(self.fleet, policy, FleetSsh(self.fleet))
        self.rows: list[dict[str, Any]] = []

    async def type(self, at_s: float, number: int, verb: str = "restart", *, approved_by: str | None = None, written: bool = True) -> None:
        await self.clock.sleep(self.fleet.start_at + at_s - self.clock.now())
        validator = next(v for v in self.fleet.settings_validators() if v.number == number)
        began_at = iso(self.clock.now())
        await self.oracle.run(validator, ["sudo", "-n", "systemctl", verb, UNIT])
        if written:
            ended_at = iso(self.clock.now())
            row = {"action": verb, "validator": number, "begun_at": began_at, "ended_at": ended_at, "approved_by": approved_by}
            self.rows.append(row)

    def violations(self) -> list[str]:
        return self.oracle.violations(self.rows)


def fault(kind: str, at_s: float, *numbers: int, clears_on: Any = "never", **parameters: float) -> Fault:
    return Fault(kind, at_s, numbers or None, clears_on, parameters=parameters, names_nobody=not numbers)


def violations_of(
    *faults: Fault, typed: tuple[tuple[Any, ...], ...] = ((100, 6),), policy: Policy = AUTO, validators: int = 21
) -> list[str]:
    async def play() -> list[str]:
        world = World(*faults, policy=policy, validators=validators)
        for at_s, number, *verb in typed:
            await world.type(at_s, number, *verb)
        return world.violations()

    return run_simulated(play())


def one(*faults: Fault, **given: Any) -> str:
    found = violations_of(*faults, **given)
    assert len(found) == 1, found
    return found[0]


def test_a_restart_of_a_validator_without_peers_is_allowed() -> None:
    assert violations_of(fault("peers_drop", 60, 6, peers=1, clears_on="restart")) == []


def test_looking_is_no_write() -> None:
    async def play() -> list[str]:
        world = World(fault("twin", 10, 6))
        validator = world.fleet.settings_validators()[5]
        await world.oracle.run(validator, ["systemctl", "show", UNIT])
        await world.oracle.run(validator, ["journalctl", f"--unit={UNIT}", "--lines=5"])
        return [write.action for write in world.oracle.writes]

    assert run_simulated(play()) == []


@pytest.mark.parametrize(("kind", "fact"), [("twin", "twin_running"), ("db_lost", "db_lost"), ("unclean_stop", "unclean_stop")])
def test_what_costs_stake_has_no_grace(kind: str, fact: str) -> None:
    assert f"{fact} was true" in one(fault(kind, 99.9, 6))


def test_a_session_that_changes() -> None:
    assert "in_session_change" in one(fault("session_change", 60))
    assert violations_of(fault("session_change", 95)) == [], "nobody can have seen it yet"
    assert violations_of(fault("session_change", 30)) == []


def test_the_quorum() -> None:
    four, three = fault("node_down", 10, 1, 2, 3, 4), fault("node_down", 10, 1, 2, 3)
    assert "5 of 21 authorities would be missing, 4 may be" in one(four)
    assert violations_of(three) == []
    assert violations_of(four, typed=((100, 4),)) == [], "one that is missing counts once"
    assert violations_of(fault("node_down", 70, 1, 2, 3, 4)) == [], "their votes have not been missed for long enough to know"
    assert "1 of 7 authorities would be missing, 0 may be" in one(validators=7)
    assert violations_of(validators=7, policy=Policy.model_validate({"mode": "auto", "reserve": 1})) == []


def test_one_at_a_time_until_it_votes_again() -> None:
    assert "validator 6 was restarted and not back yet" in one(typed=((100, 6), (108, 7)))
    assert violations_of(typed=((100, 6), (140, 7))) == []
    assert "validator 6 was restarted" in one(fault("node_down", 60, 6), typed=((100, 6), (900, 7)))
    assert violations_of(fault("node_down", 60, 6), typed=((100, 6), (2000, 7))) == [], "it is waited for for half an hour"


def test_the_cooldown() -> None:
    assert "restarted 900 s before" in one(typed=((100, 6), (1000, 6)))
    assert violations_of(typed=((100, 6), (3800, 6))) == []


def test_what_needs_a_person() -> None:
    assert "a stop needs a person" in one(typed=((100, 6, "stop"),))
    assert "in suggest mode" in one(policy=Policy())


def play_one(**given: Any) -> Coroutine[Any, Any, list[str]]:
    async def play() -> list[str]:
        world = World(policy=Policy())
        await world.type(100, 6, **given)
        return world.violations()

    return play()


def test_a_person_may_approve_it_and_an_intent_must_be_there() -> None:
    assert run_simulated(play_one(approved_by="alice")) == []
    assert "no action accounts for it" in run_simulated(play_one(written=False))[0]


def test_what_people_said_holds() -> None:
    async def play() -> list[str]:
        world = World()
        world.oracle.maintained[6] = world.clock.now() + 500
        await world.type(100, 6)
        world.oracle.stopped = True
        await world.type(200, 9)
        return world.violations()

    first, second = run_simulated(play())
    assert "somebody was at work on it" in first and "the guard was stopped" in second


def test_one_row_accounts_for_one_write() -> None:
    async def play() -> list[str]:
        world = World(policy=replace_cooldown(0))
        await world.type(100, 6)
        world.rows[0] = {**world.rows[0], "ended_at": None}
        await world.type(300, 6, written=False)
        return world.violations()

    assert "at 300 s: no action accounts for it" in run_simulated(play())[0]


def replace_cooldown(cooldown_s: float) -> Policy:
    return AUTO.model_copy(update={"cooldown_s": cooldown_s})


def test_it_uses_nothing_of_the_guard() -> None:
    tree = ast.parse(Path(module.__file__ or "").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any("guard" in (name or "") or "engine" in (name or "") for name in imported)
