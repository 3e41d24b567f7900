from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import os
import resource
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gizzi.config import Validator
from gizzi.errors import SourceError
from gizzi.reach.node import HttpNode
from gizzi.readers.jsonrpc import RpcError
from tools.loopback import Answer, Loopback, Request, error, loopback, never, reply, result, then_close

NAMES = frozenset({"substrate_block_height", "substrate_sub_libp2p_peers_count"})
PAGE = b'substrate_block_height{status="best",chain="x"} 13\nsubstrate_sub_libp2p_peers_count{chain="x"} 2\nother 1\n'


@pytest.fixture
async def node() -> AsyncIterator[HttpNode]:
    node = HttpNode()
    yield node
    await node.close()


def at(server: Loopback) -> Validator:
    return Validator(number=6, metrics_url=f"{server.url}/metrics", rpc_url=server.url)


async def metrics_failure(node: HttpNode, answer: Answer) -> SourceError:
    async with loopback(answer) as server:
        with pytest.raises(SourceError) as caught:
            await node.metrics(at(server), NAMES)
        assert f"127.0.0.1:{server.port}" in str(caught.value)
    return caught.value


async def rpc_failure(node: HttpNode, answer: Answer) -> SourceError:
    async with loopback(answer) as server:
        with pytest.raises(SourceError) as caught:
            await node.rpc(at(server), "system_health")
    assert str(caught.value).isprintable()
    return caught.value


async def test_a_page_is_read_over_a_kept_connection(node: HttpNode) -> None:
    async with loopback(lambda _: reply(PAGE)) as server:
        for _ in range(3):
            samples = await node.metrics(at(server), NAMES)
        assert samples["substrate_block_height"] == [({"status": "best", "chain": "x"}, 13.0)]
        assert "other" not in samples
        assert server.connections == 1


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
async def test_a_compressed_page_is_read(node: HttpNode, compress: Callable[[bytes], bytes]) -> None:
    encoding = "gzip" if compress is gzip.compress else "deflate"
    async with loopback(lambda _: reply(compress(PAGE * 1000), content_encoding=encoding)) as server:
        assert len((await node.metrics(at(server), NAMES))["substrate_block_height"]) == 1000


async def test_a_page_in_chunks_is_read(node: HttpNode) -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE)
    async with loopback(lambda _: chunked) as server:
        assert await node.metrics(at(server), NAMES)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (reply(b"<html><body>nginx</body></html>"), "unreadable", "HTML"),
        (reply(gzip.compress(PAGE)), "unreadable", "gzip"),
        (reply(b""), "unreadable", "empty"),
        (reply(b"\xff\xfe\x00\x01" * 100 + b"\n"), "unreadable", "the page"),
        (reply(PAGE, content_length="5000"), "unreadable", "cut off"),
        (reply(b"not gzip at all", content_encoding="gzip"), "unreadable", "compressed"),
        (reply(gzip.compress(PAGE)[:40], content_encoding="gzip"), "unreadable", "the page"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "unreadable", "HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n", "unreadable", "HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "unreadable", "HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", "unreadable", "HTTP"),
        (reply(b"", "401 Unauthorized"), "unauthorised", "401"),
        (reply(b"", "403 Forbidden"), "unauthorised", "403"),
        (reply(b"", "404 Not Found"), "http", "404"),
        (reply(b"x" * 1000, "500 Internal Server Error"), "http", "500"),
        (reply(b"", "301 Moved", location="http://127.0.0.1:1/"), "http", "redirect"),
        (b"", "refused", "closed the connection"),
    ],
)
async def test_what_is_no_page_says_what_it_is(node: HttpNode, answer: bytes, kind: str, says: str) -> None:
    failure = await metrics_failure(node, then_close(answer))
    assert failure.kind == kind
    assert says in str(failure)


async def test_invalid_utf8_in_a_label_spoils_nothing_else(node: HttpNode) -> None:
    page = b'substrate_build_info{name="\xff\xfe"} 1\n' + PAGE
    async with loopback(lambda _: reply(page)) as server:
        samples = await node.metrics(at(server), NAMES | {"substrate_build_info"})
    assert samples["substrate_sub_libp2p_peers_count"][0][1] == 2
    assert "\ufffd" in samples["substrate_build_info"][0][0]["name"]


async def test_an_endless_page_is_left_at_the_limit() -> None:
    async def endless(request: Request) -> None:
        request.writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            request.writer.write(PAGE * 1000)
            await request.writer.drain()

    node = HttpNode(max_page_bytes=2_000_000)
    tracemalloc.start()
    failure = await asyncio.wait_for(metrics_failure(node, endless), 30)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    await node.close()
    assert failure.kind == "unreadable"
    assert "larger than 2 MB" in str(failure)
    assert peak_bytes < 12_000_000


