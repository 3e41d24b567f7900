from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

import pytest

from gizzi.api.listen import address_of, bind, url_of
from gizzi.errors import ConfigError
from tools.api import Api, serving


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:9", ("::1", 9)),
        ("localhost:0", ("localhost", 0)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["", "8080", ":8080", "localhost", "::1:80", "localhost:99999", "a b:1", "http://x:1", "x:1/", "[::1]"])
def test_what_is_no_address_names_the_key(text: str) -> None:
    with pytest.raises(ConfigError, match=r"\[api\] listen"):
        address_of(text)


def test_a_taken_port_is_one_line_that_names_the_key(free_port: Callable[[], int]) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ConfigError) as raised:
        bind(f"127.0.0.1:{port}")
    assert "[api] listen" in str(raised.value)
    assert "something listens there already" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["203.0.113.77:0", "no-such-host.invalid:80"])
def test_an_address_that_is_not_ours(text: str) -> None:
    with pytest.raises(ConfigError, match=r"\[api\] listen"):
        bind(text)


def test_the_url_of_ipv6_has_brackets() -> None:
    try:
        bound = bind("[::1]:0")
    except ConfigError:
        pytest.skip("no IPv6 here")
    with bound:
        assert url_of(bound).startswith("http://[::1]:")


async def test_it_stops_soon_with_connections_open(api: Api) -> None:
    async with serving(api.app) as url:
        port = int(url.rpartition(":")[2])
        idle = await asyncio.open_connection("127.0.0.1", port)
        half = await asyncio.open_connection("127.0.0.1", port)
        half[1].write(b"GET /health HTT")
        await half[1].drain()
        began = time.monotonic()
    assert time.monotonic() - began < 2.5
    for _, writer in (idle, half):
        writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)
