from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import gizzi
from gizzi import cli
from gizzi.cli.commands import program


def help_of(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.run([*words, "--help"]) == 0
    return capsys.readouterr().out


def test_help_groups_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    page = help_of(capsys=capsys)
    places = [page.index(words) for words in ("Start:", "demo", "init", "doctor", "watch ", "Look:", "Answer:", "Practise:")]
    assert places == sorted(places)
    assert cli.run([]) == 0
    assert capsys.readouterr().out == page


def test_every_command_and_option_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    found = program()
    groups = [name for name, command in found.commands.items() if hasattr(command, "commands")]
    inside = {f"{group} {name}": command for group in groups for name, command in found.commands[group].commands.items()}
    commands = {**found.commands, **inside}
    assert set(commands) >= {"demo", "init", "doctor", "watch", "status", "incidents", "incident", "ack", "silence", "maintenance"}
    for name, command in commands.items():
        page = help_of(*name.split(), capsys=capsys)
        assert (command.help or "").strip().endswith("."), name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"
        assert name in groups or name in ("eval routing", "guard check", "scan logs", "scan firewall") or "--config FILE" in page


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from gizzi import cli; cli.run(['--help']); print([m for m in sys.modules if m in "
    heavy = "('rich', 'aiohttp', 'sqlalchemy', 'fastapi', 'uvicorn', 'structlog', 'prometheus_client', 'pydantic', 'gizzi.app')])"
    out = subprocess.run([sys.executable, "-c", code + heavy], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_every_public_name_is_there() -> None:
    assert all(getattr(gizzi, name) is not None for name in gizzi.__all__)
    assert sorted(name for names in gizzi._HOMES.values() for name in names) == sorted(gizzi.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = gizzi.nonsense


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"gizzi {version('gizzi')}\n"
