"""`gizzi models` and `gizzi costs project`."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tools.fake_claude import fake_claude
from tools.fleet import gizzi
from tools.providers import html, provider, tags

NONE = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"), "")
ACME = """
[providers.acme]
api = "openai"
url = "https://api.acme.example/v1"
key_env = "ACME_API_KEY"
[models."acme/fast-1"]
tier = "standard"
price = { input = 0.10, output = 0.40, checked = 2026-11-01 }
[models."acme/new"]
tier = "frontier"
"""


async def listed(cwd: Path, **env: str) -> dict[str, dict[str, Any]]:
    ended = await gizzi("models", "--json", cwd=cwd, env={**NONE, **env})
    assert (ended.returncode, ended.stderr) == (0, "")
    return {row["model"]: row for row in json.loads(ended.stdout)}


async def test_the_catalogue_as_json(tmp_path: Path) -> None:
    rows = await listed(tmp_path, OPENAI_API_KEY="sk-secret")
    turbo = rows["openai/gpt-4-turbo"]
    assert (turbo["tier"], turbo["checked"], turbo["retired"], turbo["reachable"]) == ("standard", "2025-10-31", "2026-10-23", False)
    assert (turbo["price"]["input"], turbo["price"]["output"], turbo["why_not"]) == ("10", "30", "retired on 2026-10-23")
    terra = rows["openai/gpt-6.1-terra"]
    assert terra["reachable"] and terra["checked"] and terra["price"]["source"] == "genai-prices" and terra["retired"] is None
    assert rows["anthropic/claude-opus-5-5"]["why_not"] == "no key: set ANTHROPIC_API_KEY"
    assert rows["ollama/llama3.1:8b"]["reachable"] and rows["ollama/llama3.1:8b"]["price"]["input"] == "0"
    assert "sk-secret" not in json.dumps(rows)


async def test_claude_code_is_off_until_it_is_named_and_needs_its_login(tmp_path: Path) -> None:
    fake = fake_claude(tmp_path)
    assert (await listed(tmp_path))["claude-code/default"]["why_not"] == "off: name its program in [providers.claude-code]"
    (tmp_path / "gizzi.toml").write_text(f'providers.claude-code.program = "{fake.program}"\n')
    assert (await listed(tmp_path))["claude-code/default"]["reachable"]
    fake.plans(logged_in=False)
    row = (await listed(tmp_path))["claude-code/default"]
    assert not row["reachable"] and row["why_not"].startswith("it is not logged in; run `claude` once")


async def test_what_an_ollama_server_has_is_listed_beside_what_is_configured(tmp_path: Path) -> None:
    async with provider(tags("llama3.1:8b", "qwen3:4b\x1b[2J", "mine:latest")) as fake:
        (tmp_path / "gizzi.toml").write_text(
            f'providers.ollama.url = "{fake.url}"\ntiers.local = ["ollama/llama3.1:8b", "ollama/absent:1b", "ollama/mine"]\n'
        )
        rows = await listed(tmp_path)
        shown = (await gizzi("models", cwd=tmp_path, env=NONE)).stdout
    assert rows["ollama/llama3.1:8b"]["reachable"] and rows["ollama/llama3.1:8b"]["configured"] and rows["ollama/mine"]["reachable"]
    absent, found = rows["ollama/absent:1b"], rows["ollama/qwen3:4b\x1b[2J"]
    assert not absent["reachable"] and absent["why_not"] == "the server does not have it; run: ollama pull absent:1b"
    assert (found["configured"], found["tier"], found["price"], found["why_not"]) == (
        False,
        None,
        None,
        "found there, not configured; name it in [tiers]",
    )
    assert set(found) == set(absent) and "ollama/mine:latest" not in rows
    assert "ollama/qwen3:4b" in shown and "found there, not configured" in shown and "\x1b[2J" not in shown


async def test_a_server_that_is_no_ollama_changes_nothing(tmp_path: Path) -> None:
    async with provider(html()) as fake:
        (tmp_path / "gizzi.toml").write_text(f'providers.ollama.url = "{fake.url}"\n')
        rows = await listed(tmp_path)
    assert rows["ollama/llama3.1:8b"]["reachable"] and all(row["configured"] for row in rows.values())


async def test_a_row_of_ones_own_and_an_unknown_price(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text(ACME)
    rows = await listed(tmp_path, ACME_API_KEY="x")
    fast = rows["acme/fast-1"]
    assert (fast["price"], fast["checked"], fast["reachable"]) == (
        {"input": "0.1", "output": "0.4", "source": "gizzi.toml"},
        "2026-11-01",
        True,
    )
    assert rows["acme/new"]["price"] is None and rows["acme/new"]["checked"] is None
    ended = await gizzi("models", cwd=tmp_path, env=NONE)
    line = next(line for line in ended.stdout.splitlines() if line.startswith("acme/new"))
    assert line.split()[:4] == ["acme/new", "frontier", "unknown", "unknown"] and "no key: set ACME_API_KEY" in line


async def projected(cwd: Path, *words: str) -> dict[str, Any]:
    ended = await gizzi("costs", "project", *words, "--json", cwd=cwd)
    assert (ended.returncode, ended.stderr) == (0, "")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


async def test_the_first_plans_tables(tmp_path: Path) -> None:
    two = await projected(tmp_path, "--mix", "local=90,frontier=10")
    three = await projected(tmp_path, "--mix", "local=70,standard=20,frontier=10")
    assert 30 <= Decimal(two["reference"]["month_usd"]) <= 40
    assert 35 <= Decimal(three["reference"]["month_usd"]) <= 45
    assert [tier["model"] for tier in three["reference"]["tiers"]] == [
        "ollama/llama3.1:8b",
        "openai/gpt-4-turbo",
        "anthropic/claude-sonnet-4",
    ]
    assert any("240 queries a day" in line for line in two["assumptions"])
    assert any("tokens of a query" in line for line in two["assumptions"])


async def test_any_mix_is_exact(tmp_path: Path) -> None:
    words = ["--mix", "standard=12.5,frontier=87.5", "--queries-per-day", "1001", "--tokens-in", "333", "--tokens-out", "77"]
    found = await projected(tmp_path, *words)
    for projection in (found, found["reference"]):
        expected = sum(
            Decimal(1001 * 30)
            * Decimal(tier["share_percent"])
            / 100
            * (333 * Decimal(tier["price"]["input"]) + 77 * Decimal(tier["price"]["output"]))
            / 1_000_000
            for tier in projection["tiers"]
        )
        assert Decimal(projection["month_usd"]) == expected == sum(Decimal(tier["cost_usd"]) for tier in projection["tiers"])
    assert not any("tokens of a query" in line for line in found["assumptions"])


async def test_a_projection_for_people(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text(ACME + '[tiers]\nfrontier = ["acme/new"]\n')
    ended = await gizzi("costs", "project", "--mix", "local=70,standard=20,frontier=10", cwd=tmp_path)
    assert ended.returncode == 0
    assert "acme/fast-1" in ended.stdout and "unknown" in ended.stdout, "a price that nobody knows is shown so"
    assert "assumed: 240 queries a day" in ended.stdout and "together" in ended.stdout and "$40.83" in ended.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--mix"),
        (["--mix", "local=90"], "add up to 90"),
        (["--mix", "locl=100"], "did you mean 'local'"),
        (["--mix", "local=100", "--queries-per-day", "-1"], "--queries-per-day"),
        (["--mix", "local=100", "--queries-per-day", "many"], "--queries-per-day"),
        (["--mix", "local=100", "--tokens-in", "1e9"], "--tokens-in"),
    ],
)
async def test_wrong_words_are_one_plain_line(tmp_path: Path, words: list[str], says: str) -> None:
    ended = await gizzi("costs", "project", *words, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("gizzi: ") and ended.stderr.count("\n") == 1 and says in ended.stderr
