from __future__ import annotations

from typing import Any

import pytest

from gizzi.errors import ConfigError
from gizzi.sim.faults import KINDS, read_fault

GIVEN = {
    "slow": {"delay_s": 5},
    "lost_scrapes": {"rate": 0.01},
    "peers_drop": {"peers": 1},
    "peers_fall": {"per_min": 2},
    "lag": {"blocks": 50},
    "tx_queue": {"size": 20000},
    "disk_fill": {"bytes_per_s": 1e6},
    "slot_gap": {"for_s": 60},
}


def read(**raw: Any) -> Any:
    return read_fault(raw, "s/scenario.toml: [[faults]] #3", range(1, 22), ["sim"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_with_what_it_needs(kind: str) -> None:
    fault = read(kind=kind, at_s=60, validators=[6, 2, 6], clears_on=30, **GIVEN.get(kind, {}))
    assert fault.kind == kind and fault.validators == (2, 6) and fault.ends_after_s == 30.0
    for name, value in GIVEN.get(kind, {}).items():
        assert fault[name] == value


def test_rolling_restart_has_defaults_and_needs_no_clears_on() -> None:
    fault = read(kind="rolling_restart", at_s=0, validators="all")
    assert fault["away_s"] == 8 and fault.validators is None and fault.clears_on == "never"


def test_a_fault_of_a_chain_may_leave_validators_out() -> None:
    assert read(kind="session_change", at_s=1).names_nobody
    assert not read(kind="session_change", at_s=1, validators="all").names_nobody


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"kind": "peer_drop", "at_s": 1, "validators": [1]}, "no fault kind 'peer_drop'; did you mean 'peers_drop'"),
        ({"at_s": 1, "validators": [1]}, "kind is missing"),
        ({"kind": 7, "at_s": 1, "validators": [1]}, "no fault kind 7"),
        ({"kind": "peers_drop", "at_s": 1, "validators": [1]}, "peers_drop needs peers"),
        ({"kind": "peers_drop", "at_s": 1, "validators": [1], "peers": 1.5}, "whole number"),
        ({"kind": "peers_drop", "at_s": 1, "validators": [1], "peers": -1}, "peers is -1"),
        ({"kind": "peers_drop", "at_s": 1, "validators": [1], "peers": True}, "peers is True"),
        ({"kind": "peers_drop", "at_s": 1, "validators": [1], "pers": 1}, "no key 'pers'; did you mean 'peers'"),
        ({"kind": "node_down", "at_s": 1, "validators": [1], "peers": 1}, "node_down has no key 'peers'"),
        ({"kind": "lost_scrapes", "at_s": 1, "validators": [1], "rate": 2}, "0 to 1"),
        ({"kind": "node_down", "validators": [1]}, "at_s is missing"),
        ({"kind": "node_down", "at_s": "60", "validators": [1]}, "at_s is '60'"),
        ({"kind": "node_down", "at_s": float("nan"), "validators": [1]}, "at_s is nan"),
        ({"kind": "node_down", "at_s": -1, "validators": [1]}, "at_s is -1"),
        ({"kind": "node_down", "at_s": 1}, "validators is missing"),
        ({"kind": "node_down", "at_s": 1, "validators": []}, "validators is []"),
        ({"kind": "node_down", "at_s": 1, "validators": 6}, "validators is 6"),
        ({"kind": "node_down", "at_s": 1, "validators": "some"}, "validators is 'some'"),
        ({"kind": "node_down", "at_s": 1, "validators": [22]}, "no validator 22; there are 1 to 21"),
        ({"kind": "node_down", "at_s": 1, "validators": [1], "clears_on": "reboot"}, "clears_on is 'reboot'"),
        ({"kind": "node_down", "at_s": 1, "validators": [1], "clears_on": 0}, "clears_on is 0"),
        ({"kind": "slot_gap", "at_s": 1, "for_s": 60, "chain": "sin"}, "no chain 'sin'"),
        ({"kind": "slot_gap", "at_s": 1, "for_s": 60, "chain": ["sim"]}, "no chain ['sim']"),
    ],
)
def test_a_wrong_fault_is_told_with_file_number_and_key(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(**raw)
    assert str(error.value).startswith("s/scenario.toml: [[faults]] #3") and told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_fault_that_is_no_table() -> None:
    with pytest.raises(ConfigError, match="is not a table"):
        read_fault([1], "x", range(1, 3), [])
