"""The rolling upgrade over a simulated fleet: what it does, in which order, and everything it stops at."""

from __future__ import annotations

from typing import Any

import pytest

from gizzi.sim.faults import Fault, read_fault
from gizzi.sim.fleet import SimFleet
from tools.upgrading import NEW, yard
from tools.watching import in_virtual_time

SESSION_S = 720.0


def fault(kind: str, at_s: float, validators: Any = None, clears_on: Any = "never", **more: Any) -> Fault:
    raw = {"kind": kind, "at_s": at_s, "clears_on": clears_on, **more, **({"validators": validators} if validators else {})}
    return read_fault(raw, "test", range(1, 22), ["sim"])


def now_s(fleet: SimFleet) -> float:
    return fleet.clock.now() - fleet.start_at


@in_virtual_time
async def test_the_whole_fleet_is_upgraded_in_batches_that_are_watched() -> None:
    async with yard(validators=10, mode="suggest", reserve=1) as here:
        done = await here.run(to=NEW)
        assert (done["state"], done["text"]) == ("done", f"10 upgraded, all 10 run {NEW}"), done["text"]
        assert {node.version for node in here.fleet.nodes.values()} == {NEW}
        assert [number for _, number in here.upgraded] == list(range(1, 11)), "each once, in order"
        assert here.said[0] == "sim to 1.21.0: 6 batches: 1 | 2, 3 | 4, 5 | 6, 7 | 8, 9 | 10"
        at = {number: at_s for at_s, number in here.upgraded}
        for last, first in ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10)):
            assert at[first] - at[last] > SESSION_S, "a session of votes lies between batches"
        assert len(here.asked) == 10 and all(approval["action"] == "upgrade" for approval in here.asked), "a person was asked for each"
        assert here.asked[0]["because"] == f"rolling upgrade, batch 1 of 6 of sim, version {NEW}"
        assert here.app is not None
        actions = await here.app.door.shown()
        assert {(a["outcome"], a["verdict"], a["approved_by"]) for a in actions} == {("done", "resolved", "ada")}
        states = {step["state"] for step in done["steps"]}
        assert states == {"done", "said"} and done["waits_for"] == []


@in_virtual_time
async def test_auto_mode_asks_as_well_and_those_on_the_version_are_left_alone() -> None:
    async with yard(validators=7, mode="auto", reserve=0) as here:
        here.fleet.nodes[2].installed = f"{NEW}-3f1a7c5e9d2"
        here.fleet.restart(2)
        await here.clock.sleep(120)
        done = await here.run(to=NEW, validators="1,2,3")
        assert done["text"] == f"2 upgraded, all 3 run {NEW}"
        assert [number for _, number in here.upgraded] == [1, 3] and len(here.asked) == 2


@in_virtual_time
async def test_a_validator_that_does_not_rejoin_stops_it() -> None:
    def spoil(fleet: SimFleet, number: int) -> None:
        if number == 3:
            fleet.inject(fault("not_voting", now_s(fleet), [3]))

    async with yard(spoil=spoil) as here:
        done = await here.run(to=NEW)
        assert done["state"] == "stopped"
        assert "validator 3 " in done["text"] and "after its upgrade" in done["text"]
        assert [number for _, number in here.upgraded] == [1, 2, 3], "nothing is done to those that come after"


@in_virtual_time
async def test_a_validator_that_does_not_answer_any_more_stops_it() -> None:
    def spoil(fleet: SimFleet, number: int) -> None:
        fleet.inject(fault("node_down", now_s(fleet) + 20, [number]))

    async with yard(spoil=spoil) as here:
        done = await here.run(to=NEW)
        assert done["state"] == "stopped" and "validator 1 is worse after its upgrade" in done["text"]
        assert [number for _, number in here.upgraded] == [1]


@in_virtual_time
async def test_a_version_that_did_not_change_stops_it() -> None:
    def spoil(fleet: SimFleet, number: int) -> None:
        fleet.nodes[number].installed = "1.20.2-3f1a7c5e9d2"

    async with yard(spoil=spoil) as here:
        done = await here.run(to=NEW)
        assert (done["state"], done["text"]) == (
            "stopped",
            f"stopped: validator 1 was restarted and reports 1.20.2-3f1a7c5e9d2, not {NEW}",
        )
        assert [number for _, number in here.upgraded] == [1]


