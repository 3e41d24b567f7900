"""`gizzi tune register`, against a provider on loopback."""

from __future__ import annotations

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi import cli
from gizzi.cli.register import row_of
from gizzi.errors import UsageError
from gizzi.models import exam
from gizzi.models.questions import questions
from tools.providers import chat, provider

TOKENS = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
COMMENT = "# mine, and it stays\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config(tmp_path, "http://127.0.0.1:9")
    return tmp_path


def config(folder: Path, url: str) -> None:
    (folder / "gizzi.toml").write_text(
        f'{COMMENT}[store]\nurl = "sqlite:///{folder}/gizzi.db"\n[plugins]\nfolder = "{folder}/plugins"\n[providers.near]\napi = "openai"\n'
        f'url = "{url}/v1"\n[models."near/small"]\ntier = "standard"\ncapabilities = ["json"]\ncontext_tokens = 5000\n'
        'price = { input = 1, output = 10 }\n[providers.far]\napi = "openai"\nurl = "https://far.example/v1"\nkey_env = "FAR_TEST_KEY"\n',
        encoding="utf-8",
    )


def run(folder: Path, *words: str) -> int:
    return cli.run(["tune", "register", *words, "--config", str(folder / "gizzi.toml")])


async def test_it_is_compared_with_its_base_and_becomes_a_row(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exam, "questions", lambda half: questions(half)[:10])
    async with provider(chat("I do not know.", TOKENS)) as fake:
        config(folder, fake.url)
        code = await asyncio.to_thread(run, folder, "ft:small:etrid", "--base", "near/small", "--price", "2/20", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (code, said["model"], said["base"], said["registered"], said["lacking"]) == (0, "near/ft:small:etrid", "near/small", True, [])
    tuned, base = said["comparison"]
    assert [one["evaluation"]["answered"] for one in (tuned, base)] == [20, 20] and fake.calls == 40
    assert {call["model"] for call in fake.asked} == {"ft:small:etrid", "small"}
    assert (tuned["evaluation"]["cost_usd"], base["evaluation"]["cost_usd"]) == ("0.0080", "0.0040")
    assert tuned["evaluation"]["does_not_know"] == 20
    assert (folder / "gizzi.toml").read_text().startswith(COMMENT)
    assert run(folder, "ft:small:etrid", "--base", "near/small") == 2
    assert "is there already" in capsys.readouterr().err
    assert await asyncio.to_thread(cli.run, ["models", "--json", "--config", str(folder / "gizzi.toml")]) == 0
    (row,) = [row for row in json.loads(capsys.readouterr().out) if row["model"] == "near/ft:small:etrid"]
    assert (row["tier"], row["capabilities"], row["context_tokens"], row["price"]["input"]) == ("standard", ["json"], 5000, "2")


def test_one_that_cannot_be_asked_is_added_only_where_that_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("tuned", "--base", "near/small", "--provider", "far", "--tier", "frontier")
    assert run(folder, *words) == 1
    told = capsys.readouterr()
    assert "far/tuned was not evaluated: no key: set FAR_TEST_KEY" in told.err and "near/small was not evaluated: " in told.err
    assert "nothing was written" in told.out and "unknown" in told.out and not (folder / "plugins").exists()
    assert run(folder, *words, "--anyway", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["comparison"][0]["price"] is None, "a price that nobody knows is unknown"
    row = tomllib.loads(Path(said["file"]).read_text())["models"]["far/tuned"]
    assert row == {"tier": "frontier", "base": "near/small"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("x", "--base", "near/smal"), "near/small"),
        (("x", "--base", "near/small", "--provider", "nowhere"), "there is no provider"),
        (("x", "--base", "near/small", "--tier", "best"), "best"),
        (("x", "--base", "near/small", "--price", "1"), "--price"),
        (("x", "--base", "near/small", "--price", "nan/1"), "--price"),
        (("x", "--base", "near/small", "--price=-1/1"), "--price"),
        (("small", "--base", "near/small"), "is there already"),
    ],
)
def test_what_makes_no_row(folder: Path, words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, *words, "--anyway") == 2
    told = capsys.readouterr().err
    assert why in told and told.count("\n") == 1 and not (folder / "plugins").exists()


@given(st.text(), st.text(), st.none() | st.decimals(0, 1000, places=4))
def test_a_row_is_toml_whatever_the_names_hold(model: str, base: str, price: Any) -> None:
    row = tomllib.loads(row_of(model, base, "local", None if price is None else f"{price:f}/{price:f}", "2026-11-23"))
    (name,) = row["models"]
    assert name == model and row["models"][name]["base"] == base and len(row) == 1


def test_an_amount_is_an_amount() -> None:
    with pytest.raises(UsageError, match="is no price"):
        row_of("a/b", "a/c", "local", "1/2/3", "2026-11-23")
