from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import need
from gizzi import cli
from gizzi.cli import service
from gizzi.config import Settings, parse

DEPLOY = Path(__file__).parents[2] / "deploy" / "gizzi.service"


def unit(program: Path, settings: Settings) -> str:
    return service.unit_text(program, service.CONFIG, "gizzi", service.store_folder(settings), service.credentials_of(settings))


def test_the_unit_in_deploy_is_what_the_command_writes() -> None:
    assert DEPLOY.read_text() == unit(Path("/opt/gizzi/bin/gizzi"), parse({}, "test"))


def test_print_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(service, "UNIT", tmp_path / "gizzi.service")
    file = tmp_path / "gizzi.toml"
    file.write_text('[providers.acme]\napi = "openai"\nurl = "https://acme.example/v1"\nkey_env = "ACME_KEY"\n')
    assert cli.run(["service", "install", "--print", "--user", "watch-1", "--config", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"ExecStart={Path(sys.executable).parent}/gizzi watch --config {file}" in lines
    assert {"User=watch-1", "LoadCredential=ACME_KEY", "LoadCredential=GIZZI_API_TOKEN", f"ReadWritePaths={tmp_path}"} <= set(lines)
    assert not service.UNIT.exists()


def test_it_is_watched_by_systemd() -> None:
    lines = unit(Path("/opt/gizzi/bin/gizzi"), parse({}, "test")).splitlines()
    assert {"Type=notify", "WatchdogSec=60", "Restart=on-failure"} <= set(lines)


def test_a_store_in_its_own_folder_or_on_a_server_needs_no_other_path() -> None:
    for url in ("sqlite:////var/lib/gizzi/gizzi.db", "postgresql://gizzi@db.example/gizzi"):
        assert "ReadWritePaths" not in unit(Path("/opt/gizzi/bin/gizzi"), parse({"store": {"url": url}}, "test"))


def prepared(folder: Path, monkeypatch: pytest.MonkeyPatch, euid: int) -> Path:
    """A configuration of one's own, and a unit file that is not the machine's."""
    monkeypatch.setattr(service, "UNIT", folder / "gizzi.service")
    monkeypatch.setattr(service, "_HIDDEN", ("/nowhere",))
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    file = folder / "gizzi.toml"
    file.write_text('[store]\nurl = "sqlite:////var/lib/gizzi/gizzi.db"\n')
    return file


def test_it_is_written_once_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["service", "install", "--user", "nobody", "--config", str(prepared(tmp_path, monkeypatch, 0))]
    assert cli.run(words) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["  systemctl daemon-reload", "  systemctl enable --now gizzi"]
    assert service.UNIT.stat().st_mode & 0o777 == 0o644
    assert cli.run(words) == 0, "the same once more"
    service.UNIT.write_text("[Service]\n")
    assert cli.run(words) == 2
    assert "exists and says something else" in capsys.readouterr().err
    assert service.UNIT.read_text() == "[Service]\n"


def test_an_account_that_is_missing_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["service", "install", "--user", "nobody-here", "--config", str(prepared(tmp_path, monkeypatch, 0))]) == 0
    assert "First: there is no account nobody-here yet: useradd --system" in capsys.readouterr().out


def test_without_root_one_plain_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = prepared(tmp_path, monkeypatch, 1000)
    assert cli.run(["service", "install", "--config", str(file)]) == 2
    assert re.fullmatch(r"gizzi: .*gizzi\.service can be written by root alone; use sudo, or --print\n", capsys.readouterr().err)
    assert not service.UNIT.exists()


@pytest.mark.parametrize("user", ["root", "a b", "x\nExecStart=/bin/sh", "-x", ""])
def test_an_account_that_cannot_be(user: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["service", "install", "--print", "--user", user]) == 2
    assert "--user" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/opt/my gizzi/gizzi", "/opt/%h/gizzi", "opt/gizzi", "/opt/a\nUser=root"])
def test_a_path_that_would_say_something_else(path: str) -> None:
    with pytest.raises(service.UsageError, match="cannot stand in a unit"):
        service.unit_text(Path(path), service.CONFIG, "gizzi", None, ())


def test_what_the_unit_cannot_see_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = prepared(tmp_path, monkeypatch, 0)
    monkeypatch.setattr(service, "_HIDDEN", (str(tmp_path),))
    assert cli.run(["service", "install", "--config", str(file)]) == 2
    assert f"{file} lies where the unit cannot see it" in capsys.readouterr().err


@pytest.mark.real
def test_systemd_takes_it(tmp_path: Path) -> None:
    (analyze,) = need("systemd-analyze")
    file = tmp_path / "gizzi.service"
    file.write_text(unit(Path(sys.executable), parse({}, "test")))  # verify wants the program to be there
    said = subprocess.run([analyze, "verify", "--man=no", str(file)], capture_output=True, text=True, timeout=60)
    assert (said.returncode, [line for line in said.stderr.splitlines() if "gizzi" in line]) == (0, [])
    judged = [analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", str(file)]
    said = subprocess.run(judged, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stdout[-300:]
    file.write_text(file.read_text().replace("ProtectSystem=strict", "ProtectSystem=tightly"))
    said = subprocess.run([analyze, "verify", "--man=no", str(file)], capture_output=True, text=True, timeout=60)
    assert "tightly" in said.stderr, "a fault would have been told"
