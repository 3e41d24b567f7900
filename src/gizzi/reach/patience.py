"""Time-outs with memory: a node that is slow gets more time, a node that hangs is known to hang."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from gizzi.clock import within
from gizzi.config import Validator
from gizzi.errors import SourceError
from gizzi.reach import Node, Samples

LONGEST_S = 10.0
T = TypeVar("T")


class PatientNode:
    """Every call of `inner` under a time-out of its own.

    The first lasts `timeout_s`. After one that ran out, that endpoint gets LONGEST_S, until it answers within `timeout_s` again: slow is
    not down, and a hang is known after both. Then it begins anew, for what waits on a hang that has ended meanwhile waits in vain.
    """

    def __init__(self, inner: Node, timeout_s: float) -> None:
        self._inner = inner
        self._timeout_s = timeout_s
        self._slow: set[tuple[int, str]] = set()

    def metrics(self, validator: Validator, names: frozenset[str]) -> Coroutine[Any, Any, Samples]:
        return self._ask((validator.number, "metrics"), "the metrics page", self._inner.metrics(validator, names))

    def rpc(self, validator: Validator, method: str, *params: Any) -> Coroutine[Any, Any, Any]:
        return self._ask((validator.number, "rpc"), method, self._inner.rpc(validator, method, *params))

    def batch(self, validator: Validator, calls: Sequence[tuple[Any, ...]]) -> Coroutine[Any, Any, Sequence[Any]]:
        return self._ask((validator.number, "rpc"), "the RPC", self._inner.batch(validator, calls))

    async def _ask(self, endpoint: tuple[int, str], what: str, call: Coroutine[Any, Any, T]) -> T:
        slow = endpoint in self._slow
        limit_s = max(LONGEST_S, self._timeout_s) if slow else self._timeout_s
        started = asyncio.get_running_loop().time() if slow else 0.0
        try:
            answer = await within(limit_s, call)
        except TimeoutError:
            self._slow ^= {endpoint}
            raise SourceError("timeout", f"{what} did not answer in {limit_s:.3g} s") from None
        if slow and asyncio.get_running_loop().time() - started < self._timeout_s:
            self._slow.discard(endpoint)
        return answer
