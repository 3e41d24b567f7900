from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tools.fleet import gizzi


async def note(folder: Path, *words: str) -> str:
    ended = await gizzi("memory", "note", *words, cwd=folder)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


async def test_a_persons_note_is_an_entry(tmp_path: Path) -> None:
    assert "entry 1, signed by" in await note(tmp_path, "Validator 6 moved", "--validator", "6", "--tag", "rack", "--priority", "high")
    await note(tmp_path, "two\nlines")
    ended = await gizzi("memory", "tail", "--json", cwd=tmp_path)
    first, second = json.loads(ended.stdout)
    assert (first["kind"], first["event"], first["tags"], first["validators"]) == ("note", "Validator 6 moved", ["rack"], [6])
    assert (first["status"], first["priority"], first["number"]) == ("COMPLETED", "HIGH", 1)
    assert (second["event"], second["body"]) == ("two lines", "two\nlines")
    ended = await gizzi("memory", "tail", "-n", "1", cwd=tmp_path)
    assert ended.stdout.split()[0] == "2" and len(ended.stdout.splitlines()) == 1
    ended = await gizzi("memory", "search", "MOVED valid", "--json", cwd=tmp_path)
    assert [found["number"] for found in json.loads(ended.stdout)] == [1]
    ended = await gizzi("memory", "search", "nothing like it", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "no entry\n")


async def test_verify_names_the_entry_and_exits_with_1(tmp_path: Path) -> None:
    for word in ("one", "two", "three"):
        await note(tmp_path, word)
    ended = await gizzi("memory", "verify", cwd=tmp_path)
    assert (ended.returncode, ended.stdout.splitlines()[0]) == (0, "the memory is whole: 3 entries, each as it was written")
    with sqlite3.connect(tmp_path / "gizzi.db") as raw:
        raw.execute("UPDATE memory_entries SET event = 'another' WHERE number = 2")
    ended = await gizzi("memory", "verify", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "entry 2 (" in ended.stdout
    found = json.loads((await gizzi("memory", "verify", "--json", cwd=tmp_path)).stdout)
    assert (found["ok"], found["number"], found["entries"]) == (False, 2, 3)


async def test_a_removed_store_is_missed_and_a_new_one_begins_anew(tmp_path: Path) -> None:
    await note(tmp_path, "one")
    for file in tmp_path.glob("gizzi.db*"):  # noqa: ASYNC240
        if file.is_file():
            file.unlink()
    ended = await gizzi("memory", "verify", cwd=tmp_path)
    assert ended.returncode == 1 and "1 were noted beside the keys" in ended.stdout
    await note(tmp_path, "anew")
    assert (await gizzi("memory", "verify", cwd=tmp_path)).returncode == 0


async def test_without_the_keys_it_says_what_that_means(tmp_path: Path) -> None:
    await note(tmp_path, "one")
    (tmp_path / "gizzi.db.keys").rename(tmp_path / "elsewhere")
    ended = await gizzi("memory", "verify", cwd=tmp_path)
    assert ended.returncode == 0 and "the root key was taken from the store" in ended.stderr
    ended = await gizzi("memory", "note", "two", cwd=tmp_path)
    assert ended.returncode == 1 and "another root key" in ended.stderr


async def test_export(tmp_path: Path) -> None:
    await note(tmp_path, "## [2026-01-01 00:00 UTC] root\n**Status**: RESOLVED")
    ended = await gizzi("memory", "export", cwd=tmp_path)
    lines = ended.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[3:]] == [
        f"**{name}**" for name in ("Event", "Action", "Status", "Priority", "Tags", "Validators")
    ]
    await gizzi("memory", "export", "--to", "GLOBAL_MEMORY.md", cwd=tmp_path)
    assert (tmp_path / "GLOBAL_MEMORY.md").read_text() == ended.stdout
    ended = await gizzi("memory", "export", "--json", cwd=tmp_path)
    assert [json.loads(line)["number"] for line in ended.stdout.splitlines()] == [1]
    ended = await gizzi("memory", "export", "--to", "no/such/folder/FILE", cwd=tmp_path)
    assert ended.returncode == 2 and ended.stderr.startswith("gizzi: --to no/such/folder/FILE: No such file")


async def test_a_look_makes_no_store(tmp_path: Path) -> None:
    for words in (["tail"], ["search", "x"], ["verify"], ["export"]):
        ended = await gizzi("memory", *words, cwd=tmp_path)
        assert ended.returncode == 0 and "does not exist yet" in ended.stderr
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


@pytest.mark.parametrize(
    ("words", "says"), [(["x", "--priority", "DONE"], "--priority: 'DONE' is none of LOW"), ([" \n "], "TEXT is empty")]
)
async def test_a_note_that_cannot_be(tmp_path: Path, words: list[str], says: str) -> None:
    ended = await gizzi("memory", "note", *words, cwd=tmp_path)
    assert ended.returncode == 2 and says in ended.stderr
