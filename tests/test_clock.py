from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.clock import SIMULATED_START, SimulatedClock, duration_text, iso, run_simulated, seconds


@pytest.mark.parametrize(("text", "expected"), [("5s", 5), ("1m30s", 90), ("2h", 7200), (3, 3), (0.5, 0.5), ("250ms", 0.25), ("1d", 86400)])
def test_seconds_reads_durations(text: str | float, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "5x", "s", "-3s", -1, "1h 5", True, None, float("inf"), float("nan"), "5s; rm"])
def test_seconds_refuses_the_rest(text: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)  # type: ignore[arg-type]


@given(st.floats(0, 1e9))
def test_durations_can_always_be_said(duration_s: float) -> None:
    assert duration_text(duration_s)


def test_times_are_utc() -> None:
    assert iso(0.0) == "1970-01-01T00:00:00.000Z"
    assert iso(None) is None


def test_a_simulated_day_takes_no_time_and_keeps_its_order() -> None:
    async def day() -> list[tuple[str, float]]:
        clock = SimulatedClock()
        seen: list[tuple[str, float]] = []

        async def tick(name: str, every_s: float, times: int) -> None:
            for _ in range(times):
                await clock.sleep(every_s)
                seen.append((name, clock.now() - SIMULATED_START))

        await asyncio.gather(tick("slow", 43200, 2), tick("quick", 30000, 2))
        return seen

    started = time.monotonic()
    assert run_simulated(day()) == [("quick", 30000), ("slow", 43200), ("quick", 60000), ("slow", 86400)]
    assert time.monotonic() - started < 60, "it waited for real"


def test_timeouts_run_on_simulated_time() -> None:
    async def hang() -> float:
        clock = SimulatedClock()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.get_running_loop().create_future()
        return clock.now() - SIMULATED_START

    assert run_simulated(hang()) == pytest.approx(3)


def test_waiting_for_the_outside_is_an_error_not_a_hang() -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="simulated time stands still"):
        run_simulated(wait_for_ever())
