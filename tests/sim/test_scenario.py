from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gizzi.errors import ConfigError
from gizzi.sim.scenario import load_scenario, read_scenario
from tools.simulated import HandClock

CONTRACT = """
title = "One validator loses its peers"
seed = 1
validators = 21
authorities = 21
block_time_s = 6
duration_s = 900
[policy]
mode = "auto"
reserve = 1
cooldown = "2h"
[[faults]]
at_s = 60
validators = [6]
kind = "peers_drop"
peers = 1
clears_on = "restart"
[[replies]]
tier = "frontier"
text = '{"action": "restart"}'
[expect]
incidents = [{ rule = "peers_low", validators = [6], opened_within_s = 30, resolved = true }]
max_incidents = 1
actions = [{ action = "restart", validator = 6, verdict = "resolved" }]
never = [{ action = "restart", validator = 7 }]
decision = "restart"
max_notifications = 3
"""


def read(text: str, name: str = "lonely") -> Any:
    return read_scenario(tomllib.loads(text), Path(f"/scenarios/{name}/scenario.toml"))


def told(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        read(text)
    assert error.value.exit_code == 2
    line = str(error.value)
    assert "\n" not in line and line.startswith("/scenarios/lonely/scenario.toml: ")
    return line


def test_every_key_of_the_contract_is_read() -> None:
    scenario = read(CONTRACT)
    assert (scenario.name, scenario.title, scenario.seed, scenario.duration_s) == ("lonely", "One validator loses its peers", 1, 900)
    assert scenario.policy.mode == "auto" and scenario.policy.reserve == 1 and scenario.policy.cooldown_s == 7200
    assert scenario.faults[0].kind == "peers_drop" and scenario.faults[0]["peers"] == 1 and scenario.faults[0].clears_on == "restart"
    assert scenario.replies[0].tier == "frontier" and scenario.replies[0].text == '{"action": "restart"}'
    expect = scenario.expect
    assert expect.incidents[0].opened_within_s == 30 and expect.incidents[0].resolved is True and expect.max_incidents == 1
    assert expect.actions[0].verdict == "resolved" and expect.never[0].validator == 7
    assert expect.decision == "restart" and expect.max_notifications == 3
    fleet = scenario.fleet(HandClock())
    assert len(fleet.nodes) == 21 and len(fleet.chains["sim"].voters) == 21 and len(fleet.faults) == 1


def test_an_empty_scenario_has_defaults() -> None:
    scenario = read("")
    assert (scenario.title, scenario.validators, scenario.seed, scenario.duration_s) == ("lonely", 21, 1, 900)
    assert scenario.policy.mode == "suggest" and not scenario.faults and scenario.expect.max_incidents is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("titel = 'x'", "unknown key titel; did you mean 'title'"),
        ("[expcet]", "unknown key expcet; did you mean 'expect'"),
        ("[expect]\nmax_incident = 1", "did you mean 'max_incidents'"),
        ("[expect]\nincidents = [{ rul = 'x' }]", "did you mean 'rule'"),
        ("[expect]\nincidents = [{ validators = [1] }]", "rule is missing"),
        ("[expect]\nactions = [{ action = 'restart', verdict = 'good' }]", "verdict"),
        ("[expect]\ndecision = 'reboot'", "decision"),
        ("[expect]\nmax_incidents = -1", "max_incidents"),
        ("[expect]\nincidents = [{ rule = 'x', validators = [22] }]", "names validator 22; there are 1 to 21"),
        ("[expect]\nnever = [{ action = 'restart', validator = 0 }]", "names validator 0"),
        ("[policy]\nmod = 'auto'", "did you mean 'mode'"),
        ("[policy]\ncooldown = 'an hour'", "cooldown"),
        ("validators = 0", "validators"),
        ("validators = '21'", "validators"),
        ("validators = true", "validators"),
        ("duration_s = 0", "duration_s"),
        ("duration_s = nan", "duration_s"),
        ("block_time_s = -6", "block_time_s"),
        ("[[replies]]\ntier = 'huge'\ntext = ''", "tier"),
        ("[[faults]]\nkind = 'hangs'", "[[faults]] #1: there is no fault kind 'hangs'; did you mean 'hang'"),
        ("[[faults]]\nat_s = 1\nkind = 'hang'\nvalidators = [22]", "[[faults]] #1: there is no validator 22"),
        ("faults = [1]", "faults"),
        ("[[chains]]\nid = 'a'\n[[chains]]\nid = 'a'", "#1: the id 'a' is used twice"),
        ("[[chains]]\nid = 'a'\nparent = 'b'", "parent 'b'"),
        ("[[chains]]\nid = 'a'\nparent = 'b'\nvalidators = [1]\n[[chains]]\nid = 'b'\nparent = 'a'", "its own ancestor"),
        ("[[chains]]\nid = 'a'\n[[chains]]\nid = 'b'", "only one chain can take the rest"),
        ("[[chains]]\nid = 'a'\nvalidators = [1, 2]", "validator 3 is on no chain"),
        ("[[chains]]\nid = 'a'\nvalidators = [1, 99]", "no validator 99"),
        ("[[chains]]\nid = 'a'\n[[chains]]\nid = 'b'\nvalidators = [1, 1]", "validator 1 is on the chain 'b' already"),
        ("authorities = 21\n[[chains]]\nid = 'a'", "each chain has its own"),
        ("[[chains]]\nid = 'a'\nparnet = 'b'", "did you mean 'parent'"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(text: str, words: str) -> None:
    assert words in told(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_scenario(tmp_path)
    file = tmp_path / "scenario.toml"
    for content, words in (
        (b"x = [", "is not valid TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"title = 'a'\ntitle = 'b'", "is not valid TOML"),
    ):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match=words):
            load_scenario(tmp_path)
    file.write_text(CONTRACT)
    assert load_scenario(file).name == load_scenario(str(tmp_path)).name == tmp_path.name
    with pytest.raises(ConfigError, match=r"cannot be read|does not exist"):
        load_scenario(file / "deeper")


CHAINS = (
    '[[chains]]\nid = "flare"\n[[chains]]\nid = "btc-pbc"\nparent = "flare"\nvalidators = [20, 21]\nblock_time_s = 2\nauthorities = 5\n'
)


def test_chains() -> None:
    fleet = read(CHAINS).fleet(HandClock())
    assert {n: node.chain.id for n, node in fleet.nodes.items() if n > 18} == {19: "flare", 20: "btc-pbc", 21: "btc-pbc"}
    assert fleet.chains["btc-pbc"].block_time_s == 2 and fleet.chains["flare"].block_time_s == 6
    assert len(fleet.chains["btc-pbc"].voters) == 5 and len(fleet.chains["flare"].voters) == 19


def fault_text(kind: str, at_s: int, more: str = "validators = 'all'") -> str:
    return f"[[faults]]\nkind = '{kind}'\nat_s = {at_s}\n{more}\n"


def test_time_counts_from_the_first_fault_that_names_one_of_the_validators() -> None:
    scenario = read(
        fault_text("hang", 300, "validators = [6]")
        + fault_text("node_down", 100, "validators = [6, 7]")
        + fault_text("fork", 50, "validators = [1]")
    )
    assert scenario.first_fault_s([6]) == 100 and scenario.first_fault_s([1, 6]) == 50
    assert scenario.first_fault_s([9]) is None and scenario.first_fault_s([]) == 50


def test_a_fault_of_a_chain_counts_where_no_other_does() -> None:
    text = CHAINS + fault_text("session_change", 55, "chain = 'flare'") + fault_text("node_down", 60, "validators = [6]")
    scenario = read(text)
    assert scenario.first_fault_s([6]) == 60 and scenario.first_fault_s([7]) == 55 and scenario.first_fault_s([21]) is None
    assert scenario.first_fault_s([], "flare") == 60 and scenario.first_fault_s([], "btc-pbc") is None
    assert read(fault_text("session_change", 55) + fault_text("node_down", 60, "validators = [6]")).first_fault_s([6]) == 55
