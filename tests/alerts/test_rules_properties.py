"""Whatever was seen, rules answer; and of what nobody has seen, they say nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.build import RULES, SERIES, START, key, validator, view
from gizzi import UNKNOWN, Finding
from gizzi.config import Chain
from gizzi.fleet.history import ChainHistory, History
from gizzi.fleet.names import OBSERVATIONS
from gizzi.fleet.observation import Collected, Failure
from gizzi.fleet.view import ChainView, ValidatorView
from gizzi.kinds import SEVERITIES

TEXTS = {"version", "rpc_version", "node_name", "channel_max_name", "checked_hash", "unit_state", "peer_id"}
LISTS = {"tasks_ended", "grandpa_missing", "equivocation_ids"}
HEIGHTS = {"block_height", "finalized_height", "rpc_block_height", "rpc_finalized_height", "sync_target"}
COUNTERS = HEIGHTS | {name for name in OBSERVATIONS if name.endswith("_total")}

whole = st.one_of(st.sampled_from([0, 1, 2, 3, 7, 200, 201, 10_001]), st.integers(0, 2**63))
odd = st.one_of(whole, st.booleans(), st.floats(-1e18, 1e18), st.sampled_from([float("nan"), float("inf"), float("-inf")]))
near = st.one_of(st.integers(990, 1010), whole)


def values_of(name: str) -> st.SearchStrategy[Any]:
    if name == "checked_hash":
        return st.sampled_from(["0xaa", "0xbb", ""])
    if name == "checked_height":
        return st.sampled_from([100, 104])
    if name in TEXTS:
        return st.text(max_size=80)
    if name in LISTS:
        return st.lists(st.sampled_from([key(1), key(2), "", "\x1b[31m", "x" * 300]), max_size=5).map(tuple)
    return near if name in HEIGHTS else odd


seen = st.fixed_dictionaries({}, optional={name: values_of(name) for name in OBSERVATIONS})
failures = st.none() | st.sampled_from(["refused", "timeout", "unreadable", "unauthorised", "http", "rpc", "host_key", "internal"])
collected = st.tuples(
    st.integers(1, 5),
    st.sampled_from(["metrics", "rpc", "host", "journal", "prometheus", "node_exporter"]),
    st.sampled_from([0.0, 1.0, 5.0, 15.0, 30.0, 200.0, 4000.0]),
    seen,
    failures,
)
ways = st.sampled_from(
    [{}, {"rpc_url": None}, {"metrics_url": None}, {"metrics_url": None, "rpc_url": None}, {"authority_id": None}, {"authority": False}]
)


def fleet_of(collections, changes) -> ChainView:
    histories = {n: History(SERIES) for n in range(1, 6)}
    votes, now = ChainHistory(), START
    for number, source, later_s, values, failure in collections:
        now += later_s
        histories[number].observe(Collected(number, source, now, values, Failure(failure, "because") if failure else None))
        votes.observe(int(later_s > 200), values.get("grandpa_missing", ()), now, int(now // 6))
    views = [ValidatorView(validator(n, **changes), histories[n], now) for n in histories]
    return ChainView(Chain(id="main"), views, votes, now)


def standing_fleet(shown, moving, changes, rounds, every_s) -> ChainView:
    """Every validator shows the same all the time, apart from the counters that move."""
    histories = {n: History(SERIES) for n in range(1, len(shown) + 1)}
    votes, now = ChainHistory(), START
    for step in range(rounds):
        now += every_s
        for (number, history), values in zip(histories.items(), shown, strict=True):
            moved = {name: values[name] + step for name in moving.get(number, ()) if isinstance(values.get(name), int)}
            history.observe(Collected(number, "metrics", now, {**values, **moved}, fresh_for_s=3 * every_s + 3))
            votes.observe(1, values.get("grandpa_missing", ()), now, step)
    views = [ValidatorView(validator(n, **changes), history, now) for n, history in histories.items()]
    return ChainView(Chain(id="main", authorities=5), views, votes, now)


def check(fleet: ChainView) -> None:
    for rule, answer in answers(fleet):
        if isinstance(answer, Finding):
            assert answer.severity in (None, *SEVERITIES) and set(answer.validators) <= {1, 2, 3, 4, 5}, rule.name
            assert {name.rpartition("/")[2] for name in answer.evidence} <= set(OBSERVATIONS), rule.name
            answer = answer.text
        assert answer is None or answer is UNKNOWN or (isinstance(answer, str) and 0 < len(answer) < 400), (rule.name, answer)


def answers(fleet: ChainView):
    for rule in RULES.values():
        if rule.scope == "validator":
            yield from ((rule, rule.check(v, fleet)) for v in fleet)
        elif rule.scope == "chain":
            yield rule, rule.check(fleet)


@settings(max_examples=150)
@given(st.lists(collected, max_size=12), ways)
def test_rules_answer_whatever_was_seen(collections, changes):
    check(fleet_of(collections, changes))


@settings(max_examples=100)
@given(
    st.lists(seen, min_size=1, max_size=5),
    st.dictionaries(st.integers(1, 5), st.sets(st.sampled_from(sorted(COUNTERS)))),
    ways,
    st.sampled_from([1, 3, 8, 40]),
    st.sampled_from([5.0, 60.0, 300.0]),
)
def test_rules_answer_however_long_it_stands(shown, moving, changes, rounds, every_s):
    check(standing_fleet(shown, moving, changes, rounds, every_s))


@given(ways)
def test_nothing_is_claimed_of_what_nobody_has_seen(changes):
    for rule, answer in answers(fleet_of([], changes)):
        assert answer is UNKNOWN or answer is None, rule.name


@given(st.lists(collected, max_size=12), ways)
def test_nothing_is_claimed_once_everything_has_expired(collections, changes):
    """Apart from what stays known of a validator that answers nothing: nothing at all."""
    fleet = fleet_of(collections, changes)
    later = fleet.now + 1000.0
    views = [ValidatorView(v.config, v._history, later) for v in fleet]
    for rule, answer in answers(ChainView(fleet.chain, views, ChainHistory(), later)):
        assert answer is UNKNOWN or answer is None, rule.name


@given(st.integers(0, 60), st.integers(0, 60))
def test_with_fewer_peers_it_is_no_better(peers, fewer):
    fewer = min(peers, fewer)
    told = [RULES["peers_low"].check(view({"peers": count}), None) is not None for count in (peers, fewer)]
    assert told[1] >= told[0]


@given(st.integers(0, 500), st.integers(0, 500))
def test_further_behind_it_is_no_better(lag, more):
    def severity(behind):
        v = view({"block_height": 1000, "finalized_height": 1000 - behind})
        found = RULES["finality_lagging"].check(v, ChainView(Chain(id="main"), [v], ChainHistory(), START))
        return -1 if found is None else SEVERITIES.index(found.severity or "medium")

    assert severity(max(lag, more)) >= severity(lag)


@given(st.integers(1, 200), st.data())
def test_with_more_missing_the_quorum_is_no_better(authorities, data):
    few = data.draw(st.integers(0, authorities))
    many = data.draw(st.integers(few, authorities))

    def severity(missing):
        views = [
            view({"metrics_up": number > missing, "block_height": 1}, number=number, rpc_url=None) for number in range(1, authorities + 1)
        ]
        found = RULES["quorum_at_risk"].check(ChainView(Chain(id="main", authorities=authorities), views, ChainHistory(), START))
        return -1 if found is None else SEVERITIES.index(found.severity or "high")

    can_lose = (authorities - 1) // 3
    assert severity(many) >= severity(few)
    assert (severity(many) == SEVERITIES.index("critical")) == (many > can_lose)
