"""A process that remembers, for tests of several at once: python -m tools.rememberer URL STATE_FOLDER AUTHOR COUNT

Adds so many entries one after the other and prints each one's number; then it ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gizzi.clock import LiveClock
from gizzi.memory import Entry, Memory, keys_of
from gizzi.store import open_store


async def main(url: str, state: str, author: str, count: str) -> None:
    store = open_store(url)
    memory = Memory(store, LiveClock(), keys_of(url, Path(state)))
    for n in range(int(count)):
        print(await memory.add(Entry(at=LiveClock().now(), author=author, kind="note", event=f"{author} {n}")), flush=True)
    store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
