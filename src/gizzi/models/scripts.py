"""For scripts, which do not await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gizzi.errors import GizziError

T = TypeVar("T")


def run_anywhere(work: Callable[[], Awaitable[T]]) -> T:
    """To its end, in a loop of its own; in a thread where a loop already runs here."""

    async def main() -> T:
        return await work()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(main()))
        except (GizziError, OSError, RuntimeError, ValueError) as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="gizzi-query")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
