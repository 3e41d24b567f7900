"""Consensus Day at the terminal, from a row to an adopted model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gizzi.cli import propose
from gizzi.cli.new_model import new_model
from gizzi.cli.words import settings_of
from gizzi.consensus_day.tally import vote
from gizzi.errors import UsageError
from gizzi.memory.keys import Signer
from gizzi.models.exam import examine
from tools.providers import chat, provider

ROW = """
[providers.acme]
api = "openai"
url = "https://api.acme.example/v1"
key_env = "ACME_TEST_KEY"
[models."acme/fast-1"]
tier = "standard"
price = { input = 0.10, output = 0.40, checked = 2026-11-01 }
"""
VOTERS = [Signer(bytes([at]) * 32) for at in range(1, 5)]


class Later:
    at = 1_800_000_000.0

    def now(self) -> float:
        return Later.at


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    config = f'[store]\nurl = "sqlite:///{tmp_path}/gizzi.db"\n[plugins]\nfolder = "{tmp_path}/plugins"\n'
    (tmp_path / "gizzi.toml").write_text(config)
    (tmp_path / "row.toml").write_text(ROW)
    monkeypatch.setattr(propose, "LiveClock", Later)
    monkeypatch.setattr(Later, "at", 1_800_000_000.0)
    return tmp_path


def proposed(folder: Path) -> dict[str, Any]:
    given: dict[str, Any] = {"days": 1, "quorum": "1/3", "majority": "2/3", "evaluate": True, "to": None, "as_json": False}
    assert propose.propose_model(folder / "gizzi.toml", folder / "row.toml", **given) == 0
    document: dict[str, Any] = json.loads((folder / "row.proposal.json").read_text())
    return document


def counted(folder: Path, document: dict[str, Any], *choices: Any, days_later: float) -> int:
    votes = [vote(document["hash"], choice, int(Later.at) + 60, who) for who, choice in zip(VOTERS, choices, strict=False)]
    (folder / "votes.jsonl").write_text("".join(json.dumps(one) + "\n" for one in votes))
    (folder / "stakes.json").write_text(json.dumps({who.public: 10 for who in VOTERS}))
    Later.at += days_later * 86_400
    given: dict[str, Any] = {"proposal": folder / "row.proposal.json", "stakes": folder / "stakes.json", "to": None, "as_json": True}
    return propose.tally(folder / "gizzi.toml", folder / "votes.jsonl", **given)


def test_from_a_row_to_an_adopted_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = proposed(folder)
    body = document["body"]
    assert (body["model"], body["tier"], body["row"]) == ("acme/fast-1", "standard", ROW)
    assert body["evaluation"] == "not evaluated: no key: set ACME_TEST_KEY"
    assert body["cost"]["month_usd"].startswith("0.1296")  # 1,440 questions of 300 and 150 tokens
    capsys.readouterr()
    assert counted(folder, document, "for", "for", "against", days_later=2) == 0
    assert json.loads(capsys.readouterr().out)["stake"] == {"for": "20", "against": "10", "abstain": "0"}
    assert propose.adopt(folder / "gizzi.toml", folder / "votes.result.json", trust=[], yes=False) == 1
    assert not (folder / "plugins").exists()
    assert propose.adopt(folder / "gizzi.toml", folder / "votes.result.json", trust=[], yes=True) == 0
    assert (folder / "plugins" / "acme-fast-1.toml").read_text() == ROW
    with pytest.raises(UsageError, match="is there already"):
        propose.adopt(folder / "gizzi.toml", folder / "votes.result.json", trust=[], yes=True)


@pytest.mark.parametrize(("choices", "days_later"), [(("for",), 2), (("for", "against"), 2), (("for", "for", "for"), 0)])
def test_what_is_not_enacted_is_not_adopted(folder: Path, choices: Any, days_later: float) -> None:
    assert counted(folder, proposed(folder), *choices, days_later=days_later) == 1
    with pytest.raises(UsageError, match="not enacted"):
        propose.adopt(folder / "gizzi.toml", folder / "votes.result.json", trust=[], yes=True)
    assert not (folder / "plugins").exists()


@pytest.mark.parametrize(
    "row",
    [
        ROW.replace("acme", "openai"),  # would send our key elsewhere
        ROW + '[models."acme/fast-2"]\ntier = "local"\n',
        "[providers.acme]\napi = 'openai'\nurl = 'https://x.example'\n",
        "not toml",
    ],
)
def test_a_proposal_adds_one_model_and_changes_nothing(folder: Path, row: str) -> None:
    (folder / "row.toml").write_text(row)
    with pytest.raises(UsageError):
        proposed(folder)
    assert not (folder / "row.proposal.json").exists()


def test_ones_own_vote_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = proposed(folder)
    capsys.readouterr()
    propose.cast(folder / "gizzi.toml", folder / "row.proposal.json", "for")
    own = json.loads(capsys.readouterr().out)
    everything = {"proposal": document, "stakes": {own["voter"]: 1}, "votes": [own]}
    (folder / "all.json").write_text(json.dumps(everything, indent=1))
    Later.at += 2 * 86_400
    assert propose.tally(folder / "gizzi.toml", folder / "all.json", proposal=None, stakes=None, to=None, as_json=True) == 0
    with pytest.raises(UsageError):
        propose.cast(folder / "gizzi.toml", folder / "row.proposal.json", "maybe")


def test_files_that_hold_no_votes(folder: Path) -> None:
    for content in ("", "5", '{"a": 1}', "[" * 100_000):
        (folder / "odd.json").write_text(content)
        with pytest.raises(UsageError):
            propose.tally(folder / "gizzi.toml", folder / "odd.json", proposal=None, stakes=None, to=None, as_json=True)


async def test_a_model_that_can_be_reached_is_asked_our_questions_and_paid_for(folder: Path) -> None:
    async with provider(chat("Fine.", {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110})) as fake:
        row = f"""
[providers.near]
api = "openai"
url = "{fake.url}/v1"
[models."near/small"]
tier = "standard"
price = {{ input = 1, output = 10 }}
"""
        settings = settings_of(folder / "gizzi.toml")
        new = new_model(settings, row)
        said: Any = await examine(settings, new.registry, new.model, new.catalogue.reachability(settings))
    assert (said["questions"], said["answered"], said["failed"], said["tokens_in"]) == (200, 200, 0, 20_000)
    assert fake.calls == 200 and said["cost_usd"] == "0.0400"


async def test_one_that_never_answers_is_not_evaluated(folder: Path) -> None:
    async with provider(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") as fake:
        provider_row = f'[providers.near]\napi = "openai"\nurl = "{fake.url}/v1"\n'
        row = provider_row + '[models."near/small"]\ntier = "standard"\nprice = { input = 1, output = 1 }\n'
        settings = settings_of(folder / "gizzi.toml")
        new = new_model(settings, row)
        said: Any = await examine(settings, new.registry, new.model, new.catalogue.reachability(settings))
    assert said.startswith("not evaluated: ") and fake.calls < 30
