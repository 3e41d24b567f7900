from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gizzi.errors import SourceError
from gizzi.reach.http import HttpClient, place
from tools.loopback import Request, loopback, never, reply


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(timeout_s=2)
    yield client
    await client.close()


async def test_json_is_asked_for_with_parameters(http: HttpClient) -> None:
    async with loopback(lambda _: reply(b'{"status":"success"}')) as server:
        assert await http.get_json(f"{server.url}/api/v1/query", {"query": 'up{job="a b"} + 1'}) == {"status": "success"}
        assert await http.get_json(f"{server.url}/api/v1/query") == {"status": "success"}
    assert server.requests[0].head.startswith(b"GET /api/v1/query?query=up%7Bjob%3D%22a+b%22%7D+%2B+1 HTTP/1.1")


async def test_bytes_are_given_as_they_are(http: HttpClient) -> None:
    async with loopback(lambda _: reply(b"\xff\x00")) as server:
        assert await http.get(f"{server.url}/metrics") == b"\xff\x00"


async def test_user_and_password_of_the_address_are_sent_and_never_shown(http: HttpClient) -> None:
    def answer(request: Request) -> bytes:
        return reply(b"1") if b"Authorization: Basic dXNlcjpzZWNyZXQ=" in request.head else reply(b"", "401 Unauthorized")

    async with loopback(answer) as server:
        assert await http.get_json(f"http://user:secret@127.0.0.1:{server.port}/") == 1
        with pytest.raises(SourceError) as caught:
            await http.get_json(f"http://user:wrong@127.0.0.1:{server.port}/")
    assert caught.value.kind == "unauthorised"
    assert "wrong" not in str(caught.value)


async def test_an_explained_refusal_is_quoted(http: HttpClient) -> None:
    why = b'{"status":"error","errorType":"bad_data","error":"parse error at char 3"}'
    async with loopback(lambda _: reply(why, "400 Bad Request", content_type="application/json")) as server:
        with pytest.raises(SourceError, match=r"answered HTTP 400: parse error at char 3") as caught:
            await http.get_json(server.url)
    assert caught.value.kind == "http"


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000, b"\xff", b"{"])
async def test_what_is_not_json_is_unreadable(http: HttpClient, body: bytes) -> None:
    async with loopback(lambda _: reply(body)) as server:
        with pytest.raises(SourceError, match=f"127.0.0.1:{server.port}: the answer is ") as caught:
            await http.get_json(server.url)
    assert caught.value.kind == "unreadable"


async def test_a_server_that_hangs_is_a_timeout() -> None:
    client = HttpClient(timeout_s=0.1)
    async with loopback(never) as server:
        with pytest.raises(SourceError, match=r"did not answer in 0\.1 s") as caught:
            await client.get(server.url)
    await client.close()
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@node.example:9615/metrics?token=1", "node.example:9615"),
        ("https://node.example/", "node.example:443"),
        ("http://[::1]:9944", "[::1]:9944"),
        ("http://", "the address"),
        ("http://x:99999999/", "the address"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert place(url) == shown
