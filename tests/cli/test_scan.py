from __future__ import annotations

import gzip
import io
import json
import os
import sys
from pathlib import Path

import pytest

from gizzi import cli

LINES = "".join(f"Dec 10 06:55:{s:02d} h sshd[{s}]: Failed password for root from 192.0.2.7 port 9 ssh2\n" for s in range(8))
RULES = (
    "Status: active\nDefault: deny (incoming), allow (outgoing)\n\n9944/tcp  ALLOW IN  Anywhere\n9944/tcp (v6)  ALLOW IN  Anywhere (v6)\n"
)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.run(["scan", *words]) == 0
    return capsys.readouterr().out


def test_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "auth.log"
    log.write_text(LINES)
    page = printed(capsys, "logs", str(log))
    assert "brute_force" in page
    assert "192.0.2.7" in page
    assert "8 failed logins" in page
    found = json.loads(printed(capsys, "logs", str(log), "--json"))
    assert [(f["kind"], f["source"], f["count"]) for f in found["findings"]] == [("brute_force", "192.0.2.7", 8)]
    assert found["lines"] == 8


def test_a_rotation_is_read_in_its_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = LINES.splitlines(keepends=True)
    old, new = tmp_path / "auth.log.1.gz", tmp_path / "auth.log"
    old.write_bytes(gzip.compress("".join(lines[:4]).encode()))
    new.write_text("".join(lines[4:]))
    os.utime(old, (1_000_000_000, 1_000_000_000))
    os.utime(new, (1_000_000_100, 1_000_000_100))
    found = json.loads(printed(capsys, "logs", str(new), str(old), "--json"))
    assert [f["count"] for f in found["findings"]] == [8]
    assert found["findings"][0]["evidence"][0]["where"] == f"{old}:1"
    assert found["first_at"].startswith("2000-12-10T06:55:00")


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
    assert "brute_force" in printed(capsys, "logs", "-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(RULES.encode())))
    assert "rpc_exposed" in printed(capsys, "firewall", "-")


def test_firewall(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules"
    file.write_text(RULES)
    page = printed(capsys, "firewall", str(file))
    assert "ufw prepend deny 9944/tcp" in page
    assert "ufw prepend allow 30333/tcp" in page
    found = json.loads(printed(capsys, "firewall", str(file), "--json"))
    assert {f["kind"] for f in found["findings"]} == {"rpc_exposed", "p2p_closed"}


def test_what_is_hostile_is_shown_harmless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "auth.log"
    log.write_bytes(LINES.replace("for root", "for \x1b[2J[bold]\x07").encode() + b"\xff\xfe\x00\n")
    page = printed(capsys, "logs", str(log))
    assert "[bold]" in page
    assert not any(c in page for c in "\x1b\x07\x00")


@pytest.mark.parametrize("name", ["missing", ".", "broken.gz", "text"])
def test_what_cannot_be_read_is_said_in_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.gz").write_bytes(gzip.compress(LINES.encode())[:40])
    (tmp_path / "text").write_text("hello")
    which = "firewall" if name == "text" else "logs"
    assert cli.run(["scan", which, str(tmp_path / name)]) == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert "Traceback" not in said


def test_a_file_that_is_no_log_is_called_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "poem").write_text("roses are red\n")
    assert "are these the logs of sshd" in printed(capsys, "logs", str(tmp_path / "poem"))
