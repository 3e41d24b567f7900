"""`gizzi plugin new` writes one of each kind that works as it stands, and `gizzi plugin list` tells what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from gizzi import Message, Opinion, Validator, cli, registry
from gizzi.app import open_app
from gizzi.cli.plugins import KINDS
from gizzi.config import load
from gizzi.kinds import Extension
from gizzi.models.task import Task
from tools.hosts import TableSsh

NAMES = {kind: f"my{kind}" for kind in KINDS}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a folder in which one of each was made."""
    file = tmp_path_factory.mktemp("kit") / "gizzi.toml"
    file.write_text('[[validators]]\nnumber = 6\n[[validators]]\nnumber = 7\n[store]\nurl = "sqlite://"\n')
    for kind, name in NAMES.items():
        assert cli.run(["plugin", "new", kind, name, "--config", str(file)]) == 0
    return file


@pytest.fixture(autouse=True)
def _modules() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("gizzi_plugin_"):
            del sys.modules[name]


def loaded(file: Path) -> registry.Registry:
    found = registry.load(load(file))
    assert found.failures == []
    return found


def test_the_tests_beside_them_pass(file: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(file.parent), str(file.parent / "plugins")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=file.parent)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "17 passed" in done.stdout


def test_they_are_listed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["plugin", "list", "--json", "--config", str(file)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {item["kind"]: item["name"] for item in said["plugins"]} == NAMES
    assert all(item["summary"] and item["where"].startswith(str(file.parent)) for item in said["plugins"])
    assert said["failures"] == []
    assert cli.run(["plugin", "list", "--config", str(file)]) == 0
    page = capsys.readouterr().out
    assert all(name in page for name in NAMES.values())


async def test_source_and_action_are_carried_out(file: Path) -> None:
    found = loaded(file)
    source, validator = found.sources["mysource"], load(file).validators[0]
    assert not source.applies(validator, load(file)) and source.applies(Validator(number=1, rpc_url="http://v1.example:9944"), load(file))
    said = await found.actions["myaction"].carry_out({"validator": validator, "ssh": TableSsh(("", "2026-11-20 06:00:00"))})
    assert said == "up since 2026-11-20 06:00:00"


def test_the_rule_has_a_threshold_and_the_strategy_an_opinion(file: Path) -> None:
    found = loaded(file)
    assert found.rules["myrule"].limits == {"above": 20}
    small = SimpleNamespace(id="ollama/small", tier="local")
    opinion, fault = found.strategies["mystrategy"].ask(Task("How many peers?"), [small], None)
    assert (isinstance(opinion, Opinion) and opinion.models, fault) == ((small,), None)


async def test_the_notifier_tells(file: Path, tmp_path: Path) -> None:
    message = Message("t", "b", "low", None, "test", False, "2026-11-20T06:00:00Z")
    given = {"url": f"mynotifier://{tmp_path}/told", "message": message}
    assert await loaded(file).notifiers["mynotifier"].tell(given, None) is None
    assert json.loads((tmp_path / "told").read_text())["change"] == "test"


async def test_the_panel_is_shown_and_the_workflow_and_the_wire_are_ready(file: Path) -> None:
    async with open_app(load(file)) as app:
        shown = {panel["name"]: panel for panel in await app.panels.shown()}
        report = await app.roles.run("devops", "check_disk_space")
    assert shown["mypanel"]["value"] == {"columns": ["version", "validators"], "rows": [["unknown", 2]]}
    assert report.role == "devops", "the built-in tasks are still there"
    found = loaded(file)
    assert found.workflows["myworkflow"].options() == {"validator": True, "minutes": False}
    provider, model = SimpleNamespace(name="mywire", url="http://127.0.0.1:9"), SimpleNamespace(id="mywire/small", name="small")
    assert found.wires["mywire"].made(provider, model, "", None, None).model_name


async def test_the_task_runs_in_a_role(file: Path, tmp_path: Path) -> None:
    roles = file.parent / "plugins" / "roles"
    roles.mkdir(exist_ok=True)
    (roles / "mine.md").write_text("---\nname: mine\ndescription: Looks.\ntasks:\n  mytask: Say who has few peers.\n---\nYou look.\n")
    async with open_app(load(file)) as app:
        report = await app.roles.run("mine", "mytask", options={"below": "3"})
    assert [(item.about, item.text) for item in report.items] == [
        ("validator 6", "how many peers it has is unknown"),
        ("validator 7", "how many peers it has is unknown"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sauce", "pool"], "did you mean 'source'"),
        (["source", "Pool"], "small letters"),
        (["source", "../pool"], "small letters"),
        (["source", "class"], "small letters"),
        (["source", "json"], "a Python module"),
        (["source", "gizzi"], "a Python module"),
        (["source", "rpc"], "already defined in"),
        (["action", "rotate_keys"], "must never do"),
        (["notifier", "my_pager"], "no underscore"),
    ],
)
def test_what_cannot_be_made(words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gizzi.toml"
    file.write_text("")
    assert cli.run(["plugin", "new", *words, "--config", str(file)]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]


def test_nothing_is_overwritten_and_what_failed_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gizzi.toml"
    file.write_text("")
    (tmp_path / "plugins").mkdir()
    broken = tmp_path / "plugins" / "pool.py"
    broken.write_text("1 / 0\n")
    assert cli.run(["plugin", "new", "source", "pool", "--config", str(file)]) == 2
    assert "pool.py exists already" in capsys.readouterr().err
    assert broken.read_text() == "1 / 0\n"
    assert cli.run(["plugin", "list", "--json", "--config", str(file)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["failures"] == [{"where": str(broken), "error": "ZeroDivisionError: division by zero"}]


def test_every_kind_that_can_be_marked_can_be_made() -> None:
    assert len(KINDS) == len(Extension.__args__) == len({*KINDS})
