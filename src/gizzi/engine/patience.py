"""What beside the loop must happen waits while the store fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from gizzi.clock import Clock
from gizzi.errors import StoreError

log = structlog.get_logger("gizzi.store")

T = TypeVar("T")
AGAIN_S = 5.0


async def patiently(clock: Clock, work: Callable[[], Awaitable[T]], event: str = "store_failed", **said: str) -> T:
    """Its answer, asked for again and again while the store fails: only for what may run twice without harm.

    event, said: what the log calls each failure, and more about it.
    """
    while True:
        try:
            return await work()
        except StoreError as error:
            log.error(event, error=str(error), **said)
            await clock.sleep(AGAIN_S)
