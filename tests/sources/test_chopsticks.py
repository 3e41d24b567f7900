"""The RPC sources against a real Substrate runtime, run by Chopsticks: real headers, hashes and reorganisations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import missing, need
from gizzi.config import Settings, Validator
from gizzi.errors import SourceError
from gizzi.reach.node import HttpNode
from gizzi.reach.patience import PatientNode
from gizzi.readers.jsonrpc import RpcError
from gizzi.sources.rpc import heartbeat, identity, rpc
from tools import chopsticks
from tools.loopback import Request, loopback

pytestmark = pytest.mark.real

HEALTHY = {"rpc_peers": 0, "rpc_syncing": False, "should_have_peers": False}


@pytest.fixture
async def chain(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[str]:
    need("node")
    if not chopsticks.is_installed():
        missing("chopsticks is not installed; run: python tests/tools/install.py chopsticks")
    async with chopsticks.running(free_port(), tmp_path / "chopsticks.log") as url:
        yield url


@pytest.fixture
async def node() -> AsyncIterator[HttpNode]:
    node = HttpNode()
    yield node
    await node.close()


class Heights:
    def __init__(self, height: int | None) -> None:
        self.height = height

    def check_height(self, chain_id: str) -> int | None:
        return self.height


async def collect(url: str, node: Any, height: int | None = None) -> dict[str, Any]:
    return await rpc(Validator(number=1, rpc_url=url), node, Heights(height), Settings(), {})


async def test_a_real_runtime_is_read_as_it_grows_and_reorganises(chain: str, node: HttpNode) -> None:
    start = await collect(chain, node)
    assert start.items() >= HEALTHY.items()
    height = start["rpc_block_height"]
    assert start["rpc_finalized_height"] == height

    block_hashes = [await chopsticks.call(chain, "dev_newBlock") for _ in range(3)]
    grown = await collect(chain, node, height + 2)
    assert grown == HEALTHY | {
        "rpc_block_height": height + 3,
        "rpc_finalized_height": height + 3,
        "checked_height": height + 2,
        "checked_hash": block_hashes[1],
    }
    assert "checked_hash" not in await collect(chain, node, height + 100)

    await chopsticks.call(chain, "dev_setHead", block_hashes[0])
    await chopsticks.call(chain, "dev_timeTravel", "2040-01-01T00:00:00Z")
    await chopsticks.call(chain, "dev_newBlock")
    forked = await collect(chain, node, height + 2)
    assert (forked["rpc_block_height"], forked["checked_height"]) == (height + 2, height + 2)
    assert forked["checked_hash"] != block_hashes[1]

    assert await heartbeat(Validator(number=1, rpc_url=chain), node) == HEALTHY
    who = await identity(Validator(number=1, rpc_url=chain), node)
    assert who.keys() == {"rpc_version", "peer_id"}
    with pytest.raises(RpcError) as caught:
        await node.rpc(Validator(number=1, rpc_url=chain), "grandpa_roundState")
    assert caught.value.unknown_method
    assert caught.value.code is None


async def test_behind_a_faulty_proxy_each_fault_is_told_apart(chain: str, node: HttpNode) -> None:
    fault = ""
    released = asyncio.Event()

    async def forward(request: Request) -> bytes | None:
        if fault == "hang":
            await released.wait()
        answer = await asyncio.to_thread(chopsticks.raw, chain, request.body)
        match fault:
            case "cut":
                answer = answer[: len(answer) // 2]
            case "html":
                answer = b"<html>502 Bad Gateway</html>"
            case "reset":
                return None
            case "null id":
                answer = answer.replace(b'"id":1', b'"id":null')
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer

    patient = PatientNode(node, 0.3)
    async with loopback(forward) as proxy:
        assert (await collect(proxy.url, patient)).items() >= HEALTHY.items()
        for fault, kind in (("cut", "unreadable"), ("html", "unreadable"), ("reset", "refused"), ("hang", "timeout")):  # noqa: B007
            with pytest.raises(SourceError) as caught:
                await collect(proxy.url, patient)
            assert caught.value.kind == kind
        fault = "null id"
        released.set()
        assert (await collect(proxy.url, patient)).items() >= HEALTHY.items()
