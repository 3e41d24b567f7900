"""Whatever goes wrong is one plain line on stderr, and the exit code of the contract."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from gizzi import cli
from gizzi.errors import StoreError
from tools.fleet import gizzi


def write(folder: Path, text: str, name: str = "gizzi.toml") -> Path:
    file = folder / name
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


TWO = "[[validators]]\nnumber = 1\n"


@pytest.mark.parametrize(
    ("toml", "words", "says"),
    [
        (None, ["status"], "gizzi init"),
        (None, ["--config", "nope.toml", "status"], "nope.toml does not exist"),
        (None, ["status", "--config", "nope.toml"], "nope.toml does not exist"),
        (None, ["silence", "peers_low", "--for", "2h", "--why", "x"], "no gizzi.toml here"),
        ("[network\n", ["status"], "not valid TOML"),
        ("[colect]\nevery = '5s'\n", ["status"], "did you mean 'collect'?"),
        ("[collect]\nevry = '5s'\n", ["doctor"], "[collect] evry; did you mean 'every'?"),
        (TWO + TWO, ["watch"], "the number 1 is used twice"),
        (TWO + "[rules.peers_lo]\nbelow = 5\n", ["status"], "did you mean 'peers_low'?"),
        (TWO, ["watch", "--listen", "nonsense"], "[api] listen"),
        (TWO, ["silence", "peers_low", "--for", "2x", "--why", "x"], "--for"),
        (TWO, ["silence", "peers_low", "--for", "2h", "--why", " "], "--why"),
        (TWO, ["ack", "abc"], "not an incident"),
        (None, ["stauts"], "'status'"),
        (None, ["status", "--jsn"], "--json"),
        (None, ["incident"], "missing argument 'ID'"),
        (None, ["silence", "peers_low"], "`gizzi silence --help` says how"),
        (None, ["scenario", "run", "nowhere"], "nowhere is not a scenario"),
    ],
)
async def test_usage_and_configuration(tmp_path: Path, toml: str | None, words: list[str], says: str) -> None:
    if toml is not None:
        write(tmp_path, toml)
    ended = await gizzi(*words, cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert one_line(ended) and says in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ack", "inc-9"], "there is no incident inc-9"),
        (["incident", "9"], "there is no incident 9"),
        (["silence", "peers_lo", "--for", "2h", "--why", "x"], "did you mean 'peers_low'?"),
        (["silence", "peers_low", "--validator", "7", "--for", "2h", "--why", "x"], "there is no validator 7"),
        (["maintenance", "nowhere", "--for", "2h", "--why", "x"], "no validator and no chain 'nowhere'"),
    ],
)
async def test_what_is_not_there(tmp_path: Path, words: list[str], says: str) -> None:
    write(tmp_path, TWO)
    ended = await gizzi(*words, cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert one_line(ended) and says in ended.stderr


async def test_an_unreachable_prometheus(tmp_path: Path) -> None:
    write(tmp_path, '[prometheus]\nurl = "http://127.0.0.1:1"\n')
    ended = await gizzi("status", cwd=tmp_path)
    assert ended.returncode == 1
    assert one_line(ended) and "127.0.0.1:1" in ended.stderr


async def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "gizzi.db").write_text("this is no database, whatever its name says" * 50)
    write(tmp_path, TWO)
    ended = await gizzi("incidents", cwd=tmp_path)
    assert ended.returncode == 1
    assert one_line(ended) and "gizzi.db" in ended.stderr


def one_line(ended: subprocess.CompletedProcess[str]) -> bool:
    return ended.stderr.startswith("gizzi: ") and ended.stderr.count("\n") == 1 and ended.stderr.endswith("\n")


def fail(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (StoreError("the store\n\x1b[31mis locked"), 1, "gizzi: the store [31mis locked\n"),
        (ExceptionGroup("some", [ExceptionGroup("more", [ValueError("x"), StoreError("locked")])]), 1, "gizzi: locked\n"),
        (RuntimeError("oh"), 1, "gizzi: this is a fault in Gizzi: RuntimeError: oh; `gizzi --debug …` shows where it happened\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_the_last_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, says: str
) -> None:
    monkeypatch.setattr("gizzi.cli.incidents.list_incidents", lambda *_, **__: fail(error))
    assert cli.run(["incidents"]) == code
    assert capsys.readouterr().err == says


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("gizzi.cli.incidents.list_incidents", lambda *_, **__: fail(RuntimeError("oh")))
    assert cli.run(["incidents", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_broken_pipe_is_quiet(tmp_path: Path) -> None:
    read, write_end = os.pipe()
    os.close(read)
    ended = subprocess.run([sys.executable, "-m", "gizzi", "--help"], stdout=write_end, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    os.close(write_end)
    assert ended.stderr == b""
    assert ended.returncode != 0
