"""`gizzi ask` and `gizzi compare`, as a person and as a program meet them."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tools.fleet import gizzi, served, start, write_config
from tools.providers import chat, fault, html, never, provider

NO_KEYS = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"), "")


def config(folder: Path, url: str, more: str = "") -> None:
    (folder / "gizzi.toml").write_text(
        f'providers.mine = {{ api = "openai", url = "{url}", key_env = "MINE_KEY" }}\nproviders.ollama.url = "http://127.0.0.1:9"\n'
        'models."mine/m" = { tier = "standard", price = { input = 1, output = 2 } }\ntiers.standard = ["mine/m"]\n'
        f'tiers.frontier = ["mine/m"]\napi.listen = "127.0.0.1:9"\n{more}',
        encoding="utf-8",
    )


async def ask(folder: Path, *words: str) -> Any:
    return await gizzi("ask", *words, cwd=folder, env={**NO_KEYS, "MINE_KEY": "sesame-open-1234"})


async def test_an_answer_for_people_and_for_programs(tmp_path: Path) -> None:
    async with provider(chat("Paris.\nReally\x1b[2J.")) as fake:
        config(tmp_path, fake.url)
        plain = await ask(tmp_path, "What is the capital of France?")
        machine = await ask(tmp_path, "And of Italy?", "--json")
    assert plain.returncode == 0, plain.stderr
    assert (
        plain.stdout.startswith("Paris.\nReally\N{REPLACEMENT CHARACTER}[2J.\n") and "mine/m" in plain.stdout and "$0.0000" in plain.stdout
    )
    assert plain.stderr == ""
    found = json.loads(machine.stdout)
    assert set(found) == {"id", "model", "tier", "response", "cost_usd", "time_s", "tokens", "route", "votes", "cached"}
    assert found["tokens"]["input"] == 12 and found["route"]["considered"]


async def test_show_prompt_sends_nothing(tmp_path: Path) -> None:
    async with provider(chat("Well.")) as fake:
        config(tmp_path, fake.url)
        shown = await ask(tmp_path, "The token ghp_abcdefghijklmnopqrstuvwxyz0123 does not work", "--show-prompt")
    assert shown.returncode == 0 and "<redacted-token-1>" in shown.stdout and "ghp_" not in shown.stdout and fake.calls == 0


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (fault("401 Unauthorized", "Incorrect key sesame-open-1234"), "mine/m: it refuses the key (401); check MINE_KEY"),
        (html(), "is not what its wire says"),
        (None, "broke off in the middle"),
        (chat(""), "its answer is empty"),
    ],
)
async def test_what_goes_wrong_is_one_line(answers: Any, says: str, tmp_path: Path) -> None:
    async with provider(answers) as fake:
        config(tmp_path, fake.url)
        found = await ask(tmp_path, "What is the capital of France?")
    assert found.returncode == 1 and found.stdout == ""
    assert says in found.stderr and found.stderr.count("\n") == 1 and "sesame" not in found.stderr and "Traceback" not in found.stderr


async def test_without_any_provider_it_says_which_lines_make_one(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text('providers.ollama.url = "http://127.0.0.1:9"\n', encoding="utf-8")
    found = await ask(tmp_path, "What is the capital of France?")
    assert found.returncode == 1
    assert 'providers.mine = { api = "openai"' in found.stderr and 'tiers.local = ["mine/NAME"]' in found.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["", "--json"], 2, "the question is empty"),
        (["x", "--model", "mine/n"], 2, "did you mean mine/m"),
        (["x", "--model", "openai/gpt-4"], 2, "openai/gpt-4 was retired on 2026-10-23; take mine/m"),
        (["x", "--nonsense"], 2, "no such option"),
    ],
)
async def test_usage_errors(words: list[str], code: int, says: str, tmp_path: Path) -> None:
    config(tmp_path, "http://127.0.0.1:9")
    found = await ask(tmp_path, *words)
    assert found.returncode == code and says in found.stderr and found.stderr.count("\n") == 1


async def test_two_megabytes_are_too_much_for_every_model(tmp_path: Path) -> None:
    async with provider(chat("Well.")) as fake:
        config(tmp_path, fake.url)
        found = await gizzi("ask", "-", cwd=tmp_path, env={**NO_KEYS, "MINE_KEY": "x"}, given=b"word " * 400_000)
    assert found.returncode == 1 and fake.calls == 0
    assert "too long" in found.stderr and found.stderr.count("\n") == 1 and len(found.stderr) < 1000


async def test_invalid_utf_8_is_asked_as_text(tmp_path: Path) -> None:
    async with provider(chat("Well.")) as fake:
        config(tmp_path, fake.url)
        found = await gizzi("ask", "-", cwd=tmp_path, env={**NO_KEYS, "MINE_KEY": "x"}, given=b"What is \xff\xfe?")
    assert (found.returncode, fake.calls) == (0, 1), found.stderr
    assert "What is \N{REPLACEMENT CHARACTER}" in json.dumps(fake.asked[0], ensure_ascii=False)


async def test_tokens_that_nobody_counted_are_estimated_and_marked(tmp_path: Path) -> None:
    async with provider(chat("Well.", no_usage=True)) as fake:
        config(tmp_path, fake.url)
        found = await ask(tmp_path, "What is the capital of France?")
    assert "tokens (estimated)" in found.stdout


async def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    async with provider(chat("Well.")) as fake:
        config(tmp_path, fake.url, 'store.url = "sqlite:////proc/gizzi.db"\n')
        found = await ask(tmp_path, "What is the capital of France?")
    assert found.returncode == 1 and "the store" in found.stderr and found.stderr.count("\n") == 1 and fake.calls == 0


async def test_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    async with provider(never) as fake:
        config(tmp_path, fake.url)
        process = await start("ask", "What is the capital of France?", cwd=tmp_path, env=NO_KEYS | {"MINE_KEY": "sesame-open-1234"})
        async with asyncio.timeout(30):
            await fake.was_asked.wait()
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
    assert process.returncode == 130 and out == b"" and b"Traceback" not in err


async def test_the_fleet_answers_without_a_model(tmp_path: Path) -> None:
    async with served(4, {"kind": "node_down", "at_s": 0, "validators": [3]}) as server:
        write_config(tmp_path, server, '[api]\nlisten = "127.0.0.1:9"\n')
        one = await ask(tmp_path, "Is validator 2 healthy?")
        count = await ask(tmp_path, "How many are online?", "--json")
    assert one.returncode == 0 and one.stdout.startswith("Yes: validator 2 is healthy") and "without a model" in one.stdout
    found = json.loads(count.stdout)
    assert found["tier"] == "reflex" and found["cost_usd"] == "0" and found["response"].startswith("3 of 4 validators are up")


async def test_compare(tmp_path: Path) -> None:
    async with provider(chat("WAIT\nIt recovers.")) as fake:
        config(tmp_path, fake.url)
        found = await gizzi("compare", "Restart or wait?", "--json", cwd=tmp_path, env={**NO_KEYS, "MINE_KEY": "x"})
        plain = await gizzi("compare", "Restart or wait?", cwd=tmp_path, env={**NO_KEYS, "MINE_KEY": "x"})
    shown = json.loads(found.stdout)
    assert [answer["model"] for answer in shown["answers"]] == ["mine/m"] and shown["consensus"]["verdict"] is None
    assert "Together: one provider answered, which is no consensus" in plain.stdout
