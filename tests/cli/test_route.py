from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.fleet import gizzi

KEYS = {"OPENAI_API_KEY": "sk-test-openai", "ANTHROPIC_API_KEY": "sk-test-anthropic"}
NO_SOCKETS = """
import socket, sys

def refuse(*args, **more):
    raise AssertionError(f"a socket was asked for: {args}")

for name in ("connect", "connect_ex", "bind", "sendto", "send", "sendall"):
    setattr(socket.socket, name, refuse)
for name in ("getaddrinfo", "gethostbyname", "create_connection", "create_server"):
    setattr(socket, name, refuse)
"""


async def routed(*words: str, cwd: Path, env: dict[str, str] | None = None) -> dict[str, Any]:
    ended = await gizzi("route", *words, "--json", cwd=cwd, env=KEYS if env is None else env)
    assert (ended.returncode, ended.stderr) == (0, "")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def piped(lines: bytes, *words: str, cwd: Path, env: dict[str, str] | None = None) -> list[Any]:
    """One process, standard input given; each line of its output read as JSON."""
    ended = subprocess.run(
        [sys.executable, "-m", "gizzi", "route", "-", "--json", *words],
        input=lines,
        capture_output=True,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "XDG_CONFIG_HOME": str(cwd), **KEYS, **(env or {})},
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.parametrize(
    ("text", "critical", "tier"),
    [
        ("Is validator 6 healthy?", False, "local"),
        ("Analyze this Rust function for bugs: fn add(a: i32, b: i32) -> i32 { a + b }", False, "standard"),
        ("Should we restart validator 6? It has 2 peers and finalization lag of 150 blocks.", True, "frontier"),
        ("How should we vote on the governance proposal?", False, "frontier"),
        ("Calculate the average of 3, 4 and 5", False, "standard"),
    ],
)
async def test_the_choice_as_json(tmp_path: Path, text: str, critical: bool, tier: str) -> None:
    found = await routed(text, *(["--critical"] if critical else []), cwd=tmp_path)
    assert found["tier"] == tier
    assert found["considered"][0] == {"model": found["model"], "why_not": None}
    assert found["models"][0] == found["model"] and found["reason"]
    assert found["strategy"] == ("critical" if critical else "rules")


async def test_without_a_key_the_local_tier_answers_and_nothing_else_is_reachable(tmp_path: Path) -> None:
    found = await routed("Should we restart validator 6?", "--critical", cwd=tmp_path, env=dict.fromkeys(KEYS, ""))
    assert found["models"] == ["ollama/llama3.1:8b"]
    assert "no key: set ANTHROPIC_API_KEY" in found["reason"]


async def test_the_choice_for_people(tmp_path: Path) -> None:
    ended = await gizzi("route", "Is validator 6 healthy?", cwd=tmp_path, env=KEYS)
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[0] == "ollama/llama3.1:8b  local tier"
    assert "openai/gpt-4-turbo" in ended.stdout and "retired on 2026-10-23" in ended.stdout
    assert "sk-test" not in ended.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([""], 2, "the question is empty"),
        (["hi", "--model", "gpt-6.1-tera"], 2, "did you mean openai/gpt-6.1-terra"),
        (["hi", "--model", "openai/gpt-4-turbo"], 2, "was retired on 2026-10-23; take "),
        (["hi", "--model", "google/gemini-3.8-flash"], 1, "no key: set GEMINI_API_KEY"),
        (["hi", "--model", "openai/gpt-6-luna", "--private"], 1, "private"),
        ([], 2, "missing argument 'TEXT'"),
    ],
)
async def test_what_cannot_be_is_one_plain_line(tmp_path: Path, words: list[str], code: int, says: str) -> None:
    ended = await gizzi("route", *words, cwd=tmp_path, env={**KEYS, "GEMINI_API_KEY": ""})
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.startswith("gizzi: ") and ended.stderr.count("\n") == 1 and says in ended.stderr


async def test_a_wrong_row_is_one_plain_line_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text('[models."acme/fast-1"]\ntier = "standart"\n')
    for command in (["route", "hi"], ["models"], ["costs", "project", "--mix", "local=100"]):
        ended = await gizzi(*command, cwd=tmp_path)
        assert ended.returncode == 2 and ended.stderr.count("\n") == 1
        assert "gizzi.toml" in ended.stderr and '[models."acme/fast-1"] tier' in ended.stderr and "did you mean 'standard'" in ended.stderr


