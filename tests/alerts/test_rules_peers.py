"""Too few peers, nobody who connects, authorities whose addresses cannot be found."""

from __future__ import annotations

import pytest

from alerts.build import START, World, both, chain, sets, view
from gizzi import UNKNOWN
from gizzi.alerts.rules import peers
from gizzi.fleet.history import History
from gizzi.fleet.observation import Collected
from gizzi.fleet.view import ValidatorView

FAULT_AT = 120.0


def with_peers(count, since=FAULT_AT, **more):
    return both(sets("metrics", since=since, peers=count, **more), sets("rpc", since=since, rpc_peers=count))


def test_few_peers_are_told_within_thirty_seconds():
    world = World()
    world.faults[6] = with_peers(1)
    world.run(FAULT_AT + 100)
    assert world.rules_fired == {"peers_low"}
    assert world.fired_after("peers_low") - FAULT_AT <= 30
    assert world.alert("peers_low").text == "1 peer; fewer than 3"


@pytest.mark.parametrize("count", [0, 1, 2, 3, 30])
def test_fewer_than_three_are_few(count):
    answer = peers.peers_low(view({"peers": count}), None)
    assert (answer is None) == (count >= 3)


def test_a_node_that_needs_no_peers_is_fine():
    assert peers.peers_low(view({"peers": 0, "should_have_peers": False}), None) is None


def test_a_node_that_has_just_started_may_look_for_peers():
    for age_s, answer in ((5, UNKNOWN), (39, UNKNOWN), (41, "0 peers; fewer than 3"), (-600, "0 peers; fewer than 3")):
        assert peers.peers_low(view({"peers": 0, "process_start_at": START - age_s}), None) == answer


def test_unknown_peers_are_unknown():
    assert peers.peers_low(view(), None) is UNKNOWN
    assert peers.chain_peers_low(chain(view())) is UNKNOWN


@pytest.mark.parametrize(("low", "severity"), [(2, "none"), (6, "none"), (7, "medium"), (10, "medium"), (11, "critical"), (21, "critical")])
def test_the_chain_is_told_of_from_thirty_percent_on(low, severity):
    fleet = chain(*(view({"peers": 1 if n < low else 30}, number=n + 1) for n in range(21)))
    found = peers.chain_peers_low(fleet)
    if severity == "none":
        assert found is None
    else:
        assert found.severity == (None if severity == "medium" else severity)
        assert len(found.validators) == low
        assert found.text == f"{low} of 21 nodes have fewer than 3 peers"


def test_nodes_that_do_not_tell_their_peers_do_not_count():
    known = [view({"peers": 1 if n < 3 else 30}, number=n + 1) for n in range(5)]
    assert len(peers.chain_peers_low(chain(*known, *(view(number=n) for n in range(10, 20)))).validators) == 3


def test_nobody_connects_counts_only_where_others_are_connected_to():
    world = World(size=6)
    world.faults[6] = sets("metrics", since=FAULT_AT, incoming_connections_total=17)
    world.run(FAULT_AT + 1300)
    assert world.rules_fired == {"no_incoming"}
    quiet = World(size=6)
    quiet.faults = dict.fromkeys(range(1, 7), sets("metrics", since=FAULT_AT, incoming_connections_total=17))
    assert quiet.run(FAULT_AT + 1300).fired == {}


def test_failing_look_ups_are_told_after_two_hours():
    world = World(size=1)
    world.faults[1] = sets(
        "metrics", authority_discovery_failed_total=lambda t: int(t / 20), authority_discovery_found_total=lambda t: int(t / 60)
    )
    world.run(6900)
    assert world.fired == {}
    world.run(700)
    assert world.rules_fired == {"authority_discovery_failing"}
    assert "75% of 360 look-ups failed" in world.alert("authority_discovery_failing").text


def test_some_failing_look_ups_are_usual():
    world = World(size=1)
    world.faults[1] = sets(
        "metrics", authority_discovery_failed_total=lambda t: int(t / 60), authority_discovery_found_total=lambda t: int(t / 20)
    )
    assert world.run(8000).fired == {}


def falling(count, for_s, **more) -> ValidatorView:
    """count: what it shows, by the seconds since it was first seen."""
    history = History({"peers"})
    for at in range(0, int(for_s) + 1, 5):
        history.observe(Collected(1, "metrics", START + at, {"peers": count(at), **more}, fresh_for_s=15.0))
    return ValidatorView(view().config, history, START + for_s)


def wiggled(at):
    return int(at / 45) * 7 % 4


def test_peers_that_fall_are_told_while_it_still_has_some():
    found = peers.peers_falling(falling(lambda at: 40 - at // 60 + wiggled(at), 1500), None)
    assert found is not None and found is not UNKNOWN
    assert "fewer than 20 min ago: fewer than 3 in about" in found and "80 %" in found
    assert peers.peers_falling(falling(lambda at: 40 - at // 60, 1000), None) is UNKNOWN, "not watched for long enough"
    assert peers.peers_falling(falling(lambda at: 40 - at // 60, 1500, should_have_peers=False), None) is None


@pytest.mark.parametrize(
    "count",
    [
        lambda at: 40 + wiggled(at),
        lambda at: 40 - at // 300 + wiggled(at),
        lambda at: 40 if at < 1800 else 6 + wiggled(at),
        lambda at: 40 - at // 60 if at < 1200 else 22 + wiggled(at) if at < 2700 else 38,
        lambda at: min(40, at // 30) + wiggled(at),
        lambda at: 5 + wiggled(at),
        lambda at: 40 - 35 * (600 < at % 1800 < 700),
    ],
    ids=["healthy", "slowly", "a step", "came back", "rising", "few", "short dips"],
)
def test_what_does_not_fall_for_long_is_no_alarm(count):
    for end in range(2400, 5400, 120):
        assert peers.peers_falling(falling(count, end), None) is None, end


def test_too_few_peers_are_for_the_other_rule():
    assert peers.peers_falling(falling(lambda at: max(1, 30 - at // 60), 2100), None) is None
    assert peers.peers_falling(view(), None) is UNKNOWN
