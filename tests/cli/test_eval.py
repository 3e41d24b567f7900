"""`gizzi eval routing` and `gizzi eval questions`."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import sys
from pathlib import Path
from random import Random

import pytest

from gizzi.cli import run
from tools.fleet import gizzi

needs_learn = pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="scikit-learn is not installed")
KEYS = {"rows", "train", "test", "weak_accuracy", "strong_accuracy", "apgr", "cpt50", "cpt80", "apgr_interval", "baselines"}


def table(count: int = 400) -> str:
    """Sums are too hard for the weak model, and its answers to them say that it does not know."""
    dice, out = Random(4), io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["id", "prompt", "weak", "strong", "weak_response"])
    for number in range(count):
        hard = dice.random() < 0.4
        prompt = f"Integrate the series {number}, to order {number % 7}" if hard else f"Is node {number} up?\nAnswer yes, or no."
        rows.writerow([number, prompt, int(not hard or dice.random() < 0.2), int(dice.random() < 0.95), "Not sure." if hard else "Yes."])
    return out.getvalue()


@needs_learn
@pytest.mark.parametrize("more", [[], ["--cascade"]])
async def test_the_figures(tmp_path: Path, more: list[str]) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(table().encode()))
    words = ["eval", "routing", "rows.csv.gz", "--train", "150", "--seed", "3", *more]
    machine, plain = await gizzi(*words, "--json", cwd=tmp_path), await gizzi(*words, cwd=tmp_path)
    found = json.loads(machine.stdout)
    assert found.keys() >= KEYS and set(found["baselines"]) == {"random", "length"}
    assert (found["rows"], found["train"], found["test"]) == (400, 150, 250)
    assert found["apgr"] > 0.8 > found["baselines"]["random"] and found["apgr_interval"][0] <= found["apgr"] <= found["apgr_interval"][1]
    assert plain.returncode == 0 and "learned  0." in plain.stdout and "random " in plain.stdout and "length " in plain.stdout


@pytest.mark.parametrize(
    ("name", "content", "words", "says"),
    [
        ("a.csv", b"prompt,weak\nx,1\n", [], "there is no column 'strong'"),
        ("a.csv", b"", [], "there is no column 'prompt'"),
        ("a.csv", b"prompt,weak,strong\n", [], "there are no rows under the header"),
        ("a.csv", b"prompt,weak,strong\nx,1,yes\n", [], "a.csv, line 2: strong is 'yes'; it must be 0 or 1"),
        ("a.csv", b"prompt,weak,strong\nx,0,1\ny,0,1\n", ["--train", "2"], "--train is 2; it must be at least 1 and leave some of the 2"),
        ("a.csv", b"prompt,weak,strong\nx,0,1\ny,0,1\n", ["--train", "-1"], "--train is -1"),
        ("a.csv", b"prompt,weak,strong\nx,0,1\n", ["--cascade"], "there is no column 'weak_response'"),
        ("a.csv.gz", b"prompt,weak,strong\n", [], "this is not a whole gzip file"),
        ("a.csv.gz", gzip.compress(b"prompt,weak,strong\nx,0,1\n" * 99, mtime=0)[:-12], [], "this is not a whole gzip file"),
        ("a.csv", b"prompt,weak,strong\n\xff,0,1\n", [], "this is not UTF-8 text"),
        ("b.csv", None, [], "b.csv: this cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_plain_line(
    name: str, content: bytes | None, words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code = run(["eval", "routing", str(tmp_path / name), *words])
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert printed.err.startswith("gizzi: ") and printed.err.count("\n") == 1 and says in printed.err


def test_without_scikit_learn_it_says_how_to_have_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    (tmp_path / "rows.csv").write_text(table(), encoding="utf-8")
    assert run(["eval", "routing", str(tmp_path / "rows.csv"), "--train", "100"]) == 2
    assert "pip install 'gizzi[learn]'" in capsys.readouterr().err


def test_the_questions_with_their_confusion_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["eval", "questions", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["questions"] == 200 == sum(n for row in found["confusion"].values() for n in row.values())
    assert found["right_or_above"] >= 0.95 and found["needless_frontier"] <= 0.1
    assert found["critical_to_frontier"] == found["critical"] == 16
    assert run(["eval", "questions"]) == 0
    page = capsys.readouterr().out
    assert "needs" in page and "16 of 16 critical ones" in page


def test_the_questions_judge_the_configured_strategies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any strategy all but the critical ones go to the standard tier, whatever is left of the budget."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gizzi.toml").write_text("[routing]\nstrategies = []\n[budget]\nday_usd = 0\n", encoding="utf-8")
    assert run(["eval", "questions", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["critical_to_frontier"] == 16 and found["confusion"]["local"] == {"reflex": 0, "local": 0, "standard": 46, "frontier": 0}
