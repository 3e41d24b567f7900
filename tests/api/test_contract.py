"""Every answer is what the OpenAPI document says, whatever is asked: schemathesis over a watched fleet."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest

from conftest import missing
from tools.api import watched_api
from tools.providers import chat, provider

TOKEN = "open-sesame-2f7c"
SPAN_S = 40
ENDLESS = "/api/events"
CONFIG = """
[[operations]]
include-path = "/v1/chat/completions"
checks.positive_data_acceptance.enabled = false
checks.negative_data_rejection.enabled = false
"""
"""What a chat completion may hold is OpenAI's to say, and not in our document."""


@pytest.mark.real
@pytest.mark.timeout(180)
async def test_no_request_breaks_the_openapi_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if importlib.util.find_spec("schemathesis") is None:
        missing("schemathesis is not installed")
    monkeypatch.setenv("GIZZI_API_TOKEN", TOKEN)
    monkeypatch.setattr("gizzi.api.auth.BURST", 10**6)
    async with (
        provider(chat("Fine.")) as fake,
        watched_api(
            {"kind": "peers_drop", "validators": [2], "peers": 1},
            providers={"mine": {"api": "openai", "url": fake.url}, "ollama": {"url": "http://127.0.0.1:9"}},
            models={"mine/m": {"tier": "standard", "price": {"input": 0, "output": 0}}},
            tiers={"standard": ["mine/m"]},
            rules={"peers_low": {"hold": "1s"}},
        ) as api,
    ):
        await api.until(lambda: bool(api.app.watch.correlator.open))
        code, said = await _schemathesis(f"{api.url}/openapi.json", tmp_path)
        assert code == 0, said[-6000:]
        assert "Test cases:" in said or "generated" in said, said[-2000:]


async def _schemathesis(url: str, folder: Path) -> tuple[int, str]:
    words = ["run", url, "--header", f"Authorization: Bearer {TOKEN}", "--exclude-path", ENDLESS]
    words += [
        "--max-time",
        str(SPAN_S),
        "--seed",
        "1",
        "--continue-on-failure",
        "--no-color",
        "--request-timeout",
        "20",
        "--suppress-health-check",
        "all",
    ]
    (folder / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *words),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
