"""The facts a restart stands on: unknown where nobody has looked since, never favourable because of what was seen long ago."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gizzi.config import Chain, Validator
from gizzi.fleet.facts import SESSION_CHANGE_S, Facts, facts_of
from gizzi.fleet.fleet import Fleet
from gizzi.fleet.observation import Collected, Failure

KEYS = {number: f"0x{number:064x}" for number in range(1, 5)}
REFUSED = Failure("refused", "no")
FRESH_S = {"metrics": 18.0, "rpc": 18.0, "host": 93.0, "journal": 93.0}
CLEAN = Facts(up=True, db_lost=False, twin_running=False, unclean_stop=False, in_session_change=False, maintenance=False)


@dataclass
class World:
    """Four validators on a chain; number 1 is the one in question."""

    standby_hosts: tuple[str, ...] | None = ()
    now: float = 1000.0
    fleet: Fleet = field(init=False)

    def __post_init__(self) -> None:
        validators = [
            Validator(
                number=n, chain="main", authority_id=KEYS[n], standby_hosts=self.standby_hosts, metrics_url="http://x", rpc_url="http://x"
            )
            for n in KEYS
        ]
        self.fleet = Fleet(validators, {"main": Chain(id="main", authorities=4)})

    def see(self, number: int, source: str, failure: Failure | None = None, **values: Any) -> World:
        self.fleet.fold([Collected(number, source, self.now, values, failure, FRESH_S[source])], self.now)
        return self

    def votes(self, *missing: int, by: int = 2, set_id: int = 7, round_number: int = 1) -> World:
        ids = tuple(KEYS[n] for n in missing)
        return self.see(by, "rpc", grandpa_missing=ids, grandpa_set_id=set_id, rpc_grandpa_round=round_number, grandpa_total_weight=4)

    def healthy(self, number: int = 1) -> World:
        self.see(number, "metrics", block_height=100, finalized_height=97, peers=9)
        self.see(number, "rpc", rpc_peers=9)
        self.see(number, "host", unit_active=True, unclean_stop=False)
        return self.see(number, "journal", genesis_line=False, own_equivocations=0, equivocation_ids=())

    def down(self, number: int = 1) -> World:
        return self.see(number, "metrics", REFUSED).see(number, "rpc", REFUSED)

    def wait(self, span_s: float) -> World:
        self.now += span_s
        self.fleet.fold([], self.now)
        return self

    def facts(self, number: int = 1) -> Facts:
        return facts_of(self.fleet.view(number, self.now), self.fleet.chain_view("main", self.now), False)


def test_nothing_seen_is_nothing_known() -> None:
    facts = World(standby_hosts=None).facts()
    assert facts.unknown() == ["up", "db_lost", "twin_running", "unclean_stop", "in_session_change"] and facts.unclean() == []


def test_a_healthy_one_is_clean() -> None:
    assert World().healthy().votes().facts() == CLEAN


def test_when_it_goes_down_what_was_seen_before_says_nothing() -> None:
    world = World().healthy().votes().wait(5).down().wait(1)
    assert world.facts() == Facts(False, None, None, None, False, False), "whether its keys vote elsewhere has not shown yet"
    world.see(1, "host", unit_active=False, unclean_stop=True).see(1, "journal", genesis_line=False)
    assert world.facts() == Facts(False, False, None, True, False, False)


def test_a_database_below_what_it_had_finalized_is_lost() -> None:
    world = World().healthy().wait(5).see(1, "metrics", block_height=91, finalized_height=88)
    assert world.facts().db_lost is True
    assert World().healthy().wait(5).see(1, "metrics", block_height=92, finalized_height=88).facts().db_lost is False


def test_an_old_copy_of_the_database_is_not_forgotten_when_the_node_goes_down_after() -> None:
    world = World().healthy().wait(5).see(1, "metrics", block_height=50, finalized_height=47).wait(5).down().wait(1)
    world.see(1, "host", unit_active=False, unclean_stop=False).see(1, "journal", genesis_line=False)
    assert world.facts().db_lost is None
    assert world.see(1, "metrics", block_height=101, finalized_height=98).facts().db_lost is False


def test_a_genesis_line_counts_only_where_it_is_new() -> None:
    world = World().see(1, "journal", genesis_line=True).see(1, "metrics", block_height=100, finalized_height=97).wait(5).down().wait(1)
    assert world.see(1, "journal", genesis_line=True).facts().db_lost is None, "it may be of long ago"
    world = World().healthy().wait(5).down().wait(1)
    assert world.see(1, "journal", genesis_line=True).facts().db_lost is True


def test_a_set_that_has_just_changed() -> None:
    world = World().healthy().votes(set_id=7).wait(5).votes(set_id=8)
    assert world.facts().in_session_change is True
    world.wait(SESSION_CHANGE_S).votes(set_id=8)
    assert world.facts().in_session_change is False


def test_a_set_that_nobody_tells_of_any_more_is_unknown() -> None:
    world = World().healthy().votes().wait(30).healthy()
    assert world.facts().in_session_change is None


# a second signer


@pytest.mark.parametrize("standby_hosts", [(), None])
def test_an_equivocation_that_names_it_wherever_it_is_logged(standby_hosts: tuple[str, ...] | None) -> None:
    world = World(standby_hosts).healthy().see(3, "journal", equivocation_ids=(KEYS[1],))
    assert world.facts(1).twin_running is True and world.facts(2).twin_running is (False if standby_hosts == () else None)
    assert World(standby_hosts).see(1, "journal", own_equivocations=1).facts().twin_running is True


@pytest.mark.parametrize("by", ["own", "other"])
def test_an_equivocation_is_not_forgotten_because_the_log_cannot_be_read_any_more(by: str) -> None:
    world = World().healthy()
    if by == "own":
        world.see(1, "journal", own_equivocations=1)
    else:
        world.see(3, "journal", equivocation_ids=(KEYS[1],))
    assert world.wait(200).healthy(2).facts().twin_running is None
    if by == "own":
        world.see(1, "journal", own_equivocations=0)
    else:
        world.see(3, "journal", equivocation_ids=())
    assert world.facts().twin_running is False, "an hour has passed, and its log was read again"


def test_without_votes_while_it_is_down_there_is_no_twin_also_where_nobody_says_how_many_standbys_there_are() -> None:
    world = World(standby_hosts=None).healthy().votes().down()
    assert world.facts().twin_running is None
    for at in range(10):
        world.wait(5).down().votes(1, round_number=2 + at)
    assert world.facts().twin_running is False


def test_votes_that_nobody_tells_of_any_more_do_not_clear_it() -> None:
    world = World(standby_hosts=None).healthy().votes().down()
    for at in range(10):
        world.wait(5).down().votes(1, round_number=2 + at)
    for _ in range(10):
        world.wait(5).down()
    assert world.facts().twin_running is None


def test_votes_while_it_is_down_are_a_twins_and_stay_so_while_nobody_can_look() -> None:
    world = World().healthy().votes(1).wait(5).down()
    for at in range(10):
        world.wait(5).down().votes(*((1,) if at < 5 else ()), round_number=2 + at)
    world.wait(5).down()
    assert world.facts().twin_running is True
    assert world.wait(60).facts() == Facts(None, None, None, None, None, False)


# whatever happens

NEWS = st.one_of(
    st.tuples(st.just("metrics"), st.fixed_dictionaries({"block_height": st.sampled_from((50, 100)), "finalized_height": st.just(97)})),
    st.tuples(st.just("metrics"), st.just(None)),
    st.tuples(st.just("rpc"), st.just(None)),
    st.tuples(st.just("rpc"), st.fixed_dictionaries({"rpc_peers": st.just(9)})),
    st.tuples(st.just("host"), st.fixed_dictionaries({"unclean_stop": st.booleans(), "unit_active": st.booleans()})),
    st.tuples(
        st.just("journal"),
        st.fixed_dictionaries(
            {"genesis_line": st.booleans(), "own_equivocations": st.integers(0, 1), "equivocation_ids": st.sampled_from(((), (KEYS[1],)))}
        ),
    ),
    st.tuples(st.just("votes"), st.tuples(st.sampled_from(((), (1,))), st.integers(7, 8))),
)


def _live(world: World, steps: list[tuple[float, int, tuple[str, Any]]]) -> None:
    for round_number, (wait_s, number, (source, values)) in enumerate(steps):
        world.wait(wait_s)
        if source == "votes":
            world.votes(*values[0], set_id=values[1], round_number=round_number)
        elif values is None:
            world.see(number, source, REFUSED)
        else:
            world.see(number, source, **values)


STEPS = st.lists(st.tuples(st.floats(0.5, 30.0), st.integers(1, 2), NEWS), max_size=25)


@settings(max_examples=300)
@given(STEPS, st.sampled_from(((), None)), st.lists(st.floats(0.5, 60.0), min_size=1, max_size=6))
def test_while_nobody_looks_a_fact_may_only_become_unknown(
    steps: list[Any], standby_hosts: tuple[str, ...] | None, waits: list[float]
) -> None:
    world = World(standby_hosts)
    _live(world, steps)
    before = world.facts().as_json()
    for wait_s in waits:
        after = world.wait(wait_s).facts().as_json()
        for name, value in after.items():
            passes = name == "in_session_change" and before[name] is True  # ends by itself, while votes are still seen
            assert value in (before[name], None) or passes, (name, before[name], value)
        before = after
    last = world.wait(200).facts()
    assert last.twin_running in (before["twin_running"], None) and last.twin_running is not True
    assert dataclasses.replace(last, twin_running=None) == Facts(None, None, None, None, None, False)


@settings(max_examples=300)
@given(STEPS, st.integers(1, 40))
def test_after_it_went_down_nothing_of_before_counts(steps: list[Any], failing_s: int) -> None:
    world = World(None)
    _live(world, [step for step in steps if step[2][0] != "votes"])
    world.wait(0.5)
    was_up = world.facts().up is not False
    world.down().wait(failing_s / 10).down()
    facts = world.facts()
    assert facts.up is False
    if was_up:
        assert facts.unclean_stop is None and facts.db_lost is None and facts.twin_running is not False