async def test_gizzi_toml_and_the_plugins_folder_have_their_say(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text('[tiers]\nlocal = ["acme/tiny"]\n[routing]\nstrategies = ["always_up", "rules"]\n')
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "acme.toml").write_text(
        '[providers.acme]\napi = "openai"\nurl = "http://127.0.0.1:9/v1"\nlocal = true\n[models."acme/tiny"]\ntier = "local"\n'
    )
    (tmp_path / "plugins" / "up.py").write_text(
        "from gizzi import strategy\n\n@strategy('always_up')\ndef always_up(task, candidates, spend):\n"
        "    return [m for m in candidates if m.tier == 'frontier'] if 'up' in task.text else None\n"
    )
    assert (await routed("Is validator 6 healthy?", cwd=tmp_path))["model"] == "acme/tiny"
    up = await routed("Is validator 6 up?", cwd=tmp_path)
    assert (up["tier"], up["strategy"]) == ("frontier", "always_up")


async def test_what_was_spent_counts(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text("[budget]\nday_usd = 0\n")
    found = await routed("Why does this function not compile?", cwd=tmp_path)
    assert found["tier"] == "local" and "the budget of the day is met" in found["reason"]
    assert not (tmp_path / "gizzi.db").exists(), "a look creates no store"


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        b'{"text": "Is validator 6 healthy?"}',
        b'{"text": "Is validator 6 healthy?", "critical": true}',
        b"nonsense",
        b'{"text": "Fix this bug", "critical": false, "private": true}',
        b'{"text": "x", "critcal": true}',
        b'{"text": 7}',
        b'{"text": "hi", "critical": 1}',
        b"[1, 2]",
        b"\xff\xfe{",
        b'{"text": "  "}',
        b"",
        b'{"text": "hi", "model": "gpt-4"}',
        b'{"text": "hi", "context_tokens": -1}',
        b'{"text": "hi", "severity": "awful"}',
        b"[" * 100_000,
        '{"text": "Größe der Datenbank \\ud800?", "kind": null}'.encode(),
        b'{"text": "' + b"status " * 300_000 + b'"}',
        b'{"text": "Calculate 3 * 4"}',
    ]
    found = piped(b"\n".join(lines) + b"\n", cwd=tmp_path)
    told = [answer.get("tier") or answer["error"] for answer in found]
    assert told[0] == "local" and told[1] == "frontier" and told[3] == "local" and told[-1] == "standard"
    for place, says in {
        2: "not JSON",
        4: "did you mean 'critical'",
        5: "text must be a text",
        6: "critical must be true or false",
        7: 'not an object with "text"',
        8: "not UTF-8",
        9: "empty",
        10: "retired",
        11: "context_tokens must be",
        12: "severity must be one of",
        13: "not JSON",
    }.items():
        assert says in told[place], (place, told[place])
        assert set(found[place]) == {"error"}
    assert told[14] == "standard" and told[15] in {"standard", "frontier"}
    assert len(found) == len(lines) - 1, "a blank line is no task"


def test_json_lines_of_a_critical_run(tmp_path: Path) -> None:
    found = piped(b'{"text": "peers?"}\n{"text": "peers?", "critical": false}', "--critical", cwd=tmp_path)
    assert [answer["tier"] for answer in found] == ["frontier", "frontier"]
    assert piped(b"", cwd=tmp_path) == []


def test_a_line_without_an_end_is_bounded(tmp_path: Path) -> None:
    found = piped(b'{"text": "' + b"x" * 20_000_000 + b'"}\n{"text": "Is validator 6 healthy?"}\n', cwd=tmp_path)
    assert found[0] == {"error": "the line is longer than 8,000,000 bytes"} and found[1]["tier"] == "local"


def test_no_network_and_no_provider_sdk(tmp_path: Path) -> None:
    """Every socket call fails, and what was imported is looked through at the end."""
    code = NO_SOCKETS + (
        "from gizzi import cli\n"
        "code = cli.run(['route', 'Should we restart validator 6?', '--critical', '--json'])\n"
        "code += cli.run(['costs', 'project', '--mix', 'local=100', '--json'])\n"
        "heavy = {'openai', 'anthropic', 'google.genai', 'mistralai', 'ollama', 'pydantic_ai', 'litellm', 'sklearn', 'aiohttp'}\n"
        "print(sorted(heavy & sys.modules.keys()), code, file=sys.stderr)\n"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), **KEYS}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60, check=True
    )
    assert ended.stderr == "[] 0\n"
    assert json.loads(ended.stdout[: ended.stdout.index("\n}") + 2])["tier"] == "frontier"


def test_the_refusal_of_sockets_works(tmp_path: Path) -> None:
    """The test above would see a call."""
    code = NO_SOCKETS + f"socket.create_connection(('127.0.0.1', 9)); socket.socket({int(socket.AF_INET)}).connect(('127.0.0.1', 9))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert "a socket was asked for" in ended.stderr
