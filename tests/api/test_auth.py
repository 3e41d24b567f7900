from __future__ import annotations

import asyncio

import aiohttp
import pytest
from starlette.types import Message

from gizzi.api.auth import Door
from gizzi.app import open_app
from gizzi.config import parse
from gizzi.errors import ConfigError
from gizzi.reach import Reach
from gizzi.serving.people import Person, host_of, is_loopback
from gizzi.store import open_store
from tools.api import Api, serving, watched_api

TOKEN = "open-sesame-2f7c"
SHUT = ("/health", "/metrics", "/api/network/status", "/api/validator/1", "/api/incidents", "/openapi.json", "/nothing")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "LOCALHOST", "localhost.", "gizzi.localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example", "evil"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


async def ask(door: Door, method: str = "GET", path: str = "/x", **headers: str) -> int:
    """The status; the body must not have been read where it was refused."""
    read = False
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal read
        read = True
        return {"type": "http.request", "body": b"x" * 1000, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    await door(scope, receive, send)
    status: int = sent[0]["status"]
    assert not (status == 401 and read)
    return status


def door(*, open_reads: bool, public: bool = False, tokens: tuple[str, ...] = (TOKEN,)) -> Door:
    from pydantic import SecretStr
    from starlette.responses import PlainTextResponse

    return Door(
        PlainTextResponse("in"),
        [Person("ada", "approver", SecretStr(token)) for token in tokens],
        open_reads=open_reads,
        public_status=public,
    )


async def test_reads_are_open_on_loopback_to_loopback_names() -> None:
    here = door(open_reads=True)
    assert await ask(here, host="localhost:8080") == 200
    assert await ask(here, host="127.0.0.1") == 200
    assert await ask(here, host="[::1]:8080") == 200
    assert await ask(here, "HEAD", host="localhost:8080") == 200


async def test_a_rebound_name_is_refused() -> None:
    here = door(open_reads=True)
    assert await ask(here, host="evil.example:8080") == 401
    assert await ask(here, host="localhost:8080@evil.example") == 401
    assert await ask(here) == 401
    assert await ask(here, host="evil.example", authorization=f"Bearer {TOKEN}") == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_writes_need_a_token_everywhere(method: str) -> None:
    here = door(open_reads=True)
    assert await ask(here, method, host="localhost") == 401
    assert await ask(here, method, host="localhost", authorization=f"Bearer {TOKEN}") == 200


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}", "Bearer \xff\xfe"]
)
async def test_a_wrong_token_is_refused(given: str) -> None:
    assert await ask(door(open_reads=False), host="localhost", authorization=given) == 401


async def test_any_of_several_tokens_opens() -> None:
    there = door(open_reads=False, tokens=("one-token", "zweites-wört"))
    assert await ask(there, authorization="bearer one-token") == 200
    assert await ask(there, authorization="Bearer zweites-wört".encode().decode("latin-1")) == 200
    assert await ask(door(open_reads=False, tokens=()), authorization="Bearer ") == 401


async def test_public_status_opens_one_read_alone() -> None:
    there = door(open_reads=False, public=True)
    assert await ask(there, path="/api/network/status", host="dashboard.example") == 200
    assert await ask(there, "POST", path="/api/network/status") == 401
    assert await ask(there, path="/api/network/status/") == 401
    assert await ask(there, path="/api/incidents") == 401


def test_two_host_headers_are_none() -> None:
    from starlette.datastructures import Headers

    assert host_of(Headers(raw=[(b"host", b"localhost"), (b"host", b"evil.example")])) == ""


async def test_beyond_loopback_everything_needs_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZZI_API_TOKEN", TOKEN)
    monkeypatch.setenv("SECOND", "another-token")
    tokens = {"tokens": [{"name": "kim", "token_env": "SECOND"}]}
    async with watched_api(listen="0.0.0.0:0", api=tokens) as api:
        for path in SHUT:
            code, problem = await api.get(path)
            assert (code, problem["title"]) == (401, "Unauthorized"), path
            assert (await api.get(path, Authorization=f"Bearer {TOKEN}"))[0] in (200, 404)
        assert (await api.get("/health", Authorization="Bearer another-token"))[0] == 200


async def test_a_refused_write_is_answered_before_its_body_comes(api: Api) -> None:
    port = int(api.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /api/incidents/inc-1/ack HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401")
    assert b"www-authenticate: Bearer" in head
    writer.close()


async def test_public_status_answers_browsers_on_other_hosts(api: Api) -> None:
    async with aiohttp.ClientSession() as http, http.get(api.url + "/api/network/status") as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with watched_api(api={"public_status": True}) as public:
        async with public.http.get(public.url + "/api/network/status", headers={"Host": "status.example"}) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert (await public.get("/health", Host="status.example"))[0] == 401


async def test_it_refuses_to_listen_beyond_loopback_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIZZI_API_TOKEN", raising=False)
    settings = parse({"validators": [{"number": 1}], "plugins": {"folder": "/nonexistent"}}, "the test")
    async with open_app(settings, store=open_store("sqlite://"), reach=Reach(None, None, None)) as app:  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=r"\[api\] listen '0\.0\.0\.0:0'.*GIZZI_API_TOKEN"):
            async with serving(app, "0.0.0.0:0"):
                pass
