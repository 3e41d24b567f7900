"""`gizzi act ACTION N --why TEXT`: a person's proposal, through the same guarded door that decisions use."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gizzi import registry as registries
from gizzi.app import App, open_app, process_is_gone
from gizzi.cli.terminal import clean, print_json, say, show
from gizzi.cli.words import settings_of, who
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.engine.act.desk import ANSWER_WITHIN_S, ActionDesk
from gizzi.errors import GizziError
from gizzi.store import Store, open_store
from gizzi.store.store import LEASE_S

LOOK_EVERY_S = 0.3


def act(config: Path | None, action: str, number: int, why: str, *, as_json: bool) -> int:
    """Exit code 0 where it was carried out, 1 where it was not: denied, failed, or waiting for an approval, whose id is printed.

    One that only looks is carried out at once, and nothing is kept of it.
    """
    settings = settings_of(config, need_fleet=True)
    actions = registries.load(settings).actions
    if action in actions and not actions[action].writes:
        said = asyncio.run(_read(settings, action, number))
        print_json({"action": action, "validator": number, "outcome": "done", "text": said}) if as_json else show(clean(said))
        return 0
    shown = asyncio.run(_act(settings, action, number, why))
    if as_json:
        print_json(shown)
    else:
        show(*_words(shown))
    return 0 if shown["outcome"] == "done" else 1


async def _read(settings: Settings, action: str, number: int) -> str:
    async with open_app(settings, store=open_store("sqlite://"), lasting=False) as app:
        return await app.read(action, number)


async def _act(settings: Settings, action: str, number: int, why: str) -> dict[str, Any]:
    store = open_store(settings.store.url)
    try:
        desk = ActionDesk(store, LiveClock())
        registry = registries.load(settings)
        wish = await desk.want(settings, registry, action, number, why, who())
        if await a_loop_runs(store):
            return await _answered(desk, wish)
        async with open_app(settings, store=store, lasting=False) as app:
            return await _here(app, desk, wish)
    finally:
        store.close()


async def a_loop_runs(store: Store) -> bool:
    lease = await store.lease()
    return lease is not None and LiveClock().now() - lease[1] < LEASE_S and not process_is_gone(lease[0])


async def _answered(desk: ActionDesk, wish: int) -> dict[str, Any]:
    """What became of it, once it is done, refused or waits for a person. Raises GizziError where the daemon does not take it up."""
    waited_s = 0.0
    told: list[str] = []
    while True:
        shown = await desk.action(wish)
        if shown["outcome"] is not None or shown["state"] == "closed" or shown["approval"] is not None:
            return shown
        if shown["state"] == "wanted" and waited_s > ANSWER_WITHIN_S and await desk.withdraw(wish):
            raise GizziError(f"act-{wish}: the daemon has not taken it up in {ANSWER_WITHIN_S:.0f} s, and it is withdrawn; see its log")
        told = _tell_what_it_waits_for(shown, told)
        await asyncio.sleep(LOOK_EVERY_S)
        waited_s += LOOK_EVERY_S


def _tell_what_it_waits_for(shown: dict[str, Any], told: list[str]) -> list[str]:
    if shown["permission"] == "ask" and not told:
        told = list(shown["reasons"])
        say(f"{shown['id']} waits: {'; '.join(told)}")
    return told


async def _here(app: App, desk: ActionDesk, wish: int) -> dict[str, Any]:
    """Without a daemon: watch until the facts are known, ask the guard, and act if it allows. The verdict is awaited too."""
    say("no daemon runs here: looking at the fleet first ...")
    working = asyncio.create_task(app.see_to(wish))
    told: list[str] = []
    try:
        while not working.done() and (shown := await desk.action(wish))["approval"] is None:
            told = _tell_what_it_waits_for(shown, told)
            await asyncio.wait({working}, timeout=LOOK_EVERY_S)
        if working.done():
            working.result()
    except GizziError:
        await desk.withdraw(wish)
        raise
    finally:
        working.cancel()
        await asyncio.wait({working})
    await desk.put_back(wish)
    return await desk.action(wish)


def _words(shown: dict[str, Any]) -> list[str]:
    what = f"{shown['id']}: {shown['action']} of validator {shown['validator']}"
    reasons = [f"  {reason}" for reason in shown["reasons"]]
    if shown["approval"] is not None:
        end = "" if shown["state"] == "proposed" else "; `gizzi watch` carries it out then"
        return [f"{what} waits for a person: gizzi approve {shown['approval']}{end}", *reasons]
    if shown["outcome"] is None:
        return [f"{what} was not carried out: {shown['detail'] or 'it has not been begun'}", *reasons]
    verdict = f", {shown['verdict'].replace('_', ' ')}" if shown["verdict"] else "; its effect is looked at soon, see `gizzi memory tail`"
    return [f"{what}: {shown['outcome']}{verdict}" + (f" ({shown['detail']})" if shown["detail"] else "")]
