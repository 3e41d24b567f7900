"""Training on made-up outcomes: a weak model that fails at puzzles, a strong one that fails only at riddles, both with some luck."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from gizzi.errors import GizziError, UsageError
from gizzi.models.evaluate import Row, metrics, ranked_gains
from gizzi.models.learned import LearnedRouter
from gizzi.models.learned_file import load, save
from gizzi.models.train import FEWEST, Outcome, add_model, train

TIERS = {"weak": "local", "strong": "frontier"}
ODDS = {"easy": (0.95, 0.97), "puzzle": (0.15, 0.9), "riddle": (0.1, 0.15)}
FILLER = ["the", "node", "of", "a", "chain", "reports", "peers", "blocks", "votes", "and", "its", "finality", "after", "every", "session"]


@pytest.fixture
def learner() -> None:
    pytest.importorskip("sklearn", reason="training needs the extra `learn`")


def made(count: int, seed: int) -> list[Row]:
    draw = Random(seed)
    rows = []
    for number in range(count):
        kind = draw.choice(list(ODDS))
        weak, strong = (int(draw.random() < odds) for odds in ODDS[kind])
        said = "I am not sure." if draw.random() > weak else "It is certain."
        rows.append(Row(f"{kind} {' '.join(draw.choices(FILLER, k=12))} {number}?", weak, strong, said))
    return rows


def outcomes(rows: Sequence[Row], *models: str, answers: bool = False) -> list[Outcome]:
    return [
        Outcome(row.prompt, model, bool(getattr(row, model)), row.weak_response if answers else None)
        for row in rows
        for model in models or ("weak", "strong")
    ]


@cache
def trained() -> LearnedRouter:
    return train(outcomes(made(400, 1)), TIERS)


def apgr(router: LearnedRouter, rows: Sequence[Row]) -> float:
    scores = [router.score(row.prompt, "weak", "strong", row.weak_response) for row in rows]
    return metrics(ranked_gains(scores, rows, 0)).apgr


@pytest.mark.usefixtures("learner")
class TestLearning:
    def test_it_finds_what_only_the_strong_model_can(self) -> None:
        router = trained()
        puzzle, easy, riddle = (router.score(f"{kind} of the node?", "weak", "strong") for kind in ("puzzle", "easy", "riddle"))
        assert puzzle > max(easy, riddle) + 0.1
        assert apgr(router, made(2000, 2)) > 0.75
        assert {name: (head.tier, head.labels) for name, head in router.heads.items()} == {
            "weak": ("local", 400),
            "strong": ("frontier", 400),
        }

    def test_probabilities_are_calibrated(self) -> None:
        router, rows = trained(), made(2000, 2)
        for model in ("weak", "strong"):
            right = [router.head(model).look(router.see(row.prompt)).right for row in rows]
            assert mean(right) == pytest.approx(mean(getattr(row, model) for row in rows), abs=0.05)

    def test_thresholds_cost_and_keep_what_they_promise(self) -> None:
        router, rows = trained(), made(3000, 3)
        scores = [router.score(row.prompt, "weak", "strong") for row in rows]
        at = router.threshold("weak", "strong", share=0.3)
        assert mean(score >= at for score in scores) == pytest.approx(0.3, abs=0.07)
        at = router.threshold("weak", "strong", kept=0.95)
        quality = mean(row.strong if score >= at else row.weak for row, score in zip(rows, scores, strict=True))
        assert quality / mean(row.strong for row in rows) == pytest.approx(0.95, abs=0.05)
        assert set(router.curves) == {("weak", "strong")}

    def test_the_same_outcomes_and_seed_give_the_same_router(self, tmp_path: Path) -> None:
        again = train(outcomes(made(400, 1)), TIERS)
        save(trained(), tmp_path / "one.json")
        save(again, tmp_path / "two.json")
        assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
        assert load(tmp_path / "one.json") == trained()

    def test_a_model_is_added_without_touching_the_others(self) -> None:
        rows = made(300, 4)
        first = train(outcomes(rows, "weak"), TIERS)
        both = add_model(first, "strong", "frontier", outcomes(rows, "strong"))
        assert both.heads["weak"] is first.heads["weak"]
        assert both.heads["strong"].labels == 300
        assert apgr(both, made(2000, 5)) > 0.7
        measured = both.with_curve("weak", "strong", [row.prompt for row in rows])
        assert add_model(measured, "strong", "frontier", outcomes(made(50, 6), "strong")).curves == {}

    def test_few_outcomes_move_a_new_model_little_from_its_prior(self) -> None:
        prior = trained().prior("local")
        added = add_model(trained(), "third", "local", outcomes(made(FEWEST, 7), "weak")[:0] + _as("third", made(FEWEST, 7)))
        prompts = [row.prompt for row in made(200, 8)]
        looks = [(added.heads["third"].look(added.see(p)).right, prior.look(added.see(p)).right) for p in prompts]
        assert mean(abs(a - b) for a, b in looks) < 0.2

    def test_only_a_router_that_reads_answers_profits_from_them(self) -> None:
        rows, tested = made(400, 1), made(2000, 2)
        reading = train(outcomes(rows, answers=True), TIERS, reads_answer=True)
        assert apgr(reading, tested) > apgr(trained(), tested) + 0.03
        assert train(outcomes(rows, answers=True), TIERS) == trained()

    @pytest.mark.parametrize(
        "prompts",
        [
            [" " * number for number in range(60)],
            ["." * number for number in range(60)],
            ["\ud800" + "same words " * number for number in range(60)],
            ["x" * 500_000 + str(number) for number in range(60)],
        ],
        ids=["blank", "no words", "surrogates", "long"],
    )
    def test_odd_prompts_train_too(self, prompts: list[str]) -> None:
        router = train([Outcome(p, m, bool(n % 3)) for n, p in enumerate(prompts) for m in TIERS], TIERS)
        assert -1 < router.score(prompts[0], "weak", "strong") < 1

    def test_one_wrong_answer_among_many_is_enough(self) -> None:
        rows = [Row(f"prompt {number}", 1, int(number > 0)) for number in range(100)]
        router = train(
            [*outcomes(rows, "strong"), *_as("other", [Row(row.prompt, row.strong, 0) for row in rows])], {**TIERS, "other": "local"}
        )
        assert router.head("strong").look(router.see("prompt 7")).right > 0.8


def _as(model: str, rows: Sequence[Row]) -> list[Outcome]:
    return [Outcome(row.prompt, model, bool(row.weak)) for row in rows]


@pytest.mark.usefixtures("learner")
@pytest.mark.parametrize(
    ("given", "tiers", "said"),
    [
        ([], TIERS, "no outcomes"),
        (outcomes(made(100, 1)), {"weak": "local"}, "'strong', of which no tier"),
        (outcomes(made(FEWEST - 1, 1)), TIERS, f"weak: {FEWEST - 1} outcomes of {FEWEST - 1} different prompts"),
        ([Outcome("the same", "weak", bool(n % 2)) for n in range(100)], TIERS, "100 outcomes of 1 different prompts, 50 of them right"),
        ([Outcome(str(n), "weak", True) for n in range(100)], TIERS, "100 of them right"),
    ],
)
def test_too_little_to_learn_from_is_an_error(given: list[Outcome], tiers: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        train(given, tiers)


def test_without_scikit_learn_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(GizziError, match=r"pip install 'gizzi\[learn\]'"):
        train(outcomes(made(100, 1)), TIERS)
