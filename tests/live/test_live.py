"""The daemon on live endpoints: one validator at a time answers nonsense, and the others never notice."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gizzi.sim.__main__ import config_text
from gizzi.sim.faults import read_fault
from gizzi.sim.server import SimServer
from tools.daemon import Daemon
from tools.fleet import gizzi, served
from tools.loopback import Answer, Request, error, loopback, never, reply, result
from tools.prometheus import prometheus_process, static_job

BAD_PAGE, BAD_RPC = 3, 4
MOST_MEMORY_BYTES = 200e6
"""Of the daemon at its worst, while one validator sends 60 MB every half second; measured: 93 MB, half of it Python with its libraries."""
SETTINGS = """
[collect]
every = "0.3s"
timeout = "1s"
[rules.metrics_unreadable]
hold = "1s"
[rules.metrics_down]
hold = "1s"
[rules.rpc_down]
hold = "1s"
"""


class Changing:
    """An answer that a test may change while it is asked for; whoever still waits for the former one is hung up on."""

    def __init__(self, now: Answer) -> None:
        self._now = now
        self._changed = asyncio.Event()

    def change(self, now: Answer) -> None:
        self._now = now
        self._changed.set()
        self._changed = asyncio.Event()

    def __call__(self, request: Request) -> Any:
        answer = self._now(request)
        return answer if answer is None or isinstance(answer, bytes) else self._until_changed(answer)

    async def _until_changed(self, answer: Awaitable[bytes | None]) -> bytes | None:
        answering, changed = asyncio.ensure_future(answer), asyncio.ensure_future(self._changed.wait())
        await asyncio.wait({answering, changed}, return_when=asyncio.FIRST_COMPLETED)
        changed.cancel()
        if answering.done():
            return answering.result()
        answering.cancel()
        return None


def fixed(answer: bytes) -> Answer:
    return lambda _: answer


def chunked(chunk: bytes, times: int) -> Answer:
    """An answer without a length, sent until the reader has had enough."""

    async def send(request: Request) -> None:
        request.writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(times):
            request.writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await request.writer.drain()

    return send


async def drip(request: Request) -> None:
    """A byte now and then, and never the end."""
    request.writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        request.writer.write(b"#")
        await request.writer.drain()
        await asyncio.sleep(0.2)


def head_only(request: Request) -> None:
    """Promises more than it sends."""
    request.writer.write(reply(b"substrate_block_height 1\n", content_length="9999"))


HEALTH = {"peers": 9, "isSyncing": False, "shouldHavePeers": True}


async def half(request: Request) -> bytes | None:
    """Begins to answer a call."""
    request.writer.write(result(HEALTH)[:-9])
    return await never(request)


PAGE = b'substrate_block_height{status="best"} %s\nsubstrate_sub_libp2p_peers_count %s\n# and more \n'
LINE = b"substrate_block_height{" + b'a="b",' * 20 + b"} 1\n"
PAGES: list[tuple[str, Answer, str, str]] = [
    # what the page is, how it is answered, the failure's kind and what it says
    ("html", fixed(reply(b"<!DOCTYPE html><html>502</html>")), "unreadable", "HTML or XML, not metrics"),
    ("empty", fixed(reply(b"")), "unreadable", "is empty"),
    ("truncated", head_only, "unreadable", "cut off"),
    ("gzip bytes", fixed(reply(gzip.compress(PAGE * 100))), "unreadable", "gzip data, not metrics"),
    ("broken gzip", fixed(reply(b"\x1f\x8b" + b"x" * 999, content_encoding="gzip")), "unreadable", "wrongly compressed"),
    ("50 MB and more, told", fixed(reply(b"x" * 10, content_length="60000000")), "unreadable", "larger than 50 MB"),
    ("50 MB and more, untold", chunked(b"# padding\n" * 100_000, 60), "unreadable", "larger than 50 MB"),
    ("a gzip bomb", fixed(reply(gzip.compress(b"\n" * 300_000_000, 1), content_encoding="gzip")), "unreadable", "larger than 50 MB"),
    ("one endless line", chunked(b"x" * 1_000_000, 60), "unreadable", "larger than 50 MB"),
    ("too many lines", fixed(reply(LINE * 20_000)), "unreadable", "more than 10000 lines"),
    ("not UTF-8", fixed(reply(b"\xff\xfe\xfd" * 5000)), "unreadable", "no complete line"),
    ("another exporter's", fixed(reply(b"node_cpu_seconds_total 1\n")), "unreadable", "no metric of a Substrate node"),
    ("not HTTP", fixed(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "unreadable", "does not answer in HTTP"),
    ("an error", fixed(reply(b"no", status="503 Service Unavailable")), "http", "HTTP 503"),
    ("a redirect", fixed(reply(b"", status="302 Found", location="http://127.0.0.1:1/")), "http", "redirects are not followed"),
    ("closed", lambda _: None, "refused", "closed the connection without an answer"),
    ("for others only", fixed(reply(b"", status="401 Unauthorized")), "unauthorised", "HTTP 401"),
    ("NaN and 1e999", fixed(reply(PAGE % (b"NaN", b"1e999"))), "unreadable", "no metric of a Substrate node"),
    (
        "a label that is no text",
        fixed(reply(b'substrate_block_height{status="be\xff\xfest"} 5\n')),
        "unreadable",
        "no metric of a Substrate",
    ),
    ("nothing", never, "timeout", "did not answer in"),
    ("a byte now and then", drip, "timeout", "did not answer in"),
]
HALF_A_NUMBER = fixed(reply(PAGE % (b"1161122", b"9") + b'substrate_block_height{status="finalized"} 11'))
RPCS: list[tuple[str, Answer, str, str]] = [
    ("an array", fixed(reply(b"[1,2,3]")), "unreadable", "system_health at 127.0.0.1:PORT: the answer is an array, not a JSON-RPC object"),
    ("the id of another", fixed(result(HEALTH, request_id=7)), "unreadable", "the id of another request"),
    ("10,000 deep", fixed(reply(b"[" * 10_000 + b"]" * 10_000)), "unreadable", "nested too deep|is an array"),
    ("100,000 deep", fixed(reply(b'{"id":1,"result":' + b"[" * 100_000)), "unreadable", "nested too deep"),
    ("html", fixed(reply(b"<html>502</html>")), "unreadable", "the answer is HTML"),
    ("gzip bytes", fixed(reply(gzip.compress(b"{}"))), "unreadable", "not UTF-8 text|not JSON"),
    ("empty", fixed(reply(b"")), "unreadable", "the answer is empty"),
    ("half", half, "timeout", "did not answer"),
    ("neither", fixed(reply(b'{"jsonrpc":"2.0","id":1}')), "unreadable", "neither a result nor an error"),
    ("a result of the wrong kind", fixed(result([HEALTH])), "unreadable", "system_health"),
    ("numbers that cannot be", fixed(reply(b'{"id":1,"result":{"peers":1e999,"isSyncing":"no"}}')), "unreadable", "system_health"),
    ("a number of 10,000 digits", fixed(reply(b'{"id":1,"result":{"peers":' + b"9" * 10_000 + b"}}")), "unreadable", "not JSON"),
    ("9 MB", fixed(reply(b'{"result":"' + b"x" * 9_000_000 + b'"}')), "unreadable", "larger than 8 MB"),
    ("50 MB and more", chunked(b" " * 1_000_000, 60), "unreadable", "larger than 8 MB"),
    ("an error without a code", fixed(error("no such \x1b[31mmethod\nTraceback")), "rpc", r"error: no such \[31mmethod Traceback"),
    ("an error that is long", fixed(error("x" * 100_000, -32000)), "rpc", "error -32000: x+…"),
    ("closed", lambda _: None, "refused", "closed the connection"),
    ("an error of HTTP", fixed(reply(b"no", status="500 Internal Server Error")), "http", "HTTP 500"),
    ("nothing", never, "timeout", "system_health did not answer in"),
]


@asynccontextmanager
async def watched(folder: Path, server: SimServer, changes: dict[int, dict[str, Any]], more: str = "") -> AsyncIterator[Daemon]:
    """A daemon that watches the fleet, with other addresses for some validators. It must not say what no user should see."""
    validators = [v.model_copy(update=changes.get(v.number, {})) for v in server.validators()]
    (folder / "gizzi.toml").write_text(config_text(server.fleet.settings_chains(), validators) + SETTINGS + more)
    daemon = await Daemon.start(folder)
    try:
        yield await daemon.ready()
        assert await daemon.stop() == 0
    finally:
        await daemon.kill()
        assert "Traceback" not in daemon.said and "fault in Gizzi" not in daemon.said, daemon.said
        assert all(line.isprintable() and len(line) < 1500 for line in daemon.lines)


async def others_are_well(daemon: Daemon, *numbers: int) -> None:
    statuses = await daemon.statuses()
    for number in numbers:
        shown = statuses[number]
        assert (shown["health"], shown["reasons"]) == ("healthy", []), shown
        age_s = (datetime.now(UTC) - datetime.fromisoformat(shown["observed_at"])).total_seconds()
        assert age_s < 3.0, f"validator {number} was last seen {age_s:.1f} s ago"


def memory_bytes(daemon: Daemon) -> float:
    """The most it ever used."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return float(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


