"""`gizzi watch` as a process, and OpenAI's own client as somebody's tool that uses it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

import openai
import pytest

from conftest import need
from tools.daemon import Daemon
from tools.fleet import served, write_config
from tools.providers import chat, chat_stream, provider

NO_KEYS = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"), "")
QUESTION: Any = [{"role": "user", "content": "What is the capital of France?"}]
ROWS = """
[providers.mine]
api = "openai"
url = "{url}"
[providers.ollama]
url = "http://127.0.0.1:9"
[models."mine/m"]
tier = "standard"
price = {{ input = 1, output = 2 }}
[tiers]
standard = ["mine/m"]
"""


async def test_the_daemon_is_an_openai_server_with_its_token_as_the_key(tmp_path: Path) -> None:
    async with served(4) as server, provider(chat("Paris."), chat_stream("Quite ", "well.")) as fake:
        write_config(tmp_path, server, ROWS.format(url=fake.url))
        daemon = await (await Daemon.start(tmp_path, env={**NO_KEYS, "GIZZI_API_TOKEN": "sesame"})).ready()
        try:
            line = await daemon.until_said("for every OpenAI client")
            assert f"{daemon.url}/v1" in line and "sesame" not in daemon.said
            async with openai.AsyncOpenAI(base_url=f"{daemon.url}/v1", api_key="sesame", max_retries=0) as client:
                whole = await client.chat.completions.create(model="gizzi/auto", messages=QUESTION)
                stream = await client.chat.completions.create(model="gizzi/auto", messages=QUESTION, stream=True)
                said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
                status = (await daemon.get("/health"))["status"]
            assert (whole.choices[0].message.content, said, status) == ("Paris.", "Quite well.", "ok")
            assert await daemon.stop() == 0 and "request_failed" not in daemon.said
        finally:
            await daemon.kill()


DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-model.md"
CLIENTS = re.findall(r"^```(python|sh) client\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


async def test_the_clients_of_the_documentation_work(tmp_path: Path) -> None:
    assert [language for language, _ in CLIENTS] == ["python", "python", "sh"]
    need("curl")
    async with served(4) as server, provider(chat("It picks."), chat("It picks."), chat_stream("It ", "picks.")) as fake:
        write_config(tmp_path, server, ROWS.format(url=fake.url))
        daemon = await (await Daemon.start(tmp_path, env={**NO_KEYS, "GIZZI_API_TOKEN": "sesame"})).ready()
        try:
            said = [await run(language, text.replace("http://127.0.0.1:8080", daemon.url)) for language, text in CLIENTS]
        finally:
            await daemon.kill()
    assert said[0].splitlines()[0] == "It picks." and said[0].splitlines()[1].startswith("mine/m 0.000018 ")
    assert said[1] == "It picks.\n"
    assert said[2].endswith("data: [DONE]\n\n") and '"content": "picks."' in said[2]


async def run(language: str, text: str) -> str:
    words = [sys.executable, "-c", text] if language == "python" else ["sh", "-c", text]
    env = {**os.environ, "GIZZI_API_TOKEN": "sesame"}
    process = await asyncio.create_subprocess_exec(*words, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_without_a_token_it_says_how_to_get_one(tmp_path: Path) -> None:
    async with served(4) as server:
        write_config(tmp_path, server)
        daemon = await (await Daemon.start(tmp_path, env={**NO_KEYS, "GIZZI_API_TOKEN": ""})).ready()
        try:
            line = await daemon.until_said("no token is set")
            assert "export GIZZI_API_TOKEN=$(openssl rand -hex 24)" in line
            async with openai.AsyncOpenAI(base_url=f"{daemon.url}/v1", api_key="guess", max_retries=0) as client:
                assert "gizzi/auto" in [model.id async for model in client.models.list()], "reads are open on loopback"
                with pytest.raises(openai.AuthenticationError, match="this needs a token and none is set"):
                    await client.chat.completions.create(model="gizzi/auto", messages=QUESTION)
        finally:
            await daemon.kill()
