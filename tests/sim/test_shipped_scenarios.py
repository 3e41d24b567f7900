"""The scenarios that come with Gizzi: each is right, and together they show every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from gizzi import registry
from gizzi.config import Settings
from gizzi.sim.faults import KINDS
from gizzi.sim.runner import run_scenario
from gizzi.sim.scenario import load_scenario

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[2] / "scenarios").glob("*/scenario.toml"))


def test_every_fault_kind_has_a_scenario() -> None:
    shown = {fault.kind for folder in FOLDERS for fault in load_scenario(folder).faults}
    assert shown == set(KINDS)


def test_waiting_is_right_in_a_quarter_of_them() -> None:
    """Where there is something to wait for, or nothing to be called for at all. The rest hold every other decision."""
    expected = [load_scenario(folder).expect for folder in FOLDERS]
    waits = sum(expect.decision == "wait" or expect.max_incidents == 0 for expect in expected)
    assert len(FOLDERS) >= 130 and waits >= len(FOLDERS) / 4
    assert {expect.decision for expect in expected} >= {"restart", "wait", "investigate", "escalate"}
    assert sum(load_scenario(folder).policy.mode == "auto" for folder in FOLDERS) >= len(FOLDERS) - 8


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_scenario_expects_something_of_rules_that_there_are(folder: Path) -> None:
    scenario = load_scenario(folder)
    rules = {rule.name for rule in registry.load(Settings()).rules}
    assert scenario.expect.max_incidents is not None
    assert {incident.rule for incident in scenario.expect.incidents} <= rules
    assert all(fault.at_s < scenario.duration_s for fault in scenario.faults)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_scenario_passes(folder: Path) -> None:
    assert run_scenario(folder)["failures"] == []
