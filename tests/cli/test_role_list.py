from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gizzi import cli
from gizzi.alerts.correlate import Change
from gizzi.engine import records
from gizzi.store import open_store
from tools.deciding import incident_of


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "gizzi.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/gizzi.db"\n', encoding="utf-8")
    return ["--config", str(tmp_path / "gizzi.toml")]


def remember(folder: Path, *rules: str) -> None:
    store = open_store(f"sqlite:///{folder}/gizzi.db")
    for number, rule in enumerate(rules, 1):
        incident = incident_of(6, rule=rule)
        incident.id = number
        row = (records.incident_row(incident), True)
        asyncio.run(store.record([row], [], [records.event_row(Change(incident, 1.0, "opened", "x"))]))
    store.close()


def test_the_watchers_record(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["role", "list", *words]) == 0
    assert "0 hits, 0 false alarms, 0 not known yet" in capsys.readouterr().out
    assert not (tmp_path / "gizzi.db").exists(), "a look makes no store"
    remember(tmp_path, "model:peers", "model:log", "peers_low")
    assert cli.run(["ack", "inc-1", "--false-alarm", *words]) == 0
    assert "inc-1 is a false alarm" in capsys.readouterr().out
    assert cli.run(["role", "list", "--json", *words]) == 0
    found = {role["name"]: role["findings"] for role in json.loads(capsys.readouterr().out)}
    assert found["watcher"] == {"open": 1, "hits": 0, "false_alarms": 1} and found["devops"] is None


@pytest.mark.parametrize(("incident", "why", "code"), [("inc-1", "not by a model", 2), ("inc-9", "there is no incident", 1)])
def test_only_what_a_model_opened_is_a_false_alarm(
    words: list[str], tmp_path: Path, incident: str, why: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(tmp_path, "peers_low")
    assert cli.run(["ack", incident, "--false-alarm", *words]) == code
    assert why in capsys.readouterr().err
