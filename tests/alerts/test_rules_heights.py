"""Stalls of one validator and of the chain, lag, syncing, forks."""

from __future__ import annotations

import pytest

from alerts.build import START, World, both, chain, freezes, sets, view
from gizzi import UNKNOWN
from gizzi.alerts.rules import heights
from gizzi.fleet.history import History
from gizzi.fleet.observation import Collected
from gizzi.fleet.view import ValidatorView

FAULT_AT = 120.0


def stall(world: World, numbers, *names, until=float("inf")) -> World:
    for number in numbers:
        world.faults[number] = freezes(world, number, FAULT_AT, *names, until=until)
    return world


def test_a_stalled_best_block_is_told_within_thirty_seconds():
    world = stall(World(), [6], "block_height", "finalized_height").run(FAULT_AT + 60)
    assert world.rules_fired == {"best_stalled", "finality_stalled"}
    assert world.fired_after("best_stalled") - FAULT_AT <= 30
    assert world.alert("best_stalled").text.startswith("best block 1020 has stood for ")
    assert "the median of its chain is 9 further, at 1029" in world.alert("best_stalled").text


def test_a_stalled_finalized_block_is_told_within_a_minute():
    world = stall(World(), [6], "finalized_height").run(FAULT_AT + 65)
    assert world.rules_fired == {"finality_stalled"}
    assert world.fired_after("finality_stalled") - FAULT_AT <= 60


def test_it_is_over_when_the_block_rises_again():
    world = stall(World(), [6], "block_height", "finalized_height", until=FAULT_AT + 100).run(FAULT_AT + 150)
    assert world.book.firing() == []


def test_half_of_the_validators_are_compared_with_the_half_that_goes_on():
    world = stall(World(size=4), [1, 2], "block_height").run(FAULT_AT + 60)
    assert {subject for subject, rule in world.fired if rule == "best_stalled"} == {"validator/1", "validator/2"}


def test_a_stall_of_more_than_half_is_the_chains():
    world = stall(World(), range(1, 12), "block_height", "finalized_height").run(FAULT_AT + 60)
    assert world.fired_after("chain_stalled", None) - FAULT_AT <= 45
    assert world.rules_fired == {"chain_stalled"}
    assert world.alert("chain_stalled").validators == tuple(range(1, 12))
    assert world.alert("chain_stalled").text == "11 of 21 validators have seen no block after 1020 for 30 s; others have reached 1030"


