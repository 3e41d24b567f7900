"""Who starts runs, and what becomes of actions that nobody carries on."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert, update

from gizzi import registry as registries
from gizzi.engine.act import rows
from gizzi.engine.act.responder import Responder
from gizzi.store import schema
from gizzi.store.action_schema import actions
from tools.acting import Scene, add_incident, change_incident
from tools.watching import in_virtual_time


def decided(number: int, action: str = "restart", kind: str = "decided") -> Any:
    return SimpleNamespace(kind=kind, incident=SimpleNamespace(id=number, decision=SimpleNamespace(action=action)))


class Keeping:
    """A responder at work over a scene."""

    def __init__(self, scene: Scene, *, wishes: bool = False) -> None:
        self.responder = Responder(scene.response, scene.runs, looks_for_wishes=wishes)
        self._scene = scene

    async def __aenter__(self) -> Responder:
        self._task = asyncio.create_task(self.responder.keep())
        return self.responder

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def left_over(scene: Scene, **values: Any) -> int:
    """An action of a process that is gone."""
    row = {
        "incident": 1,
        "action": "restart",
        "validator": 6,
        "why": "x",
        "proposed_by": "y",
        "evidence": "[]",
        "hash": "h",
        "reasons": "[]",
    }
    given = {**row, "run": "gone-1", "state": "proposed", "proposed_at": scene.clock.now(), **values}
    return int(scene.store.run_now(lambda c: c.execute(insert(actions).values(**given)).inserted_primary_key[0]))  # type: ignore[index]


@in_virtual_time
async def test_what_was_decided_before_and_what_is_decided_now_are_begun_once() -> None:
    scene = Scene()
    async with Keeping(scene) as responder:
        for _ in range(3):
            responder.hear(decided(1))
        await scene.until(lambda: "verdict" in scene.kinds)
        responder.hear(decided(1))
        responder.hear(decided(1, "wait"))
        responder.hear(decided(1, kind="joined"))
        await scene.clock.sleep(300)
        assert scene.done == [6], "one run for one decision"
        event = {"incident": 1, "at": scene.clock.now(), "kind": "decided", "text": "restart"}
        scene.store.run_now(lambda c: c.execute(insert(schema.events).values(**event)))
        scene.world.mended.clear()
        responder.hear(decided(1))
        await scene.until(lambda: len(scene.news) and "asked" in scene.kinds)
        (again,) = scene.store.run_now(rows.unfinished)
        assert again["run"].startswith("inc-1-2-"), "decided anew: within the cooldown a person is asked"


@in_virtual_time
async def test_three_hundred_open_incidents_are_all_begun() -> None:
    scene = Scene(mode="suggest")
    for number in range(2, 301):
        add_incident(scene.store, number, 6, at=scene.clock.now() + number)
    async with Keeping(scene):
        await scene.clock.sleep(20)
    assert len(scene.store.run_now(rows.unfinished)) == 300


@pytest.mark.parametrize(
    "change",
    [
        {"state": "resolved"},
        {"decision": json.dumps({"action": "wait"})},
        {"decision": None},
        {"validators": "[5, 6]"},
        {"validators": "[]"},
    ],
)
def test_what_is_not_begun(change: dict[str, Any]) -> None:
    @in_virtual_time
    async def test() -> None:
        scene = Scene()
        change_incident(scene.store, 1, **change)
        async with Keeping(scene) as responder:
            responder.hear(decided(1))
            await scene.clock.sleep(60)
        assert scene.done == [] and scene.store.run_now(lambda c: rows.all_actions(c, 10)) == []

    test()


@pytest.mark.parametrize(
    ("left", "kind", "outcome", "verdict", "says"),
    [
        ({"state": "proposed"}, "not_done", None, None, "before it was begun"),
        ({"state": "intent", "intent_at": 1.0, "worker": "h:1"}, "needs_person", "in_doubt", None, "under way on h:1"),
        ({"state": "ended", "intent_at": 1.0, "ended_at": 2.0, "outcome": "done"}, "verdict", "done", "unknown", ""),
        ({"state": "ended", "intent_at": 1.0, "ended_at": 2.0, "outcome": "failed"}, "needs_person", "failed", None, ""),
    ],
)
def test_what_nobody_carries_on_goes_to_a_person(left: dict[str, Any], kind: str, outcome: Any, verdict: Any, says: str) -> None:
    @in_virtual_time
    async def test() -> None:
        scene = Scene()
        number = left_over(scene, **left)
        async with Keeping(scene):
            await scene.clock.sleep(5)
        row = await scene.door.row(number)
        assert (row["state"], row["outcome"], row["verdict"]) == ("closed", outcome, verdict) and says in (row["detail"] or "")
        assert scene.done == [] and scene.news[-1].kind == kind and scene.news[-1].needs_person

    test()


@in_virtual_time
async def test_a_run_that_breaks_off_is_noticed() -> None:
    scene = Scene()
    scene.response.verify = None  # type: ignore[method-assign, assignment]
    async with Keeping(scene):
        await scene.until(lambda: "verdict" in scene.kinds)
    (row,) = scene.store.run_now(lambda c: rows.all_actions(c, 10))
    assert (row["outcome"], row["verdict"], row["state"]) == ("done", "unknown", "closed") and scene.news[-1].needs_person
    assert scene.done == [6]


@in_virtual_time
async def test_wishes() -> None:
    scene = Scene()
    change_incident(scene.store, 1, state="resolved")
    registry = registries.load(scene.settings)
    wish = await scene.desk.want(scene.settings, registry, "restart", 5, "please", "anna")
    taken_back = await scene.desk.want(scene.settings, registry, "restart", 7, "please", "anna")
    old = await scene.desk.want(scene.settings, registry, "restart", 6, "please", "anna")
    scene.store.run_now(lambda c: c.execute(update(actions).where(actions.c.id == old).values(proposed_at=scene.clock.now() - 3600)))
    assert await scene.desk.withdraw(taken_back) and not await scene.desk.withdraw(taken_back)
    async with Keeping(scene, wishes=True):
        await scene.until(lambda: scene.store.run_now(rows.unfinished) == [])
    assert scene.done == [5]
    shown = {number: await scene.desk.action(number) for number in (wish, taken_back, old)}
    assert shown[wish]["verdict"] == "resolved" and shown[wish]["incident"] is None
    assert shown[taken_back]["outcome"] is None and shown[old]["outcome"] is None
    assert "could not be begun within 30 min" in shown[old]["detail"], "what was wanted an hour ago is not done now"


@in_virtual_time
async def test_a_wish_that_is_put_back_is_taken_up_by_the_next() -> None:
    scene = Scene(mode="suggest")
    change_incident(scene.store, 1, state="resolved")
    wish = await scene.desk.want(scene.settings, registries.load(scene.settings), "restart", 5, "please", "anna")
    seeing = asyncio.create_task(Responder(scene.response, scene.runs, looks_for_wishes=False).see_to(wish))
    name = await scene.asked()
    seeing.cancel()
    await asyncio.gather(seeing, return_exceptions=True)
    assert await scene.desk.put_back(wish) and (await scene.desk.action(wish))["state"] == "wanted"
    await scene.desk.decide(name, yes=True, by="anna")
    scene.runs._tasks.clear()  # type: ignore[attr-defined]
    async with Keeping(scene, wishes=True):
        await scene.until(lambda: "verdict" in scene.kinds)
    assert scene.done == [5] and (await scene.desk.action(wish))["approved_by"] == "anna"
