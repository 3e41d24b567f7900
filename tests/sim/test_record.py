"""Minutes of a live fleet become a scenario that plays."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from gizzi.clock import LiveClock
from gizzi.config import Settings, parse
from gizzi.errors import ConfigError
from gizzi.sim.faults import Fault
from gizzi.sim.fleet import SimFleet
from gizzi.sim.record import record
from gizzi.sim.runner import run_scenario
from gizzi.sim.scenario import load_scenario
from gizzi.sim.server import SimServer

QUICK = {"peers_low": {"hold": "1s"}, "node_down": {"hold": "1s"}}


def settings_of(server: SimServer, folder: Path) -> Settings:
    raw = {"network": {"name": 'Li\nve "net"'}, "collect": {"every": "500ms"}, "rules": QUICK, "plugins": {"folder": str(folder / "none")}}
    more = {"validators": tuple(server.validators()), "chains": tuple(server.fleet.settings_chains())}
    return parse(raw, "test").model_copy(update=more)


async def test_what_was_wrong_is_played_back(tmp_path: Path) -> None:
    fleet = SimFleet(LiveClock(), validators=4)
    fleet.inject(Fault("peers_drop", 1.0, (3,), "never", parameters={"peers": 1.0}))
    async with SimServer(fleet) as server:
        settings = settings_of(server, tmp_path)
        file = await record(settings, tmp_path / "tape", 14.0)
        with pytest.raises(ConfigError, match="exists already"):
            await record(settings, tmp_path / "tape", 1.0)
    scenario = load_scenario(file)
    assert [(fault.kind, fault.validators, fault.parameters["peers"]) for fault in scenario.faults] == [("peers_drop", (3,), 1)]
    assert [(i.rule, i.validators) for i in scenario.expect.incidents] == [("peers_low", [3])]
    with gzip.open(tmp_path / "tape" / "observations.jsonl.gz", "rt") as lines:
        seen = [json.loads(line) for line in lines]
    assert {line["validator"] for line in seen} == {1, 2, 3, 4}
    assert (await asyncio.to_thread(run_scenario, tmp_path / "tape"))["failures"] == []
