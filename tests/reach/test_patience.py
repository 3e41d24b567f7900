"""In simulated time, so that a wait takes none."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from gizzi.clock import run_simulated
from gizzi.config import Validator
from gizzi.errors import SourceError
from gizzi.reach import Samples
from gizzi.reach.patience import LONGEST_S, PatientNode

SIX, SEVEN = Validator(number=6), Validator(number=7)


class SlowNode:
    """Needs `delays_s[number]` for everything, for ever where there is none."""

    def __init__(self, **delays_s: float) -> None:
        self.delays_s = {6: delays_s.get("six", float("inf")), 7: delays_s.get("seven", float("inf"))}
        self.fails: SourceError | None = None

    async def _answer(self, validator: Validator) -> None:
        delay_s = self.delays_s[validator.number]
        await asyncio.sleep(delay_s if delay_s < float("inf") else 1e9)
        if self.fails is not None:
            raise self.fails

    async def metrics(self, validator: Validator, names: frozenset[str]) -> Samples:
        await self._answer(validator)
        return {}

    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
        await self._answer(validator)
        return method

    async def batch(self, validator: Validator, calls: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        await self._answer(validator)
        return [method for method, *_ in calls]


async def took_s(call: Coroutine[Any, Any, Any]) -> tuple[float, str]:
    started = asyncio.get_running_loop().time()
    outcome = "answered"
    try:
        await call
    except SourceError as error:
        outcome = f"{error.kind}: {error}"
    return round(asyncio.get_running_loop().time() - started, 3), outcome


def test_a_hang_is_known_after_both_waits() -> None:
    async def main() -> None:
        node = PatientNode(SlowNode(), 3)
        assert await took_s(node.rpc(SIX, "system_health")) == (3, "timeout: system_health did not answer in 3 s")
        assert await took_s(node.rpc(SIX, "system_health")) == (LONGEST_S, "timeout: system_health did not answer in 10 s")
        assert [(await took_s(node.rpc(SIX, "system_health")))[0] for _ in range(3)] == [3, LONGEST_S, 3], "and so on"
        assert await took_s(node.metrics(SIX, frozenset())) == (3, "timeout: the metrics page did not answer in 3 s")

    run_simulated(main())


def test_a_slow_node_keeps_its_patience_until_it_is_quick_again() -> None:
    async def main() -> None:
        inner = SlowNode(six=5)
        node = PatientNode(inner, 3)
        assert (await took_s(node.metrics(SIX, frozenset())))[0] == 3
        for _ in range(3):
            assert await took_s(node.metrics(SIX, frozenset())) == (5, "answered")
        inner.delays_s[6] = 0.1
        assert await took_s(node.metrics(SIX, frozenset())) == (0.1, "answered")
        inner.delays_s[6] = 5
        assert (await took_s(node.metrics(SIX, frozenset())))[0] == 3

    run_simulated(main())


def test_one_slow_validator_does_not_delay_another() -> None:
    async def main() -> None:
        node = PatientNode(SlowNode(seven=0.1), 3)
        calls = [took_s(node.rpc(v, "system_health")) for v in (SIX, SEVEN)]
        assert [duration_s for duration_s, _ in await asyncio.gather(*calls)] == [3, 0.1]

    run_simulated(main())


def test_other_failures_pass_as_they_are() -> None:
    async def main() -> None:
        inner = SlowNode(six=0)
        inner.fails = SourceError("refused", "no connection")
        assert await took_s(PatientNode(inner, 3).rpc(SIX, "system_health")) == (0, "refused: no connection")

    run_simulated(main())


def test_a_time_out_longer_than_patience_is_kept() -> None:
    async def main() -> None:
        node = PatientNode(SlowNode(), 30)
        assert [(await took_s(node.rpc(SIX, "m")))[0] for _ in range(2)] == [30, 30]

    run_simulated(main())


def test_stopping_is_not_a_time_out() -> None:
    async def main() -> None:
        task = asyncio.create_task(PatientNode(SlowNode(), 3).rpc(SIX, "m"))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_simulated(main())


def test_a_batch_is_one_call() -> None:
    async def main() -> None:
        node = PatientNode(SlowNode(seven=0.5), 3)
        assert await node.batch(SEVEN, [("a",), ("b", 1)]) == ["a", "b"]
        assert await took_s(node.batch(SIX, [("a",)])) == (3, "timeout: the RPC did not answer in 3 s")
        assert (await took_s(node.rpc(SIX, "system_health")))[0] == LONGEST_S

    run_simulated(main())