async def fails_as(daemon: Daemon, number: int, way: str, kind: str, words: str) -> dict[str, Any]:
    """Wait for that failure; gives the validator."""
    page: dict[str, Any] = {}
    for _ in range(300):
        page = await daemon.get(f"/api/validator/{number}")
        failure = page["failures"].get(way)
        if failure and failure["kind"] == kind and re.search(words, failure["text"]):
            text = failure["text"]
            assert text.isprintable() and len(text) <= 300, text
            return page
        await asyncio.sleep(0.05)
    raise AssertionError(f"it should fail as {kind} ({words}); it is {page}\n{daemon.said}")


async def bad_pages(daemon: Daemon, page: Changing) -> None:
    for name, answer, kind, words in PAGES:
        page.change(answer)
        shown = await fails_as(daemon, BAD_PAGE, "metrics", kind, words)
        assert shown["up"] is True, (name, "its RPC works")
        assert shown["finalized_height"] is None, name
        await others_are_well(daemon, 1, 2)
    shown = await daemon.get(f"/api/validator/{BAD_PAGE}")
    assert shown["health"] != "healthy" and any("did not answer in" in reason for reason in shown["reasons"])


async def bad_answers(daemon: Daemon, rpc: Changing, port: int) -> None:
    for name, answer, kind, words in RPCS:
        rpc.change(answer)
        shown = await fails_as(daemon, BAD_RPC, "rpc", kind, words.replace("PORT", str(port)))
        assert shown["up"] is True and shown["block_height"] is not None, (name, "its page works")
        await others_are_well(daemon, 1, 2)
    shown = await daemon.get(f"/api/validator/{BAD_RPC}")
    assert shown["peers"] is not None, "known from the page"


