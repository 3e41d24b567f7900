"""A teller as a process of its own, which a test kills: `python teller_process.py STORE_URL CHANNEL_URL INCIDENTS`.

Opens that many incidents, one after the other, on the store, and tells of them until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from gizzi import registry
from gizzi.engine.tell import channels as channel_module
from gizzi.engine.tell import delivery
from gizzi.engine.tell.channels import channels_of
from gizzi.reach.http import HttpClient
from gizzi.store import open_store
from tools.telling import Telling


async def main(store_url: str, channel_url: str, incidents: int) -> None:
    delivery.CLAIM_S, channel_module.SEND_S = 2.0, 120.0
    store = open_store(store_url)
    telling = Telling({"urls": [channel_url], "group": "0.1s"}, store=store, live=True)
    telling.settings = telling.settings.model_copy(
        update={"plugins": telling.settings.plugins.model_copy(update={"folder": "/nonexistent"})}
    )
    channels = channels_of(telling.settings, registry.load(telling.settings), HttpClient(timeout_s=120), threads=True)
    telling.teller.channels.update(channels)
    telling.start()
    first = len(await store.incident_rows(limit=1000)) + 1
    for number in range(first, first + incidents):
        await telling.change(number)
        print(number, flush=True)
        await asyncio.sleep(0.2)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