@in_virtual_time
async def test_a_validator_that_fails_within_its_session_stops_it() -> None:
    def spoil(fleet: SimFleet, number: int) -> None:
        fleet.inject(fault("not_voting", now_s(fleet) + 500, [number]))

    async with yard(spoil=spoil) as here:
        done = await here.run(to=NEW)
        assert done["text"] == f"stopped: validator 1, upgraded to {NEW}, does not vote and follow the chain any more"
        assert [number for _, number in here.upgraded] == [1], "what shows only after a while costs one validator"


@in_virtual_time
async def test_a_session_change_is_waited_for() -> None:
    async with yard(fault("session_change", 100)) as here:
        await here.clock.sleep(101)
        await here.run(to=NEW, validators="1")
        ((at_s, number),) = here.upgraded
        assert number == 1 and at_s > 100 + 60


@in_virtual_time
async def test_quorum_at_the_edge_is_waited_for() -> None:
    async with yard(fault("node_down", 60, [18, 19, 20, 21], clears_on=2000.0)) as here:
        await here.clock.sleep(150)
        done = await here.run(to=NEW, validators="1,2")
        assert done["state"] == "done", done["text"]
        assert here.upgraded[0][0] > 2060, "at 21, four may be away: four others are"


@in_virtual_time
async def test_quorum_at_the_edge_for_too_long_stops_it() -> None:
    async with yard(fault("node_down", 60, [18, 19, 20, 21])) as here:
        await here.clock.sleep(150)
        done = await here.run(to=NEW, validators="1")
        assert done["text"] == "stopped before it began: 4 authorities are missing, for 60 min" and not here.upgraded


@in_virtual_time
async def test_one_that_goes_missing_in_the_middle_is_waited_for() -> None:
    """Three of a batch are not proven yet; with one more away there is no room for the fourth."""
    lost: list[float] = []

    def spoil(fleet: SimFleet, number: int) -> None:
        if number == 4:
            lost.append(now_s(fleet))
            fleet.inject(fault("node_down", now_s(fleet), [21], clears_on=1000.0))

    async with yard(spoil=spoil) as here:
        here.answers = lambda approval: True if approval["action"] == "upgrade" else None
        done = await here.run(to=NEW, validators="1,2,3,4,5")
        assert done["state"] == "done", done["text"]
        assert {number: at for at, number in here.upgraded}[5] > lost[0] + 1000
        assert any("would be away or not proven yet (2, 3, 4, 5, 21); 4 may be" in text for text in here.said), here.said


@in_virtual_time
async def test_a_no_stops_it_and_so_does_nobody_answering() -> None:
    async with yard() as here:
        here.answers = lambda approval: False
        done = await here.run(to=NEW)
        assert done["state"] == "stopped" and "not allowed: ada said no: no" in done["text"]
        here.answers = lambda approval: None
        done = await here.run(to=NEW)
        assert "nobody answered within 30 min" in done["text"] and not here.upgraded


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"to": "1.0; rm -rf /"}, "is not a version"),
        ({"to": "-x"}, "is not a version"),
        ({"to": "1" * 65}, "is not a version"),
        ({"to": NEW, "validators": "1,99"}, "there is no validator '99'"),
        ({"to": NEW, "validators": "all"}, "there is no validator 'all'"),
    ],
)
def test_words_that_cannot_be_right_stop_it_at_once(given: dict[str, str], words: str) -> None:
    @in_virtual_time
    async def test() -> None:
        async with yard(validators=4) as here:
            done = await here.run(**given)
            assert done["state"] == "stopped" and words in done["text"] and done["steps"] == []

    test()


@in_virtual_time
async def test_a_chain_too_small_for_its_reserve_is_told() -> None:
    async with yard(validators=4) as here:
        done = await here.run(to=NEW)
        assert "of 4 authorities 1 may be away, less a reserve of 2: none is left to upgrade" in done["text"]


def test_a_version_is_believed_once_the_node_has_told_it_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """By RPC alone it is asked every 10 min, and a quick restart may pass between two looks."""
    monkeypatch.setattr("gizzi.sim.node.RESTART_S", 0.2)

    @in_virtual_time
    async def test() -> None:
        async with yard(blind=True, validators=7, reserve=0) as here:
            done = await here.run(to=NEW, validators="1")
            assert (done["state"], done["text"]) == ("done", f"1 upgraded, all 1 run {NEW}"), done["text"]
            assert [number for _, number in here.upgraded] == [1]

    test()