async def test_whatever_one_validator_answers_the_others_go_on(tmp_path: Path) -> None:
    page, rpc = Changing(fixed(reply(b""))), Changing(fixed(reply(b"")))
    async with served(4) as server, loopback(page) as pages, loopback(rpc) as calls:
        changes = {BAD_PAGE: {"metrics_url": f"{pages.url}/metrics"}, BAD_RPC: {"rpc_url": calls.url}}
        async with watched(tmp_path, server, changes) as daemon:
            await fails_as(daemon, BAD_PAGE, "metrics", "unreadable", "is empty")
            await fails_as(daemon, BAD_RPC, "rpc", "unreadable", "is empty")
            await asyncio.gather(bad_pages(daemon, page), bad_answers(daemon, rpc, calls.port))
            page.change(HALF_A_NUMBER)
            rpc.change(fixed(result(HEALTH)))
            shown = await until(daemon, BAD_PAGE, lambda shown: shown["block_height"] is not None)
            assert (shown["block_height"], shown["finalized_height"]) == (1161122, None), "never half a number"
            assert memory_bytes(daemon) < MOST_MEMORY_BYTES, f"{memory_bytes(daemon) / 1e6:.0f} MB"


async def test_an_unreachable_prometheus_is_one_line_and_leaves_everybody_unknown(tmp_path: Path, free_port: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with served(3) as server:
        validators = [{"rpc_url": None} for _ in range(4)]
        async with watched(tmp_path, server, dict(enumerate(validators)), f'[prometheus]\nurl = "{url}"\n') as daemon:
            await until(daemon, 3, lambda shown: len(shown["reasons"]) > 1)
            statuses = await daemon.statuses()
            for shown in statuses.values():
                assert (shown["health"], shown["up"]) == ("unknown", None)
                assert shown["reasons"][-1].startswith(f"[prometheus] url {url}: no connection to ") and len(shown["reasons"]) == 2
            assert "node_down" not in daemon.said
    (tmp_path / "gizzi.toml").write_text(f'[prometheus]\nurl = "{url}"\n')
    ended = await gizzi("watch", "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert ended.returncode == 1 and ended.stdout == "" and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"gizzi: [prometheus] url {url}: no connection to 127.0.0.1")


@pytest.mark.real
async def test_the_whole_way_through_a_real_prometheus(tmp_path: Path, free_port: Any) -> None:
    """Healthy; a node goes down; the Prometheus server itself goes down: unknown, which is not down."""
    async with served(4) as server:
        pages = {v.number: re.sub(r"http://|/metrics", "", str(v.metrics_url)) for v in server.validators()}
        jobs = [static_job("substrate", *pages.values())]
        changes = {n: {"rpc_url": None} for n in pages}
        async with prometheus_process(tmp_path, free_port(), jobs) as (url, prometheus):
            more = f'[prometheus]\nurl = "{url}"\n[rules.node_down]\nhold = "1s"\n[rules.quorum_at_risk]\nenabled = false\n'
            async with watched(tmp_path, server, changes, more) as daemon:
                await until_health(daemon, *pages, health="healthy")
                fleet = server.fleet
                raw = {"kind": "node_down", "validators": [2], "clears_on": "never"}
                handle = fleet.inject(read_fault(raw, "the test", list(fleet.nodes), list(fleet.chains), at_s=fleet.now() - fleet.start_at))
                await server.settle()
                await daemon.until_said("opened", "rule=node_down", "Validator 2")
                statuses = await daemon.statuses()
                assert statuses[2]["up"] is False and statuses[2]["health"] == "critical"
                await others_are_well(daemon, 1, 3, 4)
                fleet.withdraw(handle, fleet.now())
                await server.settle()
                await daemon.until_said("resolved", "rule=node_down")
                await until_health(daemon, *pages, health="healthy")

                prometheus.kill()
                await until_health(daemon, *pages, health="unknown")
                await asyncio.sleep(1.5)
                statuses = await daemon.statuses()
                assert {shown["up"] for shown in statuses.values()} == {None}
                for shown in statuses.values():
                    assert shown["reasons"][-1].startswith(f"[prometheus] url {url}: no connection to "), shown
                incidents = await daemon.get("/api/incidents")
                assert [incident["rule"] for incident in incidents] == ["node_down"], "the server that tells is gone, no node is"


async def until_health(daemon: Daemon, *numbers: int, health: str) -> None:
    for number in numbers:
        await until(daemon, number, lambda shown: shown["health"] == health)


async def until(daemon: Daemon, number: int, condition: Callable[[dict[str, Any]], bool], within_s: float = 30.0) -> dict[str, Any]:
    """Wait until the validator is so; gives it."""
    shown: dict[str, Any] = {}
    for _ in range(int(within_s / 0.1)):
        shown = (await daemon.statuses())[number]
        if condition(shown):
            return shown
        await asyncio.sleep(0.1)
    raise AssertionError(f"{json.dumps(shown, indent=1)}\n{daemon.said}")
