"""The simulated fleet over real sockets, read by the same client that reads real nodes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from gizzi.clock import LiveClock
from gizzi.config import Validator
from gizzi.errors import SourceError
from gizzi.reach.node import HttpNode
from gizzi.readers.jsonrpc import RpcError, grandpa_round_state
from gizzi.sim.control import Control
from gizzi.sim.faults import Fault
from gizzi.sim.fleet import SimFleet
from gizzi.sim.server import SimServer
from gizzi.sources.metrics import NAMES, observe
from tools.simulated import fault


class Served:
    def __init__(self, server: SimServer, node: HttpNode) -> None:
        self.server = server
        self.fleet = server.fleet
        self.node = node
        self.validators: dict[int, Validator] = {v.number: v for v in server.validators()}

    async def inject(self, kind: str, number: int, clears_on: Any = "never", **given: Any) -> int:
        handle = self.fleet.inject(fault(kind, self.fleet.now() - self.fleet.start_at, [number], clears_on, **given))
        await self.server.settle()
        return handle

    async def page(self, number: int) -> dict[str, Any]:
        return observe(await self.node.metrics(self.validators[number], NAMES))

    async def rpc(self, number: int, method: str, *params: Any) -> Any:
        return await self.node.rpc(self.validators[number], method, *params)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with SimServer(SimFleet(LiveClock(), validators=4, block_time_s=0.5)) as server:
        node = HttpNode()
        try:
            yield Served(server, node)
        finally:
            await node.close()


async def kind_of(call: Any) -> str:
    with pytest.raises(SourceError) as error:
        await call
    return error.value.kind


async def test_page_and_rpc(served: Served) -> None:
    seen = await served.page(2)
    assert seen["node_name"] == "security-dev01" and seen["peers"] > 10 and seen["tasks_ended"] == ()
    assert (await served.rpc(2, "system_health"))["shouldHavePeers"] is True
    assert grandpa_round_state(await served.rpc(2, "grandpa_roundState"))["grandpa_total_weight"] == 4
    first = int((await served.rpc(2, "chain_getHeader"))["number"], 16)
    await asyncio.sleep(1.3)
    assert int((await served.rpc(2, "chain_getHeader"))["number"], 16) >= first + 2
    with pytest.raises(RpcError) as error:
        await served.rpc(2, "system_peers")
    assert error.value.unsafe


async def test_down_refuses_on_both_ports_and_the_ports_come_back(served: Served) -> None:
    await served.page(1)
    await served.rpc(1, "system_health")
    handle = await served.inject("node_down", 1)
    assert await kind_of(served.page(1)) == await kind_of(served.rpc(1, "system_health")) == "refused"
    assert await served.page(2)
    served.fleet.withdraw(handle, served.fleet.now())
    await served.server.settle()
    assert (await served.page(1))["process_start_at"] > served.fleet.start_at - 1 and await served.rpc(1, "system_version")


async def test_one_door_at_a_time(served: Served) -> None:
    await served.inject("rpc_down", 1)
    await served.inject("metrics_down", 2)
    assert await kind_of(served.rpc(1, "system_health")) == "refused" and await served.page(1)
    assert await kind_of(served.page(2)) == "refused" and await served.rpc(2, "system_health")


async def test_hang_accepts_and_never_answers(served: Served) -> None:
    handle = await served.inject("hang", 1)
    for call in (served.page(1), served.rpc(1, "system_health")):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await call
    served.fleet.withdraw(handle, served.fleet.now())
    assert await served.page(1)


async def test_garbage_is_unreadable_whatever_it_is(served: Served) -> None:
    await served.inject("garbage", 1)
    for _ in range(12):
        assert await kind_of(served.page(1)) == await kind_of(served.rpc(1, "system_health")) == "unreadable"


async def test_slow_and_lost(served: Served) -> None:
    await served.inject("slow", 1, delay_s=0.3)
    began = asyncio.get_running_loop().time()
    await served.rpc(1, "system_health")
    assert asyncio.get_running_loop().time() - began >= 0.3
    await served.inject("lost_scrapes", 2, rate=1)
    assert await kind_of(served.page(2)) == "refused"


async def test_the_keeper_notices_by_itself(served: Served) -> None:
    served.fleet.inject(fault("node_down", served.fleet.now() - served.fleet.start_at + 0.2, [3], 0.6))
    served.fleet.stop(4)
    await asyncio.sleep(0.5)
    assert await kind_of(served.page(3)) == await kind_of(served.page(4)) == "refused"
    await asyncio.sleep(0.7)
    assert await served.page(3)


async def test_plain_http(served: Served) -> None:
    rpc_url, metrics_url = served.validators[1].rpc_url, str(served.validators[1].metrics_url)
    await served.inject("syncing", 2)
    async with aiohttp.ClientSession() as session:

        async def get(url: str) -> tuple[int, str]:
            async with session.get(url) as answer:
                return answer.status, await answer.text()

        async def post(body: bytes) -> Any:
            async with session.post(str(rpc_url), data=body) as answer:
                return json.loads(await answer.read())

        assert (await get(f"{rpc_url}/health/readiness"))[0] == 200
        assert (await get(f"{served.validators[2].rpc_url}/health/readiness"))[0] == 500
        assert json.loads((await get(f"{rpc_url}/health"))[1])["isSyncing"] is False
        assert (await get(str(rpc_url)))[0] == 405 and (await get(metrics_url.replace("/metrics", "/x")))[0] == 404
        assert (await post(b"{"))["error"]["code"] == -32700
        assert (await post(b"[" * 100_000))["error"]["code"] == -32700
        assert (await post(b"7"))["error"]["code"] == -32600
        assert (await post(b'{"method": "system_health", "params": {}, "id": 3}'))["error"]["code"] == -32602
        batch = await post(b'[{"method": "system_health", "id": 1}, {"method": "nope", "id": 2}]')
        assert batch[0]["result"]["peers"] > 0 and batch[1]["error"]["code"] == -32601 and batch[1]["id"] == 2


async def test_two_fleets_side_by_side_and_nothing_left(served: Served) -> None:
    async with SimServer(SimFleet(LiveClock(), validators=2, seed=2)) as other:
        url = str(other.validators()[0].metrics_url)
        assert url != served.validators[1].metrics_url
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_control(served: Served) -> None:
    control = Control(served.server)
    await control.start()
    base = f"http://127.0.0.1:{control.port}"
    try:
        async with aiohttp.ClientSession() as session:

            async def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
                data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
                async with session.request(method, base + path, data=data) as answer:
                    text = await answer.read()
                    return answer.status, json.loads(text) if text else None

            status, down = await call("POST", "/faults", {"kind": "node_down", "validators": [1]})
            assert status == 201 and abs(down["at"] - served.fleet.now()) < 2 and await kind_of(served.page(1)) == "refused"
            assert (await call("GET", "/faults"))[1] == [down]
            assert (await call("DELETE", f"/faults/{down['id']}"))[0] == 204 and await served.page(1)
            assert (await call("DELETE", f"/faults/{down['id']}"))[0] == 404
            await call("POST", "/faults", {"kind": "peers_drop", "validators": "all", "peers": 2})
            assert (await served.rpc(2, "system_health"))["peers"] == 2
            assert (await call("DELETE", "/faults"))[0] == 204 and (await served.rpc(2, "system_health"))["peers"] > 2
            assert (await call("GET", "/validators/2"))[1]["facts"]["up"] is True
            assert (await call("POST", "/validators/2/stop"))[0] == 204 and await kind_of(served.page(2)) == "refused"
            for path, body in (("/faults", {"kind": "x", "validators": [1]}), ("/faults", b"{"), ("/faults", [])):
                status, problem = await call("POST", path, body)
                assert status == 400 and problem["detail"]
            assert (await call("GET", "/validators/99"))[0] == (await call("POST", "/validators/99/stop"))[0] == 404
    finally:
        await control.stop()


def test_faults_named_in_a_plan_are_served_from_the_start() -> None:
    async def check(plan: Fault) -> None:
        async with SimServer(SimFleet(LiveClock(), validators=2, faults=[plan])) as server:
            node = HttpNode()
            try:
                assert await kind_of(node.metrics(server.validators()[0], NAMES)) == "refused"
            finally:
                await node.close()

    asyncio.run(check(fault("node_down", 0, [1])))
