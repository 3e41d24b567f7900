"""`gizzi feedback` and `gizzi learn train`, from an answer to a router that decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gizzi.cli import run
from tools.fleet import gizzi
from tools.providers import chat, provider

NO_KEYS = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"), "")


async def test_from_an_answer_to_a_good_word(tmp_path: Path) -> None:
    async with provider(chat("Paris.")) as fake:
        (tmp_path / "gizzi.toml").write_text(
            f'providers.mine = {{ api = "openai", url = "{fake.url}" }}\nproviders.ollama.url = "http://127.0.0.1:9"\n'
            'models."mine/m" = { tier = "standard", price = { input = 1, output = 2 } }\ntiers.standard = ["mine/m"]\n'
            'api.listen = "127.0.0.1:9"\n',
            encoding="utf-8",
        )
        answer = json.loads((await gizzi("ask", "What is the capital of France?", "--json", cwd=tmp_path, env=NO_KEYS)).stdout)
        plain = await gizzi("ask", "And of Italy?", cwd=tmp_path, env=NO_KEYS)
    assert answer["id"] and " · id " in plain.stdout
    said = await gizzi("feedback", answer["id"], "good", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (0, "noted: good, an answer of mine/m\n")
    unknown = await gizzi("feedback", "nowhere", "bad", cwd=tmp_path)
    assert unknown.returncode == 1 and "there is no answer 'nowhere'" in unknown.stderr
    few = await gizzi("learn", "train", cwd=tmp_path)
    assert few.returncode == 2 and "mine/m: 1 outcomes of 1 different prompts" in few.stderr and not (tmp_path / "router.json").exists()


def csv_text() -> str:
    things = ("peers", "blocks", "sessions", "logs", "chains", "nodes", "keys", "forks")
    lines = [
        f"Say something about {one} and {other},{int(one != 'blocks')},{int(other != 'keys')}" for one in things for other in things[::-1]
    ]
    return "prompt,weak,strong\n" + "\n".join(lines) + "\n"


def test_from_a_file_to_a_router_that_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="training needs the extra `learn`")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    (tmp_path / "gizzi.toml").write_text('[routing]\nstrategies = ["learned", "rules"]\nquality = 0.9\n', encoding="utf-8")
    (tmp_path / "o.csv").write_text(csv_text(), encoding="utf-8")

    def printed(*words: str, code: int = 0) -> Any:
        assert run([*words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    before = printed("route", "Say something about blocks and logs")
    assert before["strategy"] != "learned"
    report = printed("learn", "train", "--from", "o.csv", "--weak", "llama3.1:8b", "--strong", "claude-opus-5-5")
    assert Path(report["file"]) == tmp_path / "router.json" and (tmp_path / "router.json").is_file()
    assert [row["outcomes"] for row in report["models"]] == [64, 64] and report["answers_file"] is None
    assert 0 <= report["pairs"][0]["share_to_strong"] <= 1
    assert printed("route", "Say something about logs and blocks")["strategy"] == "learned"
    assert run(["learn", "train", "--from", "o.csv", "--weak", "llama3.1:8b", "--strong", "claude-opus-5-5"]) == 0
    page = capsys.readouterr().out
    assert "to keep 90% of what" in page and "router.json" in page


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["feedback", "x", "meh"], 2, "'meh' is neither good nor bad"),
        (["feedback", "x", "good"], 1, "the store does not exist yet"),
        (["learn", "train"], 2, "there is nothing to learn from yet"),
        (["learn", "train", "--weak", "x"], 2, "say --from FILE"),
        (["learn", "train", "--from", "no.csv"], 2, "no.csv: this cannot be read"),
        (["learn", "train", "--model", "llama"], 2, "there is no model 'llama'"),
    ],
)
def test_what_cannot_be_is_one_plain_line(
    words: list[str], code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(words) == code
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.splitlines()[-1].startswith("gizzi: ") and says in printed.err
