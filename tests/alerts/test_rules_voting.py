"""Votes, parachain votes and blocks that do not come, and who is no longer in the set."""

from __future__ import annotations

import pytest

from alerts.build import START, World, both, fails, freezes, key, sets, view
from gizzi.alerts.rules import voting

FAULT_AT = 400.0
VOTES = ("prevotes_total", "precommits_total")
PARA = ("approvals_produced_total", "bitfields_signed_total", "backing_statements_total")


def frozen(*names, numbers=(6,), **changes) -> World:
    world = World(**changes)
    for number in numbers:
        world.faults[number] = freezes(world, number, FAULT_AT, *names)
    return world


@pytest.mark.parametrize(("names", "rule"), [(VOTES, "not_voting"), (PARA, "not_validating")])
def test_missing_votes_are_told_within_ten_minutes(names, rule):
    world = frozen(*names).run(FAULT_AT + 600)
    assert world.rules_fired == {rule}
    assert world.fired_after(rule) - FAULT_AT <= 600


def test_one_of_the_counters_moving_is_voting():
    assert frozen("prevotes_total").run(FAULT_AT + 600).fired == {}
    assert frozen(*PARA[1:]).run(FAULT_AT + 600).fired == {}


def test_outside_the_set_nobody_has_to_vote():
    for name, names in (("is_active_validator", VOTES), ("is_parachain_validator", PARA)):
        world = frozen(*names)
        world.faults[6] = both(world.faults[6], sets("metrics", since=FAULT_AT, **{name: False}))
        assert world.run(FAULT_AT + 500).rules_fired <= {"left_active_set"}


def test_just_activated_it_has_time_to_begin():
    """Its counters have stood at zero for long when its first session begins."""
    world = World()
    zeros = dict.fromkeys((*VOTES, *PARA), 0)
    waiting = sets("metrics", until=FAULT_AT, is_active_validator=False, is_parachain_validator=False, **zeros)
    began = sets("metrics", since=FAULT_AT, until=FAULT_AT + 60, **zeros)
    world.faults[6] = both(waiting, began)
    assert world.run(FAULT_AT + 500).fired == {}


def test_while_finality_stands_nobody_is_blamed():
    world = frozen(*VOTES, numbers=range(1, 22))
    world.finalized = lambda t: world.height(min(t, FAULT_AT)) - 2
    world.run(FAULT_AT + 500)
    assert world.rules_fired == {"chain_finality_stalled", "finality_lagging"}


def test_parachains_that_stand_still_for_everybody_blame_nobody():
    assert frozen(*PARA, numbers=range(1, 22)).run(FAULT_AT + 600).fired == {}


def test_a_single_validator_is_compared_with_its_own_past():
    assert frozen(*PARA, numbers=[1], size=1).run(FAULT_AT + 300).rules_fired == {"not_validating"}
    never = World(size=1)
    never.faults[1] = sets("metrics", **dict.fromkeys(PARA, 0))
    assert never.run(900).fired == {}


def test_syncing_it_cannot_vote():
    world = frozen(*VOTES, *PARA)
    world.faults[6] = both(world.faults[6], sets("metrics", since=FAULT_AT, syncing=True))
    assert world.run(FAULT_AT + 400).rules_fired == {"syncing"}


def without_metric(change):
    """Chains other than Polkadot do not tell who is active."""

    def drop(shown, t):
        change(shown, t)
        if isinstance(shown["metrics"], dict):
            shown["metrics"] = {k: v for k, v in shown["metrics"].items() if k not in ("is_active_validator", "is_parachain_validator")}

    return drop


def test_without_the_metric_the_round_states_tell_who_is_missing():
    world = frozen(*VOTES)
    world.faults = {n: without_metric(world.faults.get(n, lambda shown, t: None)) for n in range(1, 22)}
    world.missing = lambda t: [6] if t >= FAULT_AT else []
    world.run(FAULT_AT + 300)
    assert world.rules_fired == {"not_voting"}
    assert "the chain has seen no vote of it for" in world.alert("not_voting").text


def test_without_the_metric_whom_no_round_names_has_left_the_set():
    world = frozen(*VOTES)
    world.faults[6] = without_metric(world.faults[6])
    assert world.run(FAULT_AT + 500).fired == {}


def test_without_metric_and_round_states_who_voted_before_should_go_on():
    world = frozen(*VOTES, size=5)
    closed = {n: both(world.faults.get(n, lambda shown, t: None), fails("refused", "rpc")) for n in range(1, 6)}
    world.faults = {n: without_metric(fault) for n, fault in closed.items()}
    for n in range(1, 6):
        world.fleet.validators[n] = world.fleet.validators[n].model_copy(update={"rpc_url": None})
    world.faults[3] = without_metric(both(freezes(world, 3, FAULT_AT, *VOTES), fails("refused", "rpc")))
    world.run(FAULT_AT + 200)
    assert next(a.text for a in world.book.firing() if a.rule == "not_voting").startswith("it voted before, but has not for")


def test_a_full_node_need_not_vote():
    zeros = sets("metrics", **dict.fromkeys(VOTES, 0))
    world = World(authority=False)
    world.faults = {n: without_metric(zeros) for n in range(1, 22)}
    assert "not_voting" not in world.run(400).rules_fired


def test_no_block_for_long_is_told_once_half_of_the_others_authored():
    world = frozen("blocks_constructed_total").run(FAULT_AT + 2700)
    assert world.rules_fired == {"not_authoring"}
    assert "where one every 2 min is usual; 20 of 20 others authored" in world.alert("not_authoring").text


def test_no_block_for_anybody_blames_nobody():
    assert "not_authoring" not in frozen("blocks_constructed_total", numbers=range(1, 22)).run(FAULT_AT + 2700).rules_fired


def test_leaving_the_set_is_told_and_ends_when_it_is_back():
    world = World(size=4)
    world.faults[2] = sets("metrics", since=FAULT_AT, until=FAULT_AT + 900, is_active_validator=False, is_parachain_validator=False)
    world.run(FAULT_AT + 890)
    assert world.rules_fired == {"left_active_set"}
    assert world.alert("left_active_set").severity == "low"
    assert world.run(60).book.firing() == []


def test_who_was_never_in_the_set_has_not_left_it():
    world = World(size=4)
    world.faults[2] = sets("metrics", is_active_validator=False, is_parachain_validator=False)
    assert world.run(1500).fired == {}


def test_a_restart_sets_counters_back_and_is_no_alarm():
    world = World(size=4)
    back = dict.fromkeys((*VOTES, *PARA, "blocks_constructed_total"), lambda t: int((t - FAULT_AT - 8) / 6))
    world.faults[2] = both(
        fails("refused", since=FAULT_AT, until=FAULT_AT + 8),
        sets("metrics", since=FAULT_AT + 8, process_start_at=START + FAULT_AT + 8, **back),
    )
    assert world.run(FAULT_AT + 900).fired == {}


def test_unknown_stays_unknown():
    v = view({}, authority_id=key(1))
    assert voting.left_active_set(v, None) is not None and not isinstance(voting.left_active_set(v, None), str)
