"""What is remembered of a validator and of a chain's votes, against models that are slow and plain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gizzi.fleet.history import SERIES_LENGTH, ChainHistory, History
from gizzi.fleet.observation import Collected, Failure

NAMES = ("a", "b", "finalized_height")
COLLECTORS = (("metrics", "metrics"), ("rpc", "rpc"), ("rpc", "heartbeat"), ("rpc", ""))
VALUES = st.sampled_from((0, 1, 2, 2.0, True, "x", (), ("y",)))


@dataclass
class Seen:
    """All that was ever seen of one name: (when, value, until when it may be believed)."""

    looks: list[tuple[float, Any, float]] = field(default_factory=list)

    def value(self, now: float) -> Any:
        """The latest value if it is still believed, else None."""
        _, value, until = self.looks[-1]
        return value if until >= now else None

    def moved_at(self) -> float:
        at = self.looks[0][0]
        for (_, before, _), (then, after, _) in zip(self.looks, self.looks[1:], strict=False):
            if after != before:
                at = then
        return at

    def moves(self) -> int:
        return sum(before[1] != after[1] for before, after in zip(self.looks, self.looks[1:], strict=False))

    def since_at(self) -> float:
        """Since when it was never out of sight."""
        at = self.looks[0][0]
        for (_, _, until), (then, _, _) in zip(self.looks, self.looks[1:], strict=False):
            if until < then:
                at = then
        return at


@dataclass
class Model:
    """A validator's history as one would write it down without any thought of speed."""

    seen: dict[str, Seen] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    watermark: int | None = None
    last_at: float | None = None

    def observe(self, c: Collected) -> None:
        values = {f"{c.source}_up": c.failure is None, **c.values}
        for name, value in values.items():
            self.seen.setdefault(name, Seen()).looks.append((c.at, value, c.at + c.fresh_for_s))
        height = values.get("finalized_height") or values.get("rpc_finalized_height")
        if isinstance(height, int) and (self.watermark is None or height > self.watermark):
            self.watermark = height
        if c.failure is None:
            self.failures.pop(c.source, None)
            self.last_at = c.at
        else:
            self.failures[c.source] = c.failure

    def fresh(self, now: float) -> dict[str, Any]:
        return {name: seen.value(now) for name, seen in self.seen.items() if seen.value(now) is not None}


LOOK = st.tuples(
    st.floats(0.0, 12.0),  # seconds since the one before
    st.sampled_from(COLLECTORS),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    st.sampled_from((None, None, None, Failure("refused", "no"), Failure("timeout", "slow"))),
    st.sampled_from((4.0, 18.0)),
    st.floats(0.0, 20.0),  # how much later it is looked at
    st.booleans(),  # whether it is looked at at all
)


@settings(max_examples=400)
@given(st.lists(LOOK, max_size=30))
def test_it_knows_what_the_model_knows_and_nothing_outlives_its_freshness(looks: list[Any]) -> None:
    history, model = History(), Model()
    at = 1000.0
    for wait_s, (source, by), values, failure, fresh_s, later_s, looked in looks:
        at += wait_s
        if source == "rpc":  # sources share no names, unless they report as one; those have one period
            values, fresh_s = {f"rpc_{name}": value for name, value in values.items()}, 9.0
        collected = Collected(1, source, at, dict(values), failure, fresh_s, by)
        before = model.fresh(at)
        news = history.observe(collected)
        model.observe(collected)
        assert news == (model.fresh(at) != before)
        for name, seen in model.seen.items():
            track = history.tracks[name]
            shown = (track.value, track.at, track.first_at, track.moved_at, track.moves, track.since_at, track.expires_at)
            assert shown == (
                *(seen.looks[-1][1], seen.looks[-1][0], seen.looks[0][0], seen.moved_at(), seen.moves()),
                *(seen.since_at(), seen.looks[-1][2]),
            )
        assert (history.failures, history.watermark, history.last_at) == (model.failures, model.watermark, model.last_at)
        if looked:
            at += later_s
            soonest = history.fresh(at)
            assert history.current == model.fresh(at)
            assert soonest >= at
            until = min(soonest, at + 1e6)
            assert model.fresh(until) == history.current, "something expired earlier than was said"


def test_a_value_goes_when_its_collector_stops_giving_it_and_not_before() -> None:
    history = History()
    history.observe(Collected(1, "metrics", 0.0, {"a": 1, "b": 1}, fresh_for_s=18))
    history.observe(Collected(1, "metrics", 5.0, {"a": 1}, fresh_for_s=18))
    history.fresh(18.0)
    assert history.current == {"metrics_up": True, "a": 1, "b": 1}
    history.fresh(18.1)
    assert history.current == {"metrics_up": True, "a": 1}


def test_a_failure_keeps_the_values_until_they_are_old() -> None:
    history = History()
    history.observe(Collected(1, "metrics", 0.0, {"a": 1}, fresh_for_s=18))
    history.observe(Collected(1, "metrics", 5.0, {}, Failure("refused", "no"), 18))
    history.fresh(6.0)
    assert history.current == {"metrics_up": False, "a": 1}
    history.fresh(18.5)
    assert history.current == {"metrics_up": False}
    assert history.last_at == 0.0 and history.failures["metrics"].kind == "refused"


