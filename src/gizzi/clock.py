"""One clock. Live it is the machine's; simulated it belongs to an event loop whose waits take no time at all.

Under a simulated loop every `asyncio.sleep`, timer and timeout runs on virtual time, so a day of fleet life runs the same code
as a live day, in seconds, and twice the same. Nothing that waits on a real socket or thread may run there.
"""

from __future__ import annotations

import asyncio
import functools
import re
import selectors
import time
import types
from collections.abc import Callable, Coroutine, Generator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
SIMULATED_START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def seconds(text: str | float) -> float:
    """Turn "5s", "1m30s", "2h" or a number of seconds into seconds. Raises ValueError on anything else, and on negatives."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        value = float(text)
    elif isinstance(text, str) and _DURATION.sub("", text.strip()) == "" and text.strip():
        value = sum(float(number) * _UNITS_S[unit] for number, unit in _DURATION.findall(text))
    else:
        raise ValueError(f"{text!r} is not a duration; write it like 5s, 1m30s or 2h")
    if not 0 <= value < float("inf"):
        raise ValueError(f"{text!r} is not a duration; it must be finite and not negative")
    return value


def duration_text(duration_s: float) -> str:
    """Say a duration as a person would: 9 s, 4 min, 2.5 h, 3 days."""
    if duration_s < 90:
        return f"{duration_s:.0f} s"
    if duration_s < 5400:
        return f"{duration_s / 60:.0f} min"
    if duration_s < 172800:
        return f"{duration_s / 3600:.1f} h".replace(".0 h", " h")
    return f"{duration_s / 86400:.0f} days"


def iso(at: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC, to the millisecond; None stays None."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    async def sleep(self, duration_s: float) -> None: ...


class LiveClock:
    def now(self) -> float:
        return time.time()

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


class SimulatedClock:
    """Reads the virtual time of the loop it was made in."""

    def __init__(self, start_at: float = SIMULATED_START) -> None:
        self._start_at = start_at
        self._time = asyncio.get_running_loop().time

    def now(self) -> float:
        return self._start_at + self._time()

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


async def within(limit_s: float, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, raising TimeoutError after `limit_s`. Work that ends without waiting costs no timer."""
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    async with asyncio.timeout(limit_s):
        return await _go_on(work, waits_for)


@types.coroutine
def _go_on(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that has just begun to wait."""
    while True:
        try:
            answer = yield waits_for
        except BaseException as error:
            step = functools.partial(work.throw, error)
        else:
            step = functools.partial(work.send, answer)
        try:
            waits_for = step()
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]


class _LeapingSelector(selectors.BaseSelector):
    """Never waits: where a real selector would sleep, it moves the loop's time forward."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._inner = selectors.SelectSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("simulated time stands still: a task waits for something outside the simulation")
        if timeout > 0:
            self.now_s += timeout
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now_s


async def beside(work: Callable[[], T]) -> T:
    """Plain work that takes long, in a thread: the loop goes on meanwhile. Simulated time, which has no threads, stands still for it."""
    if isinstance(asyncio.get_running_loop(), SimulatedLoop):
        return work()
    return await asyncio.to_thread(work)


def run_simulated(main: Coroutine[Any, Any, T]) -> T:
    """Run to its end in virtual time; seeded code gives the same result every time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)
