"""What rules see: only what is fresh, and None for everything else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gizzi.config import Chain, Validator
from gizzi.fleet.fleet import CHECK_EVERY_BLOCKS, Fleet
from gizzi.fleet.history import ChainHistory, History
from gizzi.fleet.observation import Collected, Failure
from gizzi.fleet.view import SECOND_CHOICE, ChainView, ValidatorView


def view(*looks: Collected, now: float, series: tuple[str, ...] = (), **config: Any) -> ValidatorView:
    history = History(series)
    for look in looks:
        history.observe(look)
    return ValidatorView(Validator(number=1, **config), history, now)


def look(at: float, source: str = "metrics", failure: Failure | None = None, fresh_s: float = 18.0, **values: Any) -> Collected:
    return Collected(1, source, at, values, failure, fresh_s)


def a_fleet(count: int = 3, *chains: Chain) -> Fleet:
    chains = chains or (Chain(id="main"),)
    validators = [Validator(number=n, chain=chains[n % len(chains)].id) for n in range(1, count + 1)]
    return Fleet(validators, {chain.id: chain for chain in chains})


# one validator


def test_what_was_never_seen_is_none_whatever_its_name() -> None:
    v = view(now=0.0)
    assert v.peers is None and v.a_plugins_own_observation is None and v.up is None
    assert v.still_s("peers") is None and v.moving("peers", 10.0) is None and v.seen_at("peers") is None and v.watched_s("peers") == 0.0
    assert v.window("peers", 60.0) == [] and v.change("peers", 60.0) == (0.0, 0.0)
    with pytest.raises(AttributeError):
        v.__deepcopy__  # noqa: B018 - what Python itself asks for is no observation


def test_a_plugins_observation_is_an_attribute_too() -> None:
    assert view(look(0.0, "weather", rain=True), now=1.0).rain is True


@pytest.mark.parametrize(("name", "other"), SECOND_CHOICE.items())
def test_the_second_choice_stands_in_only_while_the_first_is_not_fresh(name: str, other: str) -> None:
    looks = look(0.0, **{name: 5}), look(10.0, "rpc", **{other: 7})
    assert getattr(view(*looks, now=12.0), name) == 5
    assert getattr(view(*looks, now=20.0), name) == 7
    assert getattr(view(*looks, now=30.0), name) is None


def test_lag_is_of_two_fresh_heights_and_never_negative() -> None:
    assert view(look(0.0, block_height=9, finalized_height=6), now=1.0).finalization_lag == 3
    assert view(look(0.0, block_height=9, finalized_height=12), now=1.0).finalization_lag == 0
    assert view(look(0.0, block_height=9), now=1.0).finalization_lag is None


@pytest.mark.parametrize(
    ("metrics", "rpc", "up"),
    [
        *((True, True, True), (True, False, True), (False, True, True), (True, None, True), (None, True, True)),
        *((False, False, False), (False, None, False), (None, False, False), (None, None, None)),
    ],
)
def test_up(metrics: bool | None, rpc: bool | None, up: bool | None) -> None:
    ways = {"metrics": metrics, "rpc": rpc}
    looks = [look(0.0, way, None if ok else Failure("refused", "no")) for way, ok in ways.items() if ok is not None]
    assert view(*looks, now=1.0).up is up


def test_moving_tells_stood_from_not_watched() -> None:
    looks = [look(at, block_height=100 + (at >= 10)) for at in range(0, 65, 5)]
    v = view(*looks, now=62.0)
    assert v.moving("block_height", 60.0) is True
    assert v.moving("block_height", 40.0) is False
    assert v.still_s("block_height") == 50.0 and v.stands_s("block_height") == 50.0 and v.moved("block_height")
    just_begun = view(look(0.0, block_height=1), look(5.0, block_height=1), now=6.0)
    assert just_begun.moving("block_height", 30.0) is None and not just_begun.moved("block_height")


def test_a_time_out_of_sight_is_no_standing_still() -> None:
    v = view(look(0.0, block_height=1), look(5.0, block_height=1), look(300.0, block_height=1), look(305.0, block_height=1), now=306.0)
    assert v.moving("block_height", 60.0) is None, "nobody watched in between"
    assert v.still_s("block_height") == 305.0 and v.stands_s("block_height") == 5.0


def test_what_a_prometheus_server_tells_is_as_old_as_its_scrape() -> None:
    looks = [look(float(at), "prometheus", block_height=1, sample_age_s=20.0) for at in range(0, 60, 5)]
    assert view(*looks, now=56.0).stands_s("block_height") == 35.0


@given(st.lists(st.tuples(st.floats(1.0, 30.0), st.integers(0, 1000)), min_size=1, max_size=60), st.floats(1.0, 900.0))
def test_a_window_lies_between_its_samples(looks: list[tuple[float, int]], span_s: float) -> None:
    at, seen = 0.0, []
    for wait_s, value in looks:
        at += wait_s
        seen.append(look(at, fresh_s=100.0, disk_free_bytes=value))
    v = view(*seen, now=at, series=("disk_free_bytes",))
    window = v.window("disk_free_bytes", span_s)
    assert [time for time, _ in window] == sorted(time for time, _ in window)
    assert all(at - span_s - 1e-6 <= time <= at for time, _ in window)
    lowest, highest = min(value for _, value in looks), max(value for _, value in looks)
    assert all(lowest <= value <= highest for _, value in window)
    if window:
        span, difference = v.change("disk_free_bytes", span_s)
        assert span == pytest.approx(window[-1][0] - window[0][0]) and difference == pytest.approx(window[-1][1] - window[0][1])


# a fleet

STEP = st.tuples(
    st.floats(0.0, 15.0),
    st.integers(1, 3),
    st.sampled_from((("metrics", "metrics"), ("rpc", "rpc"), ("rpc", "heartbeat"))),
    st.dictionaries(st.sampled_from(("peers", "block_height", "rpc_peers", "rpc_syncing")), st.integers(0, 3), max_size=3),
    st.booleans(),
)


@settings(max_examples=200)
@given(st.lists(STEP, max_size=30))
def test_after_a_fold_and_before_the_next_nothing_stale_is_shown_and_whoever_changed_is_named(steps: list[Any]) -> None:
    fleet, now = a_fleet(), 1000.0
    latest: dict[tuple[int, str], tuple[Any, float]] = {}
    for wait_s, number, (source, by), values, ok in steps:
        before = {n: _believed(n, latest, now) for n in fleet.validators}
        now += wait_s
        shown = {n: _shown(fleet, n, latest, now) for n in fleet.validators}
        assert all(shown[n] == _believed(n, latest, now) for n in shown), "shown between two evaluations"
        failure = None if ok else Failure("refused", "no")
        touched, chains = fleet.fold([Collected(number, source, now, dict(values), failure, 18.0, by)], now)
        for name, value in {**values, f"{source}_up": ok}.items():
            latest[number, name] = (value, now + 18.0)
        for n in fleet.validators:
            assert _shown(fleet, n, latest, now) == _believed(n, latest, now)
            if before[n] != _believed(n, latest, now):
                assert n in touched and chains == ["main"]


def _believed(number: int, latest: dict[tuple[int, str], tuple[Any, float]], now: float) -> dict[str, Any]:
    return {name: value for (n, name), (value, until) in latest.items() if n == number and until >= now}


def _shown(fleet: Fleet, number: int, latest: dict[tuple[int, str], tuple[Any, float]], now: float) -> dict[str, Any]:
    view = fleet.view(number, now)
    names = {name for n, name in latest if n == number}
    return {name: vars(view)[name] for name in names if name in vars(view) and name not in _stood_in(view)}


def _stood_in(view: ValidatorView) -> set[str]:
    """Names that show their second choice."""
    return {name for name in SECOND_CHOICE if name not in view._history.current}


def test_strangers_are_left_out() -> None:
    fleet = a_fleet()
    assert fleet.fold([Collected(99, "metrics", 0.0, {"peers": 1})], 0.0) == ([], [])


def test_a_heartbeat_without_news_is_no_reason_to_look_again() -> None:
    fleet = a_fleet()
    beat = {"rpc_peers": 7}
    assert fleet.fold([Collected(1, "rpc", 0.0, beat, by="heartbeat")], 0.0)[0] == [1]
    assert fleet.fold([Collected(1, "rpc", 5.0, beat, by="heartbeat")], 5.0)[0] == []
    assert fleet.fold([Collected(1, "rpc", 5.5, beat, by="rpc")], 5.5)[0] == [1]


def test_hashes_are_compared_at_one_height_for_a_while() -> None:
    fleet = a_fleet()
    assert fleet.check_height("main") is None
    heights = set()
    for step in range(9):
        fleet.fold([Collected(n, "metrics", step, {"finalized_height": 100 + step + n}) for n in (1, 2, 3)], step)
        fleet.chain_view("main", step)
        heights.add(fleet.check_height("main"))
    assert all(height is not None and height % CHECK_EVERY_BLOCKS == 0 for height in heights) and len(heights) == 3


# a chain


def members(*values: dict[str, Any], now: float = 1.0, **config: Any) -> list[ValidatorView]:
    found = []
    for number, seen in enumerate(values, 1):
        history = History()
        history.observe(Collected(number, "metrics", now - 1.0, seen))
        found.append(ValidatorView(Validator(number=number, **{k: v[number - 1] for k, v in config.items()}), history, now))
    return found


def chain(validators: list[ValidatorView], votes: ChainHistory | None = None, now: float = 1.0, **about: Any) -> ChainView:
    return ChainView(Chain(id="main", **about), validators, votes or ChainHistory(), now)


def test_an_empty_chain_knows_nothing() -> None:
    c = chain([])
    assert (c.median_height, c.max_height, c.authorities, c.can_lose, c.missing, c.missing_count) == (None, None, None, None, [], 0)
    assert c.share([]) == 0.0 and c.usual_version is None and c.usual_hashes == {}


@given(st.lists(st.one_of(st.none(), st.integers(0, 50)), max_size=12))
def test_medians_are_of_what_is_known(heights: list[int | None]) -> None:
    c = chain(members(*({} if height is None else {"block_height": height} for height in heights)))
    known = sorted(height for height in heights if height is not None)
    assert c.median_height == (known[len(known) // 2] if known else None)
    assert c.max_height == (known[-1] if known else None)


@pytest.mark.parametrize(("n", "can_lose"), [(1, 0), (3, 0), (4, 1), (7, 2), (21, 6), (100, 33)])
def test_how_many_may_be_missing(n: int, can_lose: int) -> None:
    assert chain(members({}), authorities=n).can_lose == can_lose
    assert chain(members({"grandpa_total_weight": n}, {}), authorities=3).can_lose == can_lose, "what the chain says counts more"


@given(st.lists(st.sampled_from(("1.0", "1.1", None)), max_size=8))
def test_a_usual_version_takes_a_majority_of_at_least_three(versions: list[str | None]) -> None:
    usual = chain(members(*({} if version is None else {"version": version} for version in versions))).usual_version
    known = [version for version in versions if version]
    wanted = [version for version in ("1.0", "1.1") if len(known) >= 3 and known.count(version) * 2 > len(known)]
    assert usual == (wanted[0] if wanted else None)


def test_hashes_count_only_at_their_own_height() -> None:
    at_8 = [{"checked_height": 8, "checked_hash": "0xaa"}] * 3
    at_4 = [{"checked_height": 4, "checked_hash": "0xbb"}] * 2
    assert chain(members(*at_8, *at_4)).usual_hashes == {8: "0xaa"}


def test_who_is_missing_down_or_unheard_of() -> None:
    ids = [f"0x{'0' * 63}{n}" for n in range(1, 5)]
    votes = ChainHistory()
    for at in (0.0, 40.0):
        votes.observe(1, (ids[1], "0xother"), at, 1)
    down = {"metrics_up": False, "rpc_up": False}
    c = chain(members({}, {}, down, down, now=41.0, authority_id=ids, authority=[True, True, True, False]), votes, 41.0)
    assert c.missing == [2, 3], "number 4 is no authority, and number 1 votes"
    assert c.missing_count == 3, "and one that is not ours"
    assert chain([], votes, 41.0).missing_count == 2
    nameless = chain(members(down, down, {}, now=41.0), votes, 41.0)
    assert (nameless.missing, nameless.missing_count) == ([1, 2], 2), "the two whose votes are missing may well be these"
