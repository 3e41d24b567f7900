"""What `gizzi doctor` says of the channels."""

from __future__ import annotations

from typing import Any

from gizzi.clock import Clock
from gizzi.config import Settings
from gizzi.engine.known import store_exists
from gizzi.engine.tell.outbox import Outbox
from gizzi.engine.tell.routes import addresses
from gizzi.errors import StoreError
from gizzi.store import open_store

LOST_LATELY_S = 7 * 86400.0


async def channels_check(settings: Settings, clock: Clock) -> dict[str, Any]:
    """`ok` is None where nobody is told, False where a message does not get out."""
    count = len(list(addresses(settings)))
    if count == 0:
        return {"ok": None, "text": "[notify] urls is empty: nobody is told of anything"}
    troubles = await _troubles(settings, clock)
    if not troubles:
        return {"ok": True, "text": f"{count} configured, nothing is stuck; `gizzi notify test` tries them"}
    told = [f"{one['label']}: {_count(one)}; {one['error']}" for one in troubles.values()]
    return {"ok": False, "text": "; ".join(told)}


def _count(one: dict[str, Any]) -> str:
    waiting = [f"{one['waiting']} messages wait"] if one["waiting"] else []
    lost = [f"{one['lost']} were lost this week"] if one["lost"] else []
    return " and ".join([*waiting, *lost])


async def _troubles(settings: Settings, clock: Clock) -> dict[str, dict[str, Any]]:
    if not store_exists(settings.store.url):
        return {}
    try:
        store = open_store(settings.store.url)
    except StoreError:  # of which the doctor speaks anyway
        return {}
    try:
        return await Outbox(store).troubles(clock.now() - LOST_LATELY_S)
    except StoreError:
        return {}
    finally:
        store.close()