async def test_a_page_announced_too_large_is_not_read() -> None:
    node = HttpNode(max_page_bytes=1000)
    failure = await metrics_failure(node, lambda _: reply(PAGE, content_length="1001"))
    await node.close()
    assert "larger" in str(failure)


async def test_a_page_of_exactly_the_limit_is_read() -> None:
    node = HttpNode(max_page_bytes=len(PAGE))
    async with loopback(lambda _: reply(PAGE)) as server:
        assert await node.metrics(at(server), NAMES)
    await node.close()


async def test_a_small_answer_cannot_unpack_into_a_huge_one() -> None:
    bomb = gzip.compress(b"\n" * 200_000_000, compresslevel=1)
    node = HttpNode(max_page_bytes=5_000_000)
    tracemalloc.start()
    failure = await metrics_failure(node, lambda _: reply(bomb, content_encoding="gzip"))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    await node.close()
    assert "larger than 5 MB" in str(failure)
    assert peak_bytes < 60_000_000


async def test_nothing_listens(node: HttpNode, free_port: Callable[[], int]) -> None:
    port = free_port()
    validator = Validator(number=6, metrics_url=f"http://user:secret@127.0.0.1:{port}/metrics", rpc_url=f"http://[::1]:{port}")
    with pytest.raises(SourceError) as caught:
        await node.metrics(validator, NAMES)
    assert caught.value.kind == "refused"
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(SourceError) as caught:
        await node.rpc(validator, "system_health")
    assert caught.value.kind == "refused"
    assert f"[::1]:{port}" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://validator-6.invalid:9615/metrics",
        "http://",
        "http://:80",
        "http://" + "a" * 70 + ".invalid/",
        "http://a b/",
        "http://x:99999/",
    ],
)
async def test_an_address_that_leads_nowhere_is_refused(node: HttpNode, url: str) -> None:
    with pytest.raises(SourceError) as caught:
        await node.metrics(Validator(number=6, metrics_url=url), NAMES)
    assert caught.value.kind == "refused"


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare[0] + 1, 64), limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                spare.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in spare:
            os.close(descriptor)


async def test_our_own_lack_of_file_descriptors_is_not_the_node_s_fault(node: HttpNode, free_port: Callable[[], int]) -> None:
    validator = Validator(number=6, rpc_url=f"http://127.0.0.1:{free_port()}")
    node._open()
    with no_descriptor_left(), pytest.raises(SourceError, match="ulimit") as caught:
        await node.rpc(validator, "system_health")
    assert caught.value.kind == "internal"


async def test_a_server_without_tls_is_refused(node: HttpNode) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(PAGE))
        writer.close()

    failure = await tls_failure(node, plain, None)
    assert failure.kind == "refused"


