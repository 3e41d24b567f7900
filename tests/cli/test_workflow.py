"""`gizzi workflow`: what people type, and what they are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gizzi.cli import run

PLUGIN = '''
from gizzi import GizziError, workflow

@workflow("greet", here=True)
async def greet(run, whom, how="hello", settings=None):
    """Greet somebody."""
    if whom == "nobody":
        raise GizziError("there is nobody to greet")
    if whom == "boom":
        1 / 0
    await run.say(f"{how}, {await run.step('name', str.upper, whom)}")
    return "done with it"
'''


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def with_plugin(folder: Path) -> None:
    (folder / "plugins").mkdir()
    (folder / "plugins" / "greet.py").write_text(PLUGIN)
    (folder / "gizzi.toml").write_text("[[validators]]\nnumber = 6\nhost = 'v6.example'\n")


def test_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_plugin(tmp_path)
    assert run(["workflow", "list", "--json"]) == 0
    found = {item["name"]: item for item in json.loads(capsys.readouterr().out)}
    assert {"greet", "incident_response", "network-table", "rolling-upgrade"} <= found.keys()
    assert found["greet"]["options"] == {"whom": True, "how": False} and found["greet"]["summary"] == "Greet somebody."
    assert found["rolling-upgrade"]["options"] == {"to": True, "validators": False}
    assert run(["workflow", "list"]) == 0
    assert "--whom … [--how …]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--whom", "ada"], 0, "hello, ADA\ndone with it\n"),
        (["--whom=ada", "--how", "good morning"], 0, "good morning, ADA\ndone with it\n"),
        (["--whom", "nobody"], 1, "there is nobody to greet\n"),
        (["--whom", "boom"], 1, "failed: ZeroDivisionError: division by zero"),
        ([], 2, "the workflow greet needs --whom"),
        (["--whom"], 2, "--whom needs a value"),
        (["--whom", "a", "--whom", "b"], 2, "--whom is given twice"),
        (["ada"], 2, "'ada' is not an option"),
        (["--hwo", "x", "--whom", "a"], 2, "has no option --hwo; did you mean '--how'?"),
    ],
)
def test_run_at_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str) -> None:
    with_plugin(tmp_path)
    assert run(["workflow", "run", "greet", *words]) == code
    out, err = capsys.readouterr()
    assert said in out + err


def test_what_cannot_be_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["workflow", "run", "rolling-upgrade", "--to", "1.21.0"]) == 2
    assert "there is no gizzi.toml here" in capsys.readouterr().err
    assert run(["workflow", "run", "incident_response"]) == 2
    assert "starts by itself" in capsys.readouterr().err
    assert run(["workflow", "run", "roling-upgrade"]) == 1
    assert "did you mean 'rolling-upgrade'?" in capsys.readouterr().err
    assert run(["workflow", "show", "nothing"]) == 1
    assert "there is no run nothing" in capsys.readouterr().err
    assert run(["workflow", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run(["workflow", "run", "network-table", "--url", "http://127.0.0.1:9"]) == 1
    assert "no Gizzi answers at http://127.0.0.1:9/api/network/status" in capsys.readouterr().out


def test_files_without_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["workflow", "diagnostic", "6", "--issue", "low peers"]) == 0
    assert capsys.readouterr().out == (
        "wrote workflows/diagnostic_validator_6.md\nrun it with:\n  claude 'Follow the workflow in workflows/diagnostic_validator_6.md'\n"
    )
    assert (tmp_path / "workflows" / "diagnostic_validator_6.md").is_file()
    assert run(["workflow", "code-review", "42"]) == 0
    assert (tmp_path / "workflows" / "code_review_pr_42.md").is_file()
    assert run(["workflow", "upgrade", "1.21.0"]) == 0
    assert (tmp_path / "workflows" / "upgrade_1.21.0.md").is_file()
    assert run(["workflow", "install", "--claude"]) == 0
    assert json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]["gizzi"]["command"] == "gizzi"


@pytest.mark.parametrize("number", ["0", "six", "6.0", "6;ls", "٦", "1e3", "", "../6"])
def test_a_number_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], number: str) -> None:
    assert run(["workflow", "diagnostic", number, "--issue", "x"]) == 2
    assert run(["workflow", "code-review", number]) == 2
    assert "write a whole number" in capsys.readouterr().err and not (tmp_path / "workflows").exists()


def test_a_number_missing_from_the_configuration_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_plugin(tmp_path)
    assert run(["workflow", "diagnostic", "7", "--issue", "x"]) == 1
    assert "there is no validator 7 in" in capsys.readouterr().err
    assert run(["workflow", "diagnostic", "--issue", "x"]) == 2
    assert run(["workflow", "diagnostic", "6", "--chain", "main", "--issue", "x"]) == 2
    assert run(["workflow", "diagnostic", "--chain", "main", "--issue", "x"]) == 0
    assert run(["workflow", "install"]) == 2 and run(["workflow", "postmortem", "inc-3"]) == 1
