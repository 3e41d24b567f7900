"""`gizzi act ACTION N --why TEXT`: a person's proposal, through the same guarded door that decisions use."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gizzi import registry as registries
from gizzi.app import App, open_app
from gizzi.cli.terminal import print_json, say, show
from gizzi.cli.words import settings_of, who
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.engine.act.desk import ActionDesk
from gizzi.store import Store, open_store
from gizzi.store.store import LEASE_S

LOOK_EVERY_S = 0.3


def act(config: Path | None, action: str, number: int, why: str, *, as_json: bool) -> int:
    """Exit code 0 where it was carried out, 1 where it was not: denied, failed, or waiting for an approval, whose id is printed."""
    settings = settings_of(config, need_fleet=True)
    shown = asyncio.run(_act(settings, action, number, why))
    if as_json:
        print_json(shown)
    else:
        show(*_words(shown))
    return 0 if shown["outcome"] == "done" else 1


async def _act(settings: Settings, action: str, number: int, why: str) -> dict[str, Any]:
    store = open_store(settings.store.url)
    try:
        desk = ActionDesk(store, LiveClock())
        registry = registries.load(settings)
        wish = await desk.want(settings, registry, action, number, why, who())
        if await _a_loop_runs(store):
            shown = await desk.answered(wish)
            if shown is not None:
                return shown
            say("the daemon has not taken it up; asking the guard here")
            if not await desk.withdraw(wish):
                return await desk.action(wish)
            wish = await desk.want(settings, registry, action, number, why, who())
        async with open_app(settings, store=store, lasting=False) as app:
            return await _here(app, desk, wish)
    finally:
        store.close()


async def _a_loop_runs(store: Store) -> bool:
    lease = await store.lease()
    return lease is not None and LiveClock().now() - lease[1] < LEASE_S


async def _here(app: App, desk: ActionDesk, wish: int) -> dict[str, Any]:
    """Without a daemon: watch until the facts are known, ask the guard, and act if it allows. The verdict is awaited too."""
    say("no daemon runs here: looking at the fleet first ...")
    working = asyncio.create_task(app.work())
    try:
        while True:
            shown = await desk.action(wish)
            if shown["approval"] is not None or shown["state"] == "closed" or shown["verdict"] is not None or working.done():
                if working.done():
                    working.result()
                return shown
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        working.cancel()
        await asyncio.wait({working})


def _words(shown: dict[str, Any]) -> list[str]:
    what = f"{shown['id']}: {shown['action']} of validator {shown['validator']}"
    reasons = [f"  {reason}" for reason in shown["reasons"]]
    if shown["approval"] is not None:
        return [f"{what} waits for a person: gizzi approve {shown['approval']}", *reasons]
    if shown["outcome"] is None:
        return [f"{what} was not carried out: {shown['detail'] or 'it has not been begun'}", *reasons]
    verdict = f", {shown['verdict'].replace('_', ' ')}" if shown["verdict"] else "; its effect is looked at soon, see `gizzi memory tail`"
    return [f"{what}: {shown['outcome']}{verdict}" + (f" ({shown['detail']})" if shown["detail"] else "")]