async def test_a_certificate_that_nobody_trusts_is_refused(node: HttpNode, tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    failure = await tls_failure(node, silent, own_certificate(tmp_path))
    assert failure.kind == "refused"
    assert "no trusted TLS connection" in str(failure)
    assert "self-signed" in str(failure)


async def tls_failure(node: HttpNode, serve: Any, context: ssl.SSLContext | None) -> SourceError:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(SourceError) as caught:
        await node.metrics(Validator(number=6, metrics_url=f"https://127.0.0.1:{port}/"), NAMES)
    server.close()
    await server.wait_closed()
    assert f"127.0.0.1:{port}" in str(caught.value)
    return caught.value


def own_certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    (folder / "cert.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_what_is_not_configured_is_named(node: HttpNode) -> None:
    with pytest.raises(SourceError, match="validator 6 has no metrics_url"):
        await node.metrics(Validator(number=6), NAMES)
    with pytest.raises(SourceError, match="validator 6 has no rpc_url"):
        await node.rpc(Validator(number=6), "system_health")


async def test_a_call_gives_its_result(node: HttpNode) -> None:
    def answer(request: Request) -> bytes:
        method, params = request.call
        return result("0x01") if (method, params) == ("chain_getBlockHash", [7]) else error("Method not found", -32601)

    async with loopback(answer) as server:
        assert await node.rpc(at(server), "chain_getBlockHash", 7) == "0x01"
        with pytest.raises(RpcError) as caught:
            await node.rpc(at(server), "nonsense")
        assert server.connections == 1
        assert b"application/json" in server.requests[0].head
    assert caught.value.code == -32601


async def test_several_calls_go_out_in_one_request(node: HttpNode) -> None:
    def answer(request: Request) -> bytes:
        asked = json.loads(request.body)
        answers = [{"id": call["id"], "result": call["method"] + "".join(map(str, call["params"]))} for call in reversed(asked)]
        return reply(json.dumps([*answers[:-1], {"id": 1, "error": {"message": "busy"}}]).encode())

    async with loopback(answer) as server:
        busy, *others = await node.batch(at(server), [("a",), ("b", 1, 2), ("c",)])
        assert isinstance(busy, RpcError) and others == ["b12", "c"]
        assert len(server.requests) == 1


async def test_a_server_that_knows_no_batches_is_told_from_one_that_is_not_there(node: HttpNode, free_port: Callable[[], int]) -> None:
    for answer in (error("no batches"), result(1), reply(b"<html>"), reply(b"", "413 Payload Too Large")):
        async with loopback(then_close(answer)) as server:
            with pytest.raises(SourceError) as caught:
                await node.batch(at(server), [("a",), ("b",)])
        assert caught.value.kind in ("rpc", "unreadable", "http")
    with pytest.raises(SourceError) as caught:
        await node.batch(Validator(number=6, rpc_url=f"http://127.0.0.1:{free_port()}"), [("a",)])
    assert caught.value.kind == "refused"


async def test_a_server_that_does_not_answer_plainly_is_asked_by_the_full_client_alone(node: HttpNode) -> None:
    """What takes the full client, such as chunks, is not asked for twice every time."""
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE)
    async with loopback(lambda _: chunked) as server:
        for _ in range(5):
            assert await node.metrics(at(server), NAMES)
        assert len(server.requests) == 6


async def test_null_for_an_id_and_errors_without_a_code_are_tolerated(node: HttpNode) -> None:
    async with loopback(lambda _: result(4, request_id=None)) as server:
        assert await node.rpc(at(server), "system_health") == 4
    failure = await rpc_failure(node, lambda _: error("busy"))
    assert isinstance(failure, RpcError)
    assert failure.code is None


@pytest.mark.parametrize(
    "body",
    [
        b"<html></html>",
        b"",
        b"[1,2]",
        b'{"id":9,"result":1}',
        b"\xff",
        b"[" * 10_000 + b"]" * 10_000,
        b'{"id":1,"result":' + b"9" * 5000 + b"}",
        b" " * 8_000_001,
    ],
)
async def test_odd_answers_to_calls_are_unreadable(node: HttpNode, body: bytes) -> None:
    failure = await rpc_failure(node, lambda _: reply(body))
    assert failure.kind == "unreadable"
    assert "127.0.0.1" in str(failure)


async def test_a_call_refused_by_a_proxy(node: HttpNode) -> None:
    assert (await rpc_failure(node, lambda _: reply(b"", "401 Unauthorized"))).kind == "unauthorised"
    quoted = reply(json.dumps({"error": "limit\nreached"}).encode(), "429 Too Many", content_type="application/json")
    failure = await rpc_failure(node, lambda _: quoted)
    assert failure.kind == "http"
    assert "limit reached" in str(failure)


async def test_a_kept_connection_that_died_is_not_a_node_that_is_down(node: HttpNode) -> None:
    """The server's restart is seen only when the connection is used again: the first answer never comes."""

    def answer(request: Request) -> bytes | None:
        return None if request.nth > 1 else reply(PAGE) if request.head.startswith(b"GET") else result(1)

    async with loopback(answer) as server:
        for _ in range(3):
            assert await node.metrics(at(server), NAMES)
            assert await asyncio.gather(*(node.rpc(at(server), "system_health") for _ in range(4))) == [1] * 4


async def test_a_restarted_server_is_reached_again(node: HttpNode) -> None:
    async with loopback(lambda _: result(1)) as server:
        await asyncio.gather(*(node.rpc(at(server), "system_health") for _ in range(3)))
        port = server.port
    async with loopback(lambda _: result(2), port) as server:
        assert await asyncio.gather(*(node.rpc(at(server), "system_health") for _ in range(3))) == [2] * 3


async def test_a_call_given_up_leaves_nothing_behind(node: HttpNode) -> None:
    async with loopback(never) as hanging:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await node.rpc(at(hanging), "system_health")
        async with loopback(lambda _: result(1)) as other:
            assert await node.rpc(at(other), "system_health") == 1


async def test_closing_twice_is_harmless_and_closed_may_open_again(caplog: pytest.LogCaptureFixture) -> None:
    node = HttpNode()
    async with loopback(lambda _: result(1)) as server:
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                assert await node.rpc(at(server), "system_health") == 1
                await node.close()
                await node.close()
    assert not caplog.records


async def test_another_s_session_stays_open() -> None:
    owner = HttpNode()
    async with loopback(lambda _: result(1)) as server:
        session: Any = owner._open()
        guest = HttpNode(session)
        assert await guest.rpc(at(server), "system_health") == 1
        await guest.close()
        assert not session.closed
    await owner.close()
