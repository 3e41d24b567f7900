"""A restart counts on every chain that the target's host serves."""

from __future__ import annotations

from functools import partial
from typing import Any

from gizzi.config import parse
from gizzi.engine.act.door import Suggestion
from gizzi.engine.act.verdict import Look
from tools.acting import Scene, look_at, well
from tools.watching import in_virtual_time


def shared(scene: Scene, *beside: dict[str, Any]) -> None:
    """Validator 6's host serves these as well."""
    own = {"number": 6, "chain": "flare", "host": "h", "unit": "u"}
    rest = [{"chain": "side", "host": "h", "unit": "w", **validator} for validator in beside]
    raw = {"validators": [own, *rest], "policy": {"mode": "auto"}, "plugins": {"folder": "/nonexistent"}}
    scene.door.settings = parse(raw, "the test")


async def answer(scene: Scene) -> tuple[str, str, bool]:
    number = await scene.door.propose(Suggestion("inc-1-1", "restart", 6, "it is down", "the test"))
    found = await scene.guard(number)
    return found.permission, "; ".join(found.reasons), found.for_now


@in_virtual_time
async def test_where_every_chain_has_room_it_is_allowed() -> None:
    scene = Scene()
    shared(scene, {"number": 60})
    scene.world.says[60] = lambda now: well(60, now, chain="side", authorities=21)
    assert (await answer(scene))[0] == "allow"


@in_virtual_time
async def test_the_other_chains_quorum_counts() -> None:
    rooms = [
        (21, [61, 62, 63], "allow"),
        (21, [61, 62, 63, 64], "ask"),
        (4, [], "ask"),
        (10, [], "allow"),
        (10, [61], "ask"),
        (10, [60], "allow"),
    ]
    for others, missing, permission in rooms:
        scene = Scene()
        shared(scene, {"number": 60})
        scene.world.says[60] = partial(_side, authorities=others, missing=missing)
        said = await answer(scene)
        assert said[0] == permission, (others, missing)
        assert ("its host also serves side" in said[1]) == (permission == "ask")


def _side(now: float, **more: Any) -> Look:
    return well(60, now, chain="side", **more)


@in_virtual_time
async def test_a_chain_nobody_sees_asks_and_its_session_change_waits() -> None:
    scene = Scene()
    shared(scene, {"number": 60})
    scene.world.says[60] = lambda now: None
    assert (await answer(scene))[0] == "ask"
    scene.world.says[60] = lambda now: well(60, now, chain="side", facts={"up": True, "in_session_change": True})
    assert await answer(scene) == (
        "ask",
        "the session is changing (in_session_change); its host also serves side, where it counts as well",
        True,
    )


@in_virtual_time
async def test_nothing_beside_it_changes_nothing() -> None:
    scene = Scene()
    shared(scene, {"number": 60, "authority": False}, {"number": 61, "host": "g"}, {"number": 62, "chain": "flare"})
    for number in (60, 61, 62):
        scene.world.says[number] = lambda now, number=number: look_at(number, now, chain="side", authorities=1)  # type: ignore[misc]
    assert (await answer(scene))[0] == "allow"


@in_virtual_time
async def test_it_lets_nothing_through_that_its_own_chain_denies() -> None:
    scene = Scene()
    shared(scene, {"number": 60})
    scene.world.says[60] = lambda now: well(60, now, chain="side")
    scene.world.says[6] = lambda now: look_at(6, now, facts={"twin_running": True})
    assert (await answer(scene))[0] == "deny"
