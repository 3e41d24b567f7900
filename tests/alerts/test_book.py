"""How an alert moves, whatever its rule."""

from __future__ import annotations

import sys
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gizzi import UNKNOWN, Finding, rule
from gizzi.alerts.alert import Alert
from gizzi.alerts.book import CLEAR_FOR_S, UNSEEN_S, AlertBook, Turn
from gizzi.config import Chain, Validator
from gizzi.fleet.fleet import Fleet
from gizzi.fleet.observation import Collected
from gizzi.kinds import Rule
from gizzi.registry import Registry

START = 1000.0


@rule("bad", severity="high", hold="10s", needs=("level",))
def bad(v, fleet, *, above=5):  # type: ignore[no-untyped-def]
    """The level is high."""
    if v.level is None:
        return UNKNOWN
    return f"level {v.level}" if v.level > above else None


@rule("share", scope="chain", hold="0s", needs=("level",))
def share(fleet):  # type: ignore[no-untyped-def]
    """Some are high."""
    high = fleet.where(lambda v: v.level is not None and v.level > 5)
    return Finding(f"{len(high)} are high", validators=tuple(high)) if high else None


def rules() -> list[Rule]:
    registry = Registry()
    registry.add_module(sys.modules[__name__])
    return list(registry.rules)


class Bench:
    """A fleet of two and a book, moved on by hand."""

    def __init__(self, only: str = "bad") -> None:
        self.fleet = Fleet([Validator(number=1), Validator(number=2)], {"main": Chain(id="main")})
        self.book = AlertBook([r for r in rules() if r.name == only])
        self.log: list[tuple[float, str]] = []

    def see(self, at: float, level: float | None, number: int = 1, fresh_for_s: float = 15.0) -> Turn:
        values = {} if level is None else {"level": level}
        touched, chains = self.fleet.fold([Collected(number, "probe", START + at, values, None, fresh_for_s)], START + at)
        turn = Turn()
        for touched_number in touched:
            self.book.look_at_validator(self.fleet.view(touched_number, START + at), self.fleet.chain_view("main", START + at), turn)
        for chain in chains:
            self.book.look_at_chain(self.fleet.chain_view(chain, START + at), turn)
        self.log += [(at, "fired") for _ in turn.fired] + [(at, "resolved") for _ in turn.resolved]
        return turn


def test_it_fires_after_its_hold_and_not_before() -> None:
    bench = Bench()
    for at in (0, 5, 9):
        bench.see(at, 9)
    assert bench.log == []
    bench.see(10, 9)
    assert bench.log == [(10, "fired")]


def test_one_observation_alone_never_fires_however_old() -> None:
    bench = Bench()
    bench.see(0, 9, fresh_for_s=60)
    for at in (6, 12, 18):
        bench.see(at, None)
    assert bench.log == []
    assert [a.state for a in bench.book.alerts.values()] == ["pending"]


def test_a_short_condition_raises_nothing() -> None:
    bench = Bench()
    for at, level in ((0, 9), (5, 9), (9, 1), (14, 9), (19, 9), (23, 2)):
        bench.see(at, level)
    assert bench.log == []


def test_it_resolves_only_when_seen_clear_twice() -> None:
    bench = Bench()
    for at in (0, 5, 10):
        bench.see(at, 9)
    bench.see(15, 1)
    bench.see(16, 9)
    bench.see(20, 1)
    assert bench.log == [(10, "fired")]
    bench.see(20 + CLEAR_FOR_S, 1)
    assert bench.log == [(10, "fired"), (24, "resolved")]


def test_unknown_keeps_it_as_it_was() -> None:
    bench = Bench()
    for at in (0, 5, 10):
        bench.see(at, 9)
    for at in (40, 50, 60, 600):
        bench.see(at, None)
    assert [a.state for a in bench.book.alerts.values()] == ["firing"]


def test_what_is_never_seen_again_does_not_fire_for_ever() -> None:
    bench = Bench()
    for at in (0, 5, 10):
        bench.see(at, 9)
    for at, firing in ((3600, True), (10 + UNSEEN_S + 1, False)):
        turn = Turn()
        bench.book.drop_unseen(START + at, turn)
        assert bool(bench.book.firing()) is firing


def test_a_condition_that_was_out_of_sight_begins_anew() -> None:
    bench = Bench()
    bench.see(0, 9)
    for at in (300, 305):
        bench.see(at, 9)
    assert bench.log == []
    bench.see(310, 9)
    assert bench.log == [(310, "fired")]


def test_flapping_takes_ever_longer_to_resolve() -> None:
    bench = Bench()
    spans = []
    at = 0.0
    for _ in range(4):
        while not bench.book.firing():
            bench.see(at, 9)
            at += 1
        began = at
        while bench.book.firing():
            bench.see(at, 1)
            at += 1
        spans.append(at - began)
    assert spans == sorted(spans)
    assert spans[-1] >= 4 * spans[0]


def test_text_changes_but_identity_and_evidence_stand() -> None:
    bench = Bench()
    for at, level in ((0, 9), (5, 8), (10, 7), (15, 6)):
        bench.see(at, level)
    (alert,) = bench.book.firing()
    assert (alert.key, alert.text) == (("validator/1", "bad"), "level 6")
    assert alert.evidence == (("1/level", "level = 7"),)


def test_a_chain_alert_grows_and_says_so() -> None:
    bench = Bench("share")
    assert [a.validators for a in bench.see(0, 9, 1).fired] == [(1,)]
    assert [a.validators for a in bench.see(1, 9, 2).changed] == [(1, 2)]


def test_an_alert_from_before_a_restart_resolves_when_its_condition_is_over() -> None:
    bench = Bench()
    bench.book.restore([Alert("validator/1", "bad", "main", "high", "level 9", (1,), (), START - 50, "firing", START - 40)], START)
    bench.see(0, 1)
    bench.see(5, 1)
    assert bench.log == [(5, "resolved")]


def test_alerts_of_what_is_no_longer_watched_end() -> None:
    bench = Bench()
    bench.book.restore(
        [
            Alert("validator/9", "bad", "main", "high", "x", (9,), (), 0, "firing", 0),
            Alert("validator/1", "gone", "main", "low", "y", (1,), (), 0, "firing", 0),
        ],
        START,
    )
    turn = Turn()
    bench.book.drop_strangers({"validator/1", "validator/2", "chain/main", "gizzi"}, START, turn)
    assert {a.rule for a in turn.resolved} == {"bad", "gone"}
    assert bench.book.firing() == []


@given(st.lists(st.tuples(st.floats(0.1, 30), st.one_of(st.none(), st.floats(0, 10))), max_size=60))
def test_fired_and_resolved_alternate_and_nothing_is_lost(steps: list[tuple[float, float | None]]) -> None:
    bench = Bench()
    at = 0.0
    for wait_s, level in steps:
        at += wait_s
        bench.see(at, level)
    words = [word for _, word in bench.log]
    assert words == ["fired", "resolved"] * (len(words) // 2) + ["fired"] * (len(words) % 2)
    assert bool(bench.book.firing()) == (len(words) % 2 == 1)
    times = [at for at, _ in bench.log]
    assert all(later >= earlier for earlier, later in pairwise(times))