def test_two_collectors_under_one_name_keep_each_others_values() -> None:
    history = History()
    history.observe(Collected(1, "rpc", 0.0, {"rpc_peers": 9, "grandpa_set_id": 3}, fresh_for_s=18, by="rpc"))
    for at in range(2, 18, 5):
        history.observe(Collected(1, "rpc", float(at), {"rpc_peers": 9}, fresh_for_s=18, by="heartbeat"))
    history.fresh(18.0)
    assert history.current["grandpa_set_id"] == 3
    history.fresh(18.5)
    assert history.current == {"rpc_peers": 9, "rpc_up": True}


def test_a_source_may_say_itself_whether_it_is_up() -> None:
    history = History()
    history.observe(Collected(1, "prometheus", 0.0, {"metrics_up": False}, fresh_for_s=18))
    history.fresh(1.0)
    assert history.current == {"metrics_up": False, "prometheus_up": True}


@given(st.lists(st.tuples(st.floats(0.2, 40.0), st.integers(0, 3)), min_size=1, max_size=200))
def test_a_series_holds_what_was_seen_in_order_and_stays_small(looks: list[tuple[float, int]]) -> None:
    history = History(["a"])
    at, all_seen = 0.0, {}
    for wait_s, value in looks:
        at += wait_s
        all_seen[at] = value
        history.observe(Collected(1, "metrics", at, {"a": value}, fresh_for_s=60))
    samples = history.tracks["a"].samples
    assert samples is not None
    times, values = samples
    assert list(times) == sorted(set(times)) and len(times) == len(values) <= SERIES_LENGTH
    assert all(all_seen[time] == value for time, value in zip(times, values, strict=True))
    assert times[0] == looks[0][0]


def test_a_series_is_bounded_for_ever() -> None:
    history = History(["a"])
    for step in range(5 * SERIES_LENGTH):
        history.observe(Collected(1, "metrics", step * 15.0, {"a": step}, fresh_for_s=60))
    samples = history.tracks["a"].samples
    assert samples is not None and len(samples[0]) <= SERIES_LENGTH
    assert samples[0][-1] - samples[0][0] >= 90 * 60


# votes

A, B, C = "0xa", "0xb", "0xc"


def test_a_voter_is_absent_only_once_every_answer_named_it_missing_for_some_time() -> None:
    votes = ChainHistory()
    for at in range(0, 60, 5):
        votes.observe(1, (A, B) if at % 10 else (A,), 100.0 + at, 7 + at // 5)
    assert votes.absent(160.0, 30.0) == {A}
    votes.observe(1, (), 165.0, 30)
    assert votes.absent(200.0, 30.0) == frozenset()
    assert votes.voted_at[A] == 165.0


def test_who_was_never_named_is_not_a_voter_and_did_not_vote() -> None:
    votes = ChainHistory()
    votes.observe(1, (A,), 100.0, 1)
    votes.observe(1, (), 105.0, 2)
    assert set(votes.voted_at) == {A}


def test_a_vote_counts_from_when_its_round_was_first_seen() -> None:
    votes = ChainHistory()
    votes.observe(1, (A,), 100.0, 1)
    votes.observe(1, (), 500.0, 1)
    assert (votes.voted_at[A], votes.seen_voting_at[A]) == (100.0, 500.0)


def test_the_news_of_a_node_that_lags_is_left_out() -> None:
    votes = ChainHistory()
    votes.observe(2, (A,), 100.0, 9)
    votes.observe(2, (), 105.0, 8)
    votes.observe(1, (), 110.0, 50)
    votes.observe(2, (), 112.0, 9 + ChainHistory.MOST_ROUNDS_AT_ONCE + 1)
    assert votes.absent(140.0, 30.0) == {A} and votes.set_id == 2


def test_a_new_set_begins_anew() -> None:
    votes = ChainHistory()
    votes.observe(1, (A,), 100.0, 9)
    assert votes.set_changed_at is None
    votes.observe(2, (B,), 200.0, 1)
    assert votes.set_changed_at == 200.0 and votes.absent(300.0, 30.0) == {B}


@given(st.lists(st.tuples(st.floats(0.0, 20.0), st.sets(st.sampled_from((A, B, C))), st.integers(0, 2)), max_size=40))
def test_absent_are_those_that_no_answer_left_out(answers: list[tuple[float, set[str], int]]) -> None:
    votes, at, round_number = ChainHistory(), 0.0, 1
    taken: list[tuple[float, set[str]]] = []
    for wait_s, missing, further in answers:
        at, round_number = at + wait_s, round_number + further
        if not taken or at - taken[-1][0] >= ChainHistory.STEP_S:
            taken.append((at, missing))
        votes.observe(5, tuple(missing), at, round_number)
    now = at + 1.0
    expected = set()
    for voter in (A, B, C):
        last_there = max((i for i, (_, missing) in enumerate(taken) if voter not in missing), default=-1)
        if last_there + 1 < len(taken) and now - taken[last_there + 1][0] >= 30.0:
            expected.add(voter)
    assert votes.absent(now, 30.0) == expected
    assert all(votes.voted_at[voter] <= votes.seen_voting_at[voter] for voter in votes.voted_at)
