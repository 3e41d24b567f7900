"""The ways in for sources, without a network: the protocols of gizzi.reach over a simulated fleet."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gizzi.config import Validator
from gizzi.errors import SourceError
from gizzi.reach import Samples
from gizzi.sim.node import Gate, SimNode

if TYPE_CHECKING:
    from gizzi.sim.fleet import SimFleet


class FleetNode:
    """Page and RPC of the whole fleet without a network. Time-outs are the caller's: what hangs never answers."""

    def __init__(self, fleet: SimFleet) -> None:
        self._fleet = fleet
        self._nodes = fleet.nodes
        self._now = fleet.clock.now
        self._random = random.Random(f"requests/{fleet.seed}")
        self._wanted: dict[frozenset[str], list[str]] = {}

    async def metrics(self, validator: Validator, names: frozenset[str]) -> Samples:
        node = self._node(validator)
        now = self._now()
        if now >= self._fleet.next_at:
            self._fleet.advance(now)
        if node.page_gate is not None:
            await self._pass(node.page_gate, "the metrics page")
            now = self._fleet.now()
        samples = node.samples(now)
        wanted = self._wanted.get(names)
        if wanted is None:
            wanted = self._wanted[names] = sorted(names & samples.keys())
        return {name: samples[name] for name in wanted}

    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
        node = self._node(validator)
        now = self._now()
        if now >= self._fleet.next_at:
            self._fleet.advance(now)
        if node.rpc_gate is not None:
            await self._pass(node.rpc_gate, method)
            now = self._fleet.now()
        return node.rpc.answer(method, params, now)

    async def batch(self, validator: Validator, calls: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        node = self._node(validator)
        now = self._now()
        if now >= self._fleet.next_at:
            self._fleet.advance(now)
        if node.rpc_gate is not None:
            await self._pass(node.rpc_gate, "a batch of calls")
            now = self._fleet.now()
        answers: list[Any] = []
        for method, *params in calls:
            try:
                answers.append(node.rpc.answer(method, tuple(params), now))
            except SourceError as error:
                answers.append(error)
        return answers

    def _node(self, validator: Validator) -> SimNode:
        node = self._nodes.get(validator.number)
        if node is None:
            raise SourceError("refused", f"there is no validator {validator.number} in the simulation")
        return node

    async def _pass(self, gate: Gate, what: str) -> None:
        if gate.refused:
            raise SourceError("refused", f"{what}: connection refused")
        if gate.loss and self._random.random() < gate.loss:
            raise SourceError("refused", f"{what}: connection lost")
        if gate.delay_s:
            await self._fleet.clock.sleep(gate.delay_s)
        if gate.hang:
            await asyncio.get_running_loop().create_future()
        if gate.garbage:
            raise SourceError("unreadable", f"{what} is neither metrics nor JSON")


class FleetSsh:
    """The hosts of the whole fleet."""

    def __init__(self, fleet: SimFleet) -> None:
        self._fleet = fleet

    async def run(
        self,
        validator: Validator,
        command: Sequence[str],
        *,
        limit_bytes: int = 1_000_000,
        timeout_s: float | None = None,
        with_stderr: bool = False,
    ) -> str:
        host = self._fleet.hosts.get(validator.number)
        if host is None:
            raise SourceError("refused", f"there is no host of validator {validator.number} in the simulation")
        return host.run(command, self._fleet.now())[:limit_bytes]


class NoHttp:
    """There is no other HTTP server in simulated time."""

    async def get_json(self, url: str, params: Any = None) -> Any:
        raise SourceError("refused", f"{url}: there is no such server in simulated time")

    async def get(self, url: str) -> bytes:
        raise SourceError("refused", f"{url}: there is no such server in simulated time")

    async def post_json(self, url: str, body: Any, headers: Any = None) -> None:
        raise SourceError("refused", "there are no channels in simulated time")
