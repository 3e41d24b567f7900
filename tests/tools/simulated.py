"""A simulated fleet whose time a test moves by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gizzi.config import Validator
from gizzi.reach import Samples
from gizzi.sim.faults import Fault, read_fault
from gizzi.sim.fleet import ChainPlan, SimFleet
from gizzi.sources.metrics import NAMES

START_AT = 1_767_225_600.0


class HandClock:
    def __init__(self) -> None:
        self.at = START_AT

    def now(self) -> float:
        return self.at

    async def sleep(self, duration_s: float) -> None:
        self.at += duration_s


class Lab:
    """A fleet, and short ways to look at it."""

    def __init__(self, *faults: Fault, validators: int = 21, chains: Sequence[ChainPlan] = (), seed: int = 1, **given: Any) -> None:
        self.clock = HandClock()
        self.fleet = SimFleet(self.clock, validators=validators, seed=seed, chains=chains, faults=faults, **given)
        self.reach = self.fleet.reach()
        self.validators: dict[int, Validator] = {v.number: v for v in self.fleet.settings_validators()}

    def go_to(self, since_start_s: float) -> Lab:
        self.clock.at = START_AT + since_start_s
        self.fleet.now()
        return self

    async def page(self, number: int) -> Samples:
        return await self.reach.node.metrics(self.validators[number], NAMES)

    async def value(self, number: int, name: str, **labels: str) -> float:
        samples = (await self.page(number))[name]
        return next(value for found, value in samples if labels.items() <= found.items())

    async def heights(self, number: int) -> tuple[int, int]:
        """By RPC, which is never stale: best and finalized."""
        best = int((await self.rpc(number, "chain_getHeader"))["number"], 16)
        head = await self.rpc(number, "chain_getFinalizedHead")
        return best, int((await self.rpc(number, "chain_getHeader", head))["number"], 16)

    async def rpc(self, number: int, method: str, *params: Any) -> Any:
        return await self.reach.node.rpc(self.validators[number], method, *params)

    async def run(self, number: int, *command: str) -> str:
        assert self.reach.ssh is not None
        return await self.reach.ssh.run(self.validators[number], command)


def fault(kind: str, at_s: float = 60, validators: Any = (6,), clears_on: Any = "never", **parameters: Any) -> Fault:
    raw = {"kind": kind, "at_s": at_s, "clears_on": clears_on, **parameters}
    if validators is not None:
        raw["validators"] = validators
    return read_fault(raw, "test", range(1, 1001), ["sim", "flare", "btc-pbc"])
