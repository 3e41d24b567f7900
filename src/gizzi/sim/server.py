"""The simulated fleet on loopback, in real time: a port for each validator's metrics and one for its RPC, closed while it is down."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from gizzi.config import Validator
from gizzi.readers.jsonrpc import METHOD_NOT_FOUND, RpcError
from gizzi.sim.answers import INVALID_PARAMS
from gizzi.sim.fleet import SimFleet
from gizzi.sim.node import Gate, SimNode
from gizzi.sim.page import PageWriter

LOOPBACK = "127.0.0.1"
TICK_S = 0.1
"""How soon a port closes after its validator went down, and how exactly gauges are renewed."""
BACKLOG = 128

_PAGE_TYPE = {"Content-Type": "text/plain; version=0.0.4"}
_JSON_TYPE = {"Content-Type": "application/json"}
_NONSENSE = (
    (b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", {"Content-Type": "text/html"}),
    (bytes(range(256)) * 8, {"Content-Type": "application/octet-stream"}),
    (b"substrate_block_height{status=\xff\xfe} not a number\n\x00\x00", {"Content-Type": "text/plain"}),
)
_PARSE_ERROR, _INVALID_REQUEST = -32700, -32600


class Door:
    """One port. While it is closed the port stays ours, and whoever connects is refused."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self._holder: socket.socket | None = _bound(0)
        self.port: int = self._holder.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._http: web.Server | None = None

    @property
    def is_open(self) -> bool:
        return self._server is not None

    async def open(self) -> None:
        if self._server is not None:
            return
        listener = _bound(self.port)
        self._http = web.Server(self._handler, handler_cancellation=True, access_log=None, keepalive_timeout=300)
        self._server = await asyncio.get_running_loop().create_server(self._http, sock=listener, backlog=BACKLOG)
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    async def close(self) -> None:
        """Refuse connections, and end those there are."""
        if self._server is None or self._http is None:
            return
        self._holder = _bound(self.port)
        self._server.close()
        self._server = None
        for connection in self._http.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)

    async def give_up(self) -> None:
        await self.close()
        if self._holder is not None:
            self._holder.close()
            self._holder = None


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((LOOPBACK, port))
    return bound


class ServedNode:
    """One validator and its two ports."""

    def __init__(self, fleet: SimFleet, node: SimNode, chance: random.Random) -> None:
        self._fleet = fleet
        self._chance = chance
        self._writer = PageWriter(node)
        self.node = node
        self.metrics = Door(self._page)
        self.rpc = Door(self._rpc)

    async def settle(self) -> None:
        """Open and close the ports as the validator's state asks."""
        for door, gate in ((self.metrics, self.node.page_gate), (self.rpc, self.node.rpc_gate)):
            refused = gate is not None and gate.refused
            if door.is_open == refused:
                await (door.close() if refused else door.open())

    async def _page(self, request: web.BaseRequest) -> web.StreamResponse:
        now = self._fleet.now()
        answer = await self._pass(self.node.page_gate, request)
        if answer is not None:
            return answer
        if request.path != "/metrics":
            return web.Response(status=404, text="Not found")
        return await _send(request, self._writer.write(now))

    async def _rpc(self, request: web.BaseRequest) -> web.StreamResponse:
        self._fleet.now()
        answer = await self._pass(self.node.rpc_gate, request)
        if answer is not None:
            return answer
        if request.method == "GET" and request.path.startswith("/health"):
            return self._health(request.path)
        if request.method != "POST":
            return web.Response(status=405, text="Used HTTP Method is not allowed. POST or OPTIONS is required")
        return web.Response(body=json.dumps(self._answer(await request.read())).encode(), headers=_JSON_TYPE)

    async def _pass(self, gate: Gate | None, request: web.BaseRequest) -> web.StreamResponse | None:
        """What a fault answers in the node's stead; None where the node itself does."""
        if gate is None:
            return None
        if gate.refused or (gate.loss and self._chance.random() < gate.loss):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if gate.delay_s:
            await asyncio.sleep(gate.delay_s)
        if gate.hang:
            await asyncio.get_running_loop().create_future()
        if gate.garbage:
            body, headers = self._chance.choice(_NONSENSE)
            return web.Response(body=body, headers=headers)
        return None

    def _health(self, path: str) -> web.Response:
        health = self.node.rpc.answer("system_health", (), self._fleet.now())
        if path == "/health/readiness":
            ready = not health["isSyncing"] and health["peers"] > 0
            return web.Response(status=200 if ready else 500)
        return web.json_response(health)

    def _answer(self, body: bytes) -> Any:
        try:
            call = json.loads(body)
        except (ValueError, RecursionError):
            return _error(None, _PARSE_ERROR, "Parse error")
        if isinstance(call, list):
            return [self._answer_one(one) for one in call[:100]]
        return self._answer_one(call)

    def _answer_one(self, call: Any) -> dict[str, Any]:
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return _error(None, _INVALID_REQUEST, "Invalid request")
        params = call.get("params", [])
        if not isinstance(params, list):
            return _error(call.get("id"), INVALID_PARAMS, "Invalid params")
        try:
            result = self.node.rpc.answer(call["method"], tuple(params), self._fleet.now())
        except RpcError as error:
            return _error(call.get("id"), error.code or METHOD_NOT_FOUND, error.reason)
        return {"jsonrpc": "2.0", "result": result, "id": call.get("id")}


def _error(call_id: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": call_id}


async def _send(request: web.BaseRequest, page: bytes) -> web.StreamResponse:
    """Answer with a page and forget it: a kept connection keeps its last response, and with it a body of half a megabyte."""
    response = web.StreamResponse(headers={**_PAGE_TYPE, "Content-Length": str(len(page))})
    await response.prepare(request)
    await response.write(page)
    await response.write_eof()
    return response


class SimServer:
    """`async with SimServer(fleet) as server:` the fleet answers at the addresses of `server.validators()`. The fleet's clock is live."""

    def __init__(self, fleet: SimFleet) -> None:
        self.fleet = fleet
        self.served: dict[int, ServedNode] = {}
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.fleet.now()
        chance = random.Random(f"server/{self.fleet.seed}")
        self.served = {number: ServedNode(self.fleet, node, chance) for number, node in self.fleet.nodes.items()}
        self.fleet.changed.clear()
        for served in self.served.values():
            await served.settle()
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await asyncio.gather(*(door.give_up() for served in self.served.values() for door in (served.metrics, served.rpc)))

    def validators(self) -> list[Validator]:
        """The fleet as gizzi.toml would list it, at its real addresses."""
        return [
            validator.model_copy(
                update={
                    "metrics_url": f"http://{LOOPBACK}:{self.served[validator.number].metrics.port}/metrics",
                    "rpc_url": f"http://{LOOPBACK}:{self.served[validator.number].rpc.port}",
                }
            )
            for validator in self.fleet.settings_validators()
        ]

    async def settle(self) -> None:
        """Let everything due happen, and open and close ports accordingly."""
        now = self.fleet.now()
        while self.fleet.changed:
            await self.served[self.fleet.changed.pop()].settle()
        for node in self.fleet.nodes.values():
            if now >= node.page_due_at:
                node.samples(now)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self.settle()
