"""Which cases are alike: a ranking that can be explained."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gizzi.memory import Case, Situation
from gizzi.memory.recall import Recall

DAY_S = 86400.0
PEERS = Situation("peers_low", "high", "flare", (6,), "Validator 6: 1 peer, at least 3 are needed", ("peers_low",))


def ranked(asked: Situation, *cases: Situation, now: float = 0.0) -> list[int]:
    recall = Recall()
    for number, situation in enumerate(cases, 1):
        recall.add(Case(situation, "wait", number=number, closed_at=number * DAY_S))
    return [case.number for case in recall.rank(asked, now)]


def test_the_same_rule_with_the_same_companions_comes_first() -> None:
    alone = replace(PEERS, validators=(9,))
    with_disk = replace(alone, alert_rules=("disk_filling", "peers_low"))
    asked = replace(PEERS, alert_rules=("disk_filling", "peers_low"))
    assert ranked(asked, alone, with_disk, alone) == [2, 3, 1]
    assert ranked(PEERS, alone, with_disk, alone) == [3, 1, 2]


def test_where_it_was_and_how_it_was_told_tell_cases_apart() -> None:
    elsewhere = replace(PEERS, chain="other", validators=(7,))
    assert ranked(PEERS, PEERS, elsewhere) == [1, 2]
    firewall = replace(PEERS, summary="Validator 6: 1 peer since the firewall was changed")
    assert ranked(firewall, PEERS, firewall, PEERS, PEERS) == [2, 4, 3, 1]


def test_of_equals_the_newest_comes_first() -> None:
    assert ranked(PEERS, PEERS, PEERS, PEERS, now=10 * DAY_S) == [3, 2, 1]


def test_what_has_nothing_in_common_is_not_recalled() -> None:
    disk = Situation("disk_filling", "low", "flare", (6,), "the disk is full in 3 h", ("disk_filling",))
    assert ranked(PEERS, disk) == []
    assert ranked(replace(PEERS, rule="best_stalled", alert_rules=("best_stalled", "peers_low")), PEERS, disk) == [1]
    assert ranked(replace(PEERS, rule="another", alert_rules=()), disk, PEERS) == [2], "the words alone are enough where they are as alike"


rules = st.sampled_from(["peers_low", "node_down", "fork"])
situations = st.builds(
    Situation,
    rule=rules,
    severity=st.sampled_from(["low", "high"]),
    chain=st.none() | st.just("flare"),
    validators=st.lists(st.integers(1, 5), max_size=3).map(tuple),
    summary=st.text(max_size=30) | st.sampled_from(["a peer is gone", "two peers are gone"]),
    alert_rules=st.lists(rules, max_size=3).map(tuple),
)


@given(situations, st.lists(situations, max_size=8))
def test_a_case_is_most_like_itself(asked: Situation, others: list[Situation]) -> None:
    """Nothing ranks before an equal situation of today but another equal one; each case comes once."""
    found = ranked(asked, *others, asked, now=(len(others) + 1) * DAY_S)
    assert len(set(found)) == len(found)
    assert found[0] == len(others) + 1
