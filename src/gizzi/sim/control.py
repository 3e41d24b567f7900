"""Faults into a running simulated fleet, over HTTP on loopback: for benchmarks and for trying things."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from gizzi.errors import ConfigError
from gizzi.sim.faults import Fault, read_fault
from gizzi.sim.server import LOOPBACK, SimServer


class Control:
    """POST /faults (one fault, as in scenario.toml; at once where it has no at_s), GET /faults, DELETE /faults, DELETE /faults/N,
    POST /validators/N/restart|start|stop, GET /validators/N (the truth about it).
    """

    def __init__(self, server: SimServer) -> None:
        self._server = server
        self._fleet = server.fleet
        self._running: dict[int, Fault] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.post("/faults", self._inject),
                web.get("/faults", self._list),
                web.delete("/faults", self._withdraw_all),
                web.delete("/faults/{id:[0-9]{1,9}}", self._withdraw),
                web.get("/validators/{number:[0-9]{1,9}}", self._truth),
                web.post("/validators/{number:[0-9]{1,9}}/{verb:restart|start|stop}", self._act),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _inject(self, request: web.Request) -> web.Response:
        try:
            raw = json.loads(await request.read())
            since_start_s = self._fleet.now() - self._fleet.start_at
            fault = read_fault(raw, "the fault", list(self._fleet.nodes), list(self._fleet.chains), at_s=since_start_s)
        except ConfigError as error:
            return _problem(400, str(error))
        except (ValueError, RecursionError):
            return _problem(400, "the body is not JSON")
        handle = self._fleet.inject(fault)
        self._running[handle] = fault
        await self._server.settle()
        return web.json_response(self._shown(handle, fault), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response([self._shown(handle, fault) for handle, fault in self._running.items()])

    async def _withdraw(self, request: web.Request) -> web.Response:
        handle = int(request.match_info["id"])
        if self._running.pop(handle, None) is None:
            return _problem(404, f"there is no fault {handle}")
        self._fleet.withdraw(handle, self._fleet.now())
        await self._server.settle()
        return web.Response(status=204)

    async def _withdraw_all(self, request: web.Request) -> web.Response:
        now = self._fleet.now()
        for handle in self._running:
            self._fleet.withdraw(handle, now)
        self._running.clear()
        await self._server.settle()
        return web.Response(status=204)

    async def _truth(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if number not in self._fleet.nodes:
            return _problem(404, f"there is no validator {number}")
        node = self._fleet.nodes[number]
        best, finalized = node.heights(self._fleet.now())
        truth = {"number": number, "name": node.identity.name, "chain": node.chain.id, "block_height": best, "finalized_height": finalized}
        return web.json_response({**truth, "process_start_at": node.started_at, "facts": self._fleet.facts(number)})

    async def _act(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if number not in self._fleet.nodes:
            return _problem(404, f"there is no validator {number}")
        {"restart": self._fleet.restart, "start": self._fleet.start, "stop": self._fleet.stop}[request.match_info["verb"]](number)
        await self._server.settle()
        return web.Response(status=204)

    def _shown(self, handle: int, fault: Fault) -> dict[str, Any]:
        """at: when it begins or began, epoch seconds."""
        return {
            "id": handle,
            "kind": fault.kind,
            "at": self._fleet.start_at + fault.at_s,
            "validators": list(fault.validators) if fault.validators is not None else "all",
            "clears_on": fault.clears_on,
            **fault.parameters,
        }


def _problem(status: int, detail: str) -> web.Response:
    return web.json_response({"status": status, "detail": detail}, status=status)
