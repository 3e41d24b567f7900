from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from gizzi import cli
from gizzi.clock import LiveClock
from gizzi.config import state_folder
from gizzi.memory import Memory, keys_of
from gizzi.memory.case import Case, Situation, entry_of
from gizzi.store import open_store

WORDS = ("lost", "slow", "alone", "behind", "silent", "full", "forked", "stuck", "cut", "gone")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration whose store remembers ten restarts that helped and one that has no verdict."""
    file = tmp_path / "gizzi.toml"
    file.write_text("")
    url = f"sqlite:///{tmp_path}/gizzi.db"
    store = open_store(url)
    memory = Memory(store, LiveClock(), keys_of(url, state_folder()))

    async def fill() -> None:
        for at, word in enumerate(WORDS):
            case = Case(Situation("peers_low", "high", "flare", (6,), f"it is {word}"), "restart", action="restart 6", verdict="resolved")
            await memory.add(entry_of(case, 1_700_000_000.0 + at, "on-call"))
        await memory.add(entry_of(Case(Situation("peers_low", "high"), "wait"), 1_700_000_100.0, "on-call"))

    asyncio.run(fill())
    store.close()
    return file


def test_a_set_with_its_card(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "set"
    assert cli.run(["tune", "export", "--out", str(out), "--config", str(file)]) == 0
    assert "8 examples to train on, 2 newer ones" in capsys.readouterr().out
    test = [json.loads(line)["messages"] for line in (out / "test.jsonl").read_text().splitlines()]
    assert ["it is cut" in test[0][1]["content"], "it is gone" in test[1][1]["content"]] == [True, True]
    assert json.loads(test[0][2]["content"])["action"] == "restart"
    card = (out / "card.md").read_text()
    assert "- restart: 10\n" in card and "- no action, so no verdict: 1\n" in card and "2023-11-14" in card
    recipe = (out / "Modelfile").read_text()
    system = json.loads((out / "train.jsonl").read_text().splitlines()[0])["messages"][0]["content"]
    assert recipe.startswith("FROM llama3.1:8b\n") and f'SYSTEM """{system.strip()}"""\n' in recipe
    assert hashlib.sha256((out / "train.jsonl").read_bytes()).hexdigest() in card
    assert cli.run(["tune", "export", "--out", str(out), "--config", str(file)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_a_modelfile_with_the_adapter(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tune", "export", "--out", str(tmp_path / "set"), "--config", str(file), "--base", "ollama/qwen3:4b", "--adapter"]
    assert cli.run([*words, "a\nb"]) == 2 and not (tmp_path / "set").exists()
    assert "--adapter" in capsys.readouterr().err
    assert cli.run([*words, "./lora.gguf"]) == 0
    assert (tmp_path / "set" / "Modelfile").read_text().startswith("FROM qwen3:4b\nADAPTER ./lora.gguf\n")


def test_without_verdicts_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gizzi.toml"
    file.write_text("")
    assert cli.run(["tune", "export", "--out", str(tmp_path / "set"), "--config", str(file)]) != 0
    assert "none of 0 closed incidents has a verdict" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_a_memory_that_was_changed_teaches_nothing(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(tmp_path / "gizzi.db") as opened:
        opened.execute("UPDATE memory_entries SET body = replace(body, 'restart', 'wait') WHERE number = 2")
    opened.close()
    assert cli.run(["tune", "export", "--out", str(tmp_path / "set"), "--config", str(file)]) != 0
    assert "the memory was changed" in capsys.readouterr().err
