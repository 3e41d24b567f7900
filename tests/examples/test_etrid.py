"""examples/etrid: the configuration and its twelve roles say what the network's team agreed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gizzi import cli, registry
from gizzi.config import load
from gizzi.roles.load import load_roles

FILE = Path(__file__).parents[2] / "examples" / "etrid" / "gizzi.toml"
TEAM = {
    "governance-dev01": (1,),
    "security-dev01": (2,),
    "audit-dev01": (3,),
    "consensus-dev01": (4, 5),
    "runtime-dev01": (6, 7),
    "compiler-dev01": (8, 9),
    "multichain-dev01": (10, 11),
    "oracle-dev01": (12,),
    "edsc-dev01": (13, 14),
    "economics-dev01": (15, 16),
    "ethics-dev01": (17, 18),
    "docs-dev01": (19, 20, 21),
}


def test_the_twelve_share_the_twenty_one() -> None:
    settings = load(FILE)
    roles = load_roles(settings)
    assert {name: roles[name].validators for name in roles if name.endswith("-dev01")} == TEAM
    assert {v.number: v.role for v in settings.validators} == {n: name for name, numbers in TEAM.items() for n in numbers}
    assert len(settings.validators) == 21
    assert {chain.id: chain.parent for chain in settings.chains} == {"flare": None, "btc-pbc": "flare", "edsc-pbc": "flare"}


def test_its_hosts_are_examples() -> None:
    for v in load(FILE).validators:
        assert v.host == f"validator-{v.number}.example"
        assert str(v.rpc_url).rstrip("/") == f"http://{v.host}:9944"


def test_every_task_is_one_that_exists() -> None:
    settings = load(FILE)
    roles = load_roles(settings)
    shipped = {task for name, role in roles.items() if name not in TEAM for task in role.tasks}
    known = {task.name for task in registry.load(settings).tasks} | shipped | {"overview"}
    for name in TEAM:
        assert roles[name].tasks and set(roles[name].tasks) <= known, name


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["role", "list", "--json", "--config", str(FILE)]) == 0
    listed = {role["name"]: role["validators"] for role in json.loads(capsys.readouterr().out)}
    assert {name: tuple(listed[name]) for name in TEAM} == TEAM
    assert cli.run(["role", "list", "--config", str(FILE)]) == 0
    assert "docs-dev01  local tier · validators 19, 20, 21 · every 24h" in capsys.readouterr().out
