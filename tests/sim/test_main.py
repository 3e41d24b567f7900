"""`python -m gizzi.sim` as a person starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from gizzi import config
from gizzi.sim.__main__ import main

SCENARIO = 'validators = 3\n[[chains]]\nid = "flare"\n[[chains]]\nid = "btc-pbc"\nparent = "flare"\nvalidators = [3]\n'


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-m", "gizzi.sim", *arguments], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    return process, process.stdout.readline()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_told_to_stop(tmp_path: Path, ending: signal.Signals) -> None:
    file = tmp_path / "gizzi.toml"
    process, line = start("--validators", "2", "--chain", "Ëtrid", "--write-config", str(file))
    try:
        assert line.startswith("ready: 2 validators on 127.0.0.1; faults: http://127.0.0.1:")
        settings = config.load(file)
        assert [v.number for v in settings.validators] == [1, 2] and settings.validators[0].standby_hosts == ()
        assert settings.chains[0].id == "Ëtrid" and settings.chains[0].authorities == 2
        with urllib.request.urlopen(str(settings.validators[1].metrics_url)) as page:
            assert b"substrate_block_height" in page.read()
    finally:
        process.send_signal(ending)
        assert process.wait(10) == 0
        process.stdout.close()  # type: ignore[union-attr]


def test_it_serves_a_scenario(tmp_path: Path) -> None:
    (tmp_path / "scenario.toml").write_text(SCENARIO)
    file = tmp_path / "gizzi.toml"
    process, line = start("--scenario", str(tmp_path), "--write-config", str(file))
    try:
        assert line.startswith("ready: 3 validators")
        assert {c.id: c.parent for c in config.load(file).chains} == {"flare": None, "btc-pbc": "flare"}
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()  # type: ignore[union-attr]


def test_what_cannot_be_served_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scenario", str(tmp_path)]) == 2
    assert main(["--validators", "0"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and "scenario.toml does not exist" in errors[0] and "--validators" in errors[1]
