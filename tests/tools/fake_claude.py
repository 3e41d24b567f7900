"""A stand-in for Claude Code's program: a script that notes what it is started with, and prints, hangs, floods or fails as planned."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gizzi.config import Settings, load

OPTIONS = (
    "--print --output-format --tools --disallowedTools --permission-mode --setting-sources --strict-mcp-config --disable-slash-commands "
    "--no-session-persistence --max-budget-usd --mcp-config --allowedTools --system-prompt --json-schema --model"
)
SCRIPT = """#!{python} -S
import json, os, subprocess, sys, time
from pathlib import Path

here = Path({folder!r})
plan = json.loads((here / "plan.json").read_text())
if sys.argv[1:] == ["--help"]:
    print(plan["options"])
    sys.exit(0)
if sys.argv[1:] == ["auth", "status"]:
    print(json.dumps({{"loggedIn": plan["logged_in"], "authMethod": "none"}}))
    sys.exit(0 if plan["logged_in"] else 1)
files = {{path.name: path.read_text() for path in Path.cwd().iterdir()}}
noted = {{"arguments": sys.argv[1:], "given": sys.stdin.read(), "environment": dict(os.environ), "files": files, "folder": os.getcwd()}}
if plan["do"] == "hang":
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-S", "-c", stubborn], stdout=subprocess.PIPE)
    child.stdout.readline()
    noted["processes"] = [os.getpid(), child.pid]
(here / "asked.part").write_text(json.dumps(noted))
(here / "asked.part").rename(here / "asked.json")
if plan["do"] == "hang":
    time.sleep(600)
while plan["do"] == "flood":
    sys.stdout.write("x" * 65536)
sys.stdout.write(plan["output"])
sys.stderr.write(plan["words"])
sys.exit(plan["code"])
"""
FLEET = """
[[validators]]
number = 6
metrics_url = "http://127.0.0.1:9/metrics"
"""


def result(text: Any = "Validator 6 is well.", cost: str = "0.0014540", **more: Any) -> str:
    """What the program prints at its end, in the shape of 2.1.330; its `usage` is only of the last model. cost: digits, as they stand."""
    usage = {"input_tokens": 100, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 50}
    counts = {"inputTokens": 100, "outputTokens": 50, "cacheReadInputTokens": 20, "cacheCreationInputTokens": 10, "costUSD": 0.001}
    small = {"inputTokens": 7, "outputTokens": 3, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0, "costUSD": 0.0004}
    found = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "api_error_status": None,
        "num_turns": 1,
        "stop_reason": "end_turn",
        "result": text,
        "session_id": "ce46da52-78f1-4967-afb6-49b7714e5a67",
        "total_cost_usd": 0,
        "usage": usage,
        "modelUsage": {"claude-opus-5-5": counts, "claude-haiku-5-5": small},
        "permission_denials": [],
        **more,
    }
    return json.dumps(found).replace('"total_cost_usd": 0', f'"total_cost_usd": {cost}')


@dataclass
class FakeClaude:
    """One in a folder of its own, with a gizzi.toml beside it that names it."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "claude"

    @property
    def asked(self) -> dict[str, Any]:
        """What it was last started with."""
        found: dict[str, Any] = json.loads((self.folder / "asked.json").read_text())
        return found

    @property
    def folder_is_gone(self) -> bool:
        return not Path(self.asked["folder"]).exists()

    @property
    def was_asked(self) -> bool:
        return (self.folder / "asked.json").exists()

    def plans(self, output: str = "", *, do: str = "print", code: int = 0, words: str = "", **more: Any) -> FakeClaude:
        plan = {"do": do, "output": output, "code": code, "words": words, "options": OPTIONS, "logged_in": True, **more}
        (self.folder / "plan.json").write_text(json.dumps(plan))
        return self

    def configured(self, more: str = FLEET, **provider: str) -> Settings:
        """Nothing else can be reached, and no daemon answers."""
        rows = {"program": str(self.program), **provider}
        lines = [f"{key} = {json.dumps(value)}" for key, value in rows.items()]
        elsewhere = '[api]\nlisten = "127.0.0.1:9"\n[providers.ollama]\nurl = "http://127.0.0.1:9"\n'
        file = self.folder / "gizzi.toml"
        file.write_text("\n".join(["[providers.claude-code]", *lines, elsewhere, more]))
        return load(file)


def fake_claude(folder: Path) -> FakeClaude:
    """It answers well until it plans something else."""
    place = folder / "program"
    place.mkdir()
    fake = FakeClaude(place)
    fake.program.write_text(SCRIPT.format(python=sys.executable, folder=str(place)))
    fake.program.chmod(0o755)
    return fake.plans(result())
