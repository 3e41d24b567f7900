"""Time-outs with memory: a node that is slow gets more time, a node that hangs is known to hang."""

from __future__ import annotations

import asyncio
from typing import Any

from gizzi.config import Validator
from gizzi.errors import SourceError
from gizzi.reach import Node, Samples

LONGEST_S = 10.0


class PatientNode:
    """Every call of `inner` under a time-out of its own.

    The first lasts `timeout_s`. After one that ran out, that endpoint gets LONGEST_S, until it answers within `timeout_s` again: slow is
    not down, and a hang is known after both.
    """

    def __init__(self, inner: Node, timeout_s: float) -> None:
        self._inner = inner
        self._timeout_s = timeout_s
        self._tried: set[tuple[int, str]] = set()

    async def metrics(self, validator: Validator, names: frozenset[str]) -> Samples:
        key = (validator.number, "metrics")
        started, limit_s = self._start(key)
        try:
            async with asyncio.timeout(limit_s):
                samples = await self._inner.metrics(validator, names)
        except TimeoutError:
            raise self._ran_out(key, "the metrics page", limit_s) from None
        self._answered(key, started)
        return samples

    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
        key = (validator.number, "rpc")
        started, limit_s = self._start(key)
        try:
            async with asyncio.timeout(limit_s):
                result = await self._inner.rpc(validator, method, *params)
        except TimeoutError:
            raise self._ran_out(key, method, limit_s) from None
        self._answered(key, started)
        return result

    def _start(self, key: tuple[int, str]) -> tuple[float, float]:
        return asyncio.get_running_loop().time(), max(LONGEST_S, self._timeout_s) if key in self._tried else self._timeout_s

    def _answered(self, key: tuple[int, str], started: float) -> None:
        if key in self._tried and asyncio.get_running_loop().time() - started < self._timeout_s:
            self._tried.discard(key)

    def _ran_out(self, key: tuple[int, str], what: str, limit_s: float) -> SourceError:
        self._tried.add(key)
        return SourceError("timeout", f"{what} did not answer in {limit_s:.3g} s")
