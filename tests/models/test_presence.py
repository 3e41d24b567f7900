"""Who would answer, found out before a library is loaded for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date

from gizzi.config import Settings, parse
from gizzi.models.catalogue import Catalogue
from gizzi.models.merge import catalogue_of
from gizzi.models.presence import Presence
from gizzi.registry import load


def catalogue(url: str) -> Catalogue:
    raw = {
        "plugins": {"folder": "/nonexistent"},
        "providers": {
            "mine": {"api": "openai", "url": url},
            "far": {"api": "openai", "url": "https://models.example/v1", "key_env": "FAR_KEY"},
        },
        "models": {f"{of}/m": {"tier": "local", "price": {"input": 0, "output": 0}} for of in ("mine", "far")},
    }
    settings: Settings = parse(raw, "the test")
    return catalogue_of(settings, load(settings), date(2026, 1, 1))


async def test_a_server_that_listens_serves_and_a_closed_port_does_not(free_port: Callable[[], int]) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await Presence().unserved(catalogue(f"http://127.0.0.1:{port}/v1"), ["mine/m", "far/m"]) == {}
    closed = f"http://127.0.0.1:{free_port()}/v1"
    found = await Presence().unserved(catalogue(closed), ["mine/m", "far/m"])
    assert found == {"mine/m": f"mine/m: no connection to {closed}; is it running?"}, "what is not ours is not knocked at"


async def test_many_at_once_knock_once_and_a_plugins_wire_may_need_no_server(free_port: Callable[[], int]) -> None:
    knocks: list[int] = []

    async def heard(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocks.append(1)
        writer.close()

    server = await asyncio.start_server(heard, "127.0.0.1", 0)
    async with server:
        here, presence = catalogue(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"), Presence()
        assert not any(await asyncio.gather(*(presence.unserved(here, ["mine/m"]) for _ in range(300))))
    assert len(knocks) == 1
    morse = catalogue(f"http://127.0.0.1:{free_port()}/v1")
    of = replace(morse.providers["mine"], api="morse")
    assert await Presence().unserved(replace(morse, providers={**morse.providers, "mine": of}), ["mine/m"]) == {}


async def test_a_name_that_cannot_be_looked_up_serves_nobody() -> None:
    assert list(await Presence().unserved(catalogue("http://nobody.invalid:8000/v1"), ["mine/m"])) == ["mine/m"]


def test_a_question_that_nobody_would_answer_loads_no_library(free_port: Callable[[], int]) -> None:
    code = f"""
import asyncio, sys
from gizzi.config import parse
from gizzi.engine.decide.mind import NoReply, Question
from gizzi.engine.decide.router_mind import RouterMind
from gizzi.errors import GizziError
from gizzi.models.router import Router

raw = {{
    "store": {{"url": "sqlite://"}},
    "plugins": {{"folder": "/nonexistent"}},
    "providers": {{"mine": {{"api": "openai", "url": "http://127.0.0.1:{free_port()}/v1"}}}},
    "models": {{"mine/m": {{"tier": "local", "price": {{"input": 0, "output": 0}}}}}},
    "tiers": {{"local": ["mine/m"], "standard": ["mine/m"], "frontier": ["mine/m"]}},
}}

async def main():
    async with Router(parse(raw, "the test")) as router:
        question = Question("on-call", "local", "Decide.", "What now?", "", "low")
        for ask in (router.ask("Why is it slow?"), RouterMind(router).think(question)):
            try:
                await ask
            except (GizziError, NoReply) as error:
                assert "no connection to" in str(error), error
            else:
                raise SystemExit("somebody answered")
    loaded = {{"pydantic_ai", "openai", "dbos"}} & set(sys.modules)
    raise SystemExit(f"loaded: {{loaded}}" if loaded else 0)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