def pause(world: World, for_s: float) -> World:
    world.height = lambda t: 1000 + int(min(t, FAULT_AT) // 6) + max(0, int((t - FAULT_AT - for_s) // 6))
    return world


@pytest.mark.parametrize("for_s", [10, 30, 40])
def test_a_short_pause_of_the_chain_says_nothing(for_s):
    assert pause(World(), for_s).run(FAULT_AT + 300).fired == {}


def test_a_slot_gap_of_a_minute_is_one_alert_at_most_and_ends():
    world = pause(World(), 60).run(FAULT_AT + 300)
    assert set(world.fired) <= {("chain/main", "chain_stalled")}
    assert world.book.firing() == []


def test_a_chain_that_stands_is_told():
    world = pause(World(), 1000).run(FAULT_AT + 100)
    assert world.rules_fired == {"chain_stalled"}
    assert world.fired_after("chain_stalled", None) - FAULT_AT <= 60
    assert world.alert("chain_stalled").text == "21 of 21 validators have seen no block after 1020 for 50 s; nobody sees a newer one"


def test_stalled_finality_of_the_chain_is_told_within_a_minute():
    world = World()
    world.finalized = lambda t: world.height(min(t, FAULT_AT)) - 2
    world.run(FAULT_AT + 70)
    assert world.rules_fired == {"chain_finality_stalled"}
    assert world.fired_after("chain_finality_stalled", None) - FAULT_AT <= 60
    assert len(world.alert("chain_finality_stalled").validators) == 21
    world.run(100)
    assert world.rules_fired == {"chain_finality_stalled", "finality_lagging"}


def test_nothing_is_known_too_early():
    """After a restart of ours an alert that was firing must go on until its rule can tell."""
    world = stall(World(), range(1, 12), "block_height", "finalized_height")
    world.t = FAULT_AT + 50
    world.run(20)
    fleet = world.fleet.chain_view("main", START + world.t)
    stalled, well = world.fleet.view(1, START + world.t), world.fleet.view(20, START + world.t)
    assert heights.chain_stalled(fleet) is UNKNOWN
    assert heights.chain_finality_stalled(fleet) is UNKNOWN
    assert heights.finality_stalled(stalled, fleet) is UNKNOWN
    assert heights.best_stalled(well, fleet) is None


def test_what_was_out_of_sight_did_not_stand_still():
    """A node that comes back shows the block at which it went away."""
    history = History()
    for at in (0.0, 5.0, 305.0, 310.0):
        history.observe(Collected(1, "metrics", START + at, {"block_height": 1000 + (at > 0), "metrics_up": True}))
    behind = ValidatorView(view().config, history, START + 310.0)
    fleet = chain(behind, *(view({"block_height": 1050}, number=n, now=START + 310.0) for n in (2, 3)))
    assert behind.still_s("block_height") == 305.0
    assert heights.best_stalled(behind, fleet) is UNKNOWN


@pytest.mark.parametrize("every_s", [5.0, 15.0, 30.0])
@pytest.mark.parametrize("block_time_s", [2, 6, 12])
def test_slow_polling_and_other_block_times_raise_nothing(every_s, block_time_s):
    world = World(size=7, every_s=every_s)
    world.chain = world.fleet.chains["main"] = world.chain.model_copy(update={"block_time_s": float(block_time_s)})
    world.height = lambda t: 1000 + int(t // block_time_s)
    assert world.run(1500).fired == {}


def test_a_prometheus_server_that_scrapes_seldom_raises_nothing():
    """Polled every 5 s, but scraped every 30 s: what is shown may be that old."""
    world = World(size=7)

    def scraped(number):
        def change(shown, t):
            age = (t + 4 * number) % 30
            shown["metrics"] = {**world.shows(number, t - age)["metrics"], "sample_age_s": age}

        return change

    world.faults = {n: scraped(n) for n in range(1, 8)}
    assert world.run(1500).fired == {}
    frozen = freezes(world, 3, 1500.0, "block_height", "finalized_height")
    world.faults[3] = both(world.faults[3], frozen)
    assert world.run(120).rules_fired == {"best_stalled", "finality_stalled"}


@pytest.mark.parametrize(("lag", "severity"), [(10, None), (11, "medium"), (100, "medium"), (101, "high")])
def test_lag_is_told_from_ten_blocks_on(lag, severity):
    v = view({"block_height": 1000, "finalized_height": 1000 - lag})
    found = heights.finality_lagging(v, chain(v))
    if severity is None:
        assert found is None
    else:
        assert found.severity == (None if severity == "medium" else severity)
        assert found.text.startswith(f"finalized block {1000 - lag} is {lag} behind its best block")


def test_a_lagging_validator_is_named_and_the_chains_median_told():
    world = World()
    world.faults[6] = sets("metrics", since=FAULT_AT, finalized_height=lambda t: world.height(t) - 40)
    world.run(FAULT_AT + 60)
    assert world.rules_fired == {"finality_lagging"}
    assert world.alert("finality_lagging").text.endswith("the chain's median is 2")


def test_syncing_is_told_and_keeps_the_stalls_quiet():
    world = World()
    still = freezes(world, 6, FAULT_AT, "block_height")
    world.faults[6] = both(still, sets("metrics", since=FAULT_AT, syncing=True, finalized_height=1016))
    world.run(FAULT_AT + 100)
    assert world.rules_fired == {"syncing"}
    assert world.alert("syncing").text == "it is syncing: at block 1020 of 1036"


def test_a_fork_is_told():
    world = World()
    world.faults[6] = sets("rpc", since=FAULT_AT, checked_hash=lambda t: f"0xbad{t:.0f}")
    world.run(FAULT_AT + 60)
    assert world.rules_fired == {"fork"}
    assert "while 20 other nodes have 0x00000000…" in world.alert("fork").text


def at_height(number, own, height=100):
    return view({"checked_height": height, "checked_hash": own}, source="rpc", number=number)


def test_a_fork_needs_three_nodes_and_a_majority():
    for hashes, answer in ((["a"], UNKNOWN), (["a", "b"], UNKNOWN), (["a", "b", "b"], "at block"), (["a", "a", "b", "b"], UNKNOWN)):
        views = [at_height(n, own) for n, own in enumerate(hashes)]
        found = heights.fork(views[0], chain(*views))
        assert found is UNKNOWN if answer is UNKNOWN else found.startswith(answer)
    same = [at_height(n, "a") for n in range(3)]
    assert heights.fork(same[0], chain(*same)) is None


def test_hashes_of_other_heights_are_not_compared():
    views = [at_height(1, "a", 96), *(at_height(n, "b", 100) for n in range(2, 6))]
    assert heights.fork(views[0], chain(*views)) is UNKNOWN
    assert heights.fork(views[1], chain(*views)) is None


def test_one_validator_alone_is_told_as_its_chain():
    world = stall(World(size=1), [1], "block_height", "finalized_height").run(FAULT_AT + 80)
    assert world.rules_fired == {"chain_stalled"}
