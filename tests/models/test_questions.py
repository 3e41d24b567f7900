from __future__ import annotations

from collections import Counter

import pytest

from gizzi.models.questions import HALVES, Half, Question, Score, questions, score
from gizzi.models.route import choose
from gizzi.models.task import Task, Tier
from tools.catalogue import catalogue_of, purse, rules_strategy, without

ALL = [question for half in HALVES for question in questions(half)]
KINDS = {"health", "logs", "code", "arithmetic", "governance", "upgrades", "security"}


def measured(asked: tuple[Question, ...], *, by_text: bool = False) -> Score:
    rows, strategies, left = catalogue_of(), rules_strategy(), purse()
    from tools.catalogue import NOW

    def tier(question: Question) -> Tier:
        task = Task(question.text, critical=question.critical and not by_text)
        return choose(task, rows, without(), left, strategies, NOW).tier

    return score(asked, tier)


def test_there_are_200_different_ones_of_every_kind() -> None:
    assert len(ALL) == 200 and len({question.text for question in ALL}) == 200
    counts = Counter(question.kind for question in ALL)
    assert set(counts) == KINDS and min(counts.values()) >= 20
    assert sum(question.adversarial for question in ALL) >= 40
    assert all(question.tier == "frontier" for question in ALL if question.critical)
    assert sum(question.critical for question in ALL) >= 10
    for half in HALVES:
        assert len(questions(half)) == 100
        assert min(Counter(question.tier for question in questions(half)).values()) >= 20


@pytest.mark.parametrize("half", HALVES)
def test_they_go_where_they_should(half: Half) -> None:
    found = measured(questions(half))
    assert found.right_or_above >= 0.95
    assert found.needless_frontier <= 0.10
    assert found.critical_to_frontier == found.critical
    assert found.right >= 0.9, "nor may everything go to the frontier or to the standard tier"


@pytest.mark.parametrize("half", HALVES)
def test_the_text_alone_tells_most_of_it(half: Half) -> None:
    found = measured(questions(half), by_text=True)
    assert found.right_or_above >= 0.95
    assert found.critical - found.critical_to_frontier <= 1


def test_a_score() -> None:
    asked = [
        Question("a", "health", "local", False, False),
        Question("b", "code", "standard", False, True),
        Question("c", "x", "frontier", True, False),
    ]
    perfect = score(asked, lambda question: question.tier)
    assert (perfect.count, perfect.right, perfect.right_or_above, perfect.needless_frontier) == (3, 1, 1, 0)
    dear = score(asked, lambda _: "frontier")
    assert (dear.right_or_above, dear.needless_frontier, dear.critical_to_frontier) == (1, 1, 1)
    cheap = score(asked, lambda _: "local")
    assert (cheap.right_or_above, cheap.needless_frontier, cheap.critical_to_frontier) == (1 / 3, 0, 0)
    assert cheap.as_json()["confusion"]["frontier"] == {"reflex": 0, "local": 1, "standard": 0, "frontier": 0}
