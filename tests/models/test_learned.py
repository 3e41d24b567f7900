from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.errors import NotFound, UsageError
from gizzi.models.features import BLOCKS, BUCKETS, SHAPE, extract
from gizzi.models.learned import LearnedRouter, Look, curve, make_head, probability

CODE = extract("code").buckets[0].pop()


def head(bias: float, code: float, tier: str = "local", labels: int = 9):  # type: ignore[no-untyped-def]
    """Right with the bias's odds, and with other odds where the word "code" occurs."""
    buckets = [[0.0] * BUCKETS for _ in BLOCKS]
    buckets[0][CODE] = code
    return make_head(tier, labels, bias, 1.0, 0.0, [0.0] * len(SHAPE), buckets)


def router(**heads) -> LearnedRouter:  # type: ignore[no-untyped-def]
    heads = heads or {"small": head(1.0, -4.0), "big": head(2.0, 0.0, "frontier")}
    return LearnedRouter((0.0,) * len(SHAPE), (1.0,) * len(SHAPE), heads)


def test_a_score_is_what_the_strong_model_is_likelier_to_be_right() -> None:
    ours = router()
    assert ours.score("status", "small", "big") == pytest.approx(probability(2.0) - probability(1.0))
    assert ours.score("code", "small", "big") == pytest.approx(probability(2.0) - probability(1.0 - 4.0 * 0.5), abs=1e-4)
    assert ours.score("code", "small", "big") == -ours.score("code", "big", "small")


def test_calibration_moves_the_probability_and_not_the_score() -> None:
    small = replace(router().heads["small"], slope=0.5, shift=-1.0)
    look = small.look(router().see("status"))
    assert look == (probability(1.0), probability(0.5 * 1.0 - 1.0))


@pytest.mark.parametrize("logit", [-1e300, -31.0, 31.0, 1e300])
def test_no_logit_is_too_large(logit: float) -> None:
    assert 0 < probability(logit) < 1


def test_an_unknown_model_is_named_with_its_nearest() -> None:
    with pytest.raises(NotFound, match=r"'smal'.*did you mean 'small'"):
        router().score("status", "smal", "big")


def test_a_new_model_begins_as_its_tiers_prior() -> None:
    ours = router(a=head(1.0, 0.0), b=head(3.0, -2.0), c=head(4.0, 0.0, "frontier"), new=head(9.0, 0.0, labels=0))
    more = ours.with_model("d", "local")
    assert more.heads["d"].labels == 0
    assert more.heads["d"].look(ours.see("status")).rank == pytest.approx(probability(2.0))
    assert more.heads["d"].look(ours.see("code")).rank == pytest.approx(probability(2.0 - 0.5), abs=1e-4)
    assert {name: more.heads[name] for name in ours.heads} == ours.heads
    assert more.with_model("d", "frontier") is more


@pytest.mark.parametrize(("tier", "bias"), [("local", 1.0), ("reflex", 1.0), ("standard", 1.0), ("frontier", 2.0), ("no such tier", 1.5)])
def test_a_tier_without_models_takes_the_nearest_ones_prior(tier: str, bias: float) -> None:
    assert router().prior(tier).bias == bias


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=300))
def test_a_curve_goes_from_the_weak_to_the_strong_model(looks: list[tuple[float, float, float, float]]) -> None:
    weak, strong = [Look(a, b) for a, b, _, _ in looks], [Look(c, d) for _, _, c, d in looks]
    found = curve(weak, strong)
    assert list(found.thresholds) == sorted(found.thresholds, reverse=True)
    assert found.quality[0] == pytest.approx(sum(look.right for look in weak) / len(weak))
    assert found.quality[-1] == pytest.approx(sum(look.right for look in strong) / len(strong))


@given(st.integers(0, 100))
def test_a_threshold_sends_the_share_that_was_asked_for(percent: int) -> None:
    weak, strong = [Look(i / 1000, 0.5) for i in range(1000)], [Look(0.999, 0.9)] * 1000
    at = curve(weak, strong).by_share(percent / 100)
    assert sum(high.rank - low.rank >= at for low, high in zip(weak, strong, strict=True)) == percent * 10


def test_a_threshold_keeps_the_quality_that_was_asked_for_with_the_fewest_calls() -> None:
    weak, strong = [Look(0.5, 0.0)] * 50 + [Look(0.9, 1.0)] * 50, [Look(0.95, 1.0)] * 100
    found = curve(weak, strong)
    assert found.quality[::25] == (0.5, 0.75, 1.0, 1.0, 1.0)
    assert found.by_quality(0.75) == found.thresholds[25]
    assert found.by_quality(1.0) == found.thresholds[50]
    assert found.by_quality(0.0) == found.thresholds[0] == 1.0


def test_thresholds_can_be_measured_on_prompts_alone() -> None:
    ours = router().with_curve("small", "big", ["code", "status", "status again", "more code"])
    at = ours.threshold("small", "big", share=0.5)
    assert ours.score("code", "small", "big") >= at > ours.score("status", "small", "big")
    assert ours.threshold("small", "big", kept=0.0) == 1.0


def test_an_impossible_threshold_is_refused() -> None:
    ours = router()
    with pytest.raises(NotFound, match="between small and big"):
        ours.threshold("small", "big", share=0.5)
    with pytest.raises(UsageError, match="there are none"):
        ours.with_curve("small", "big", [])
    measured = ours.with_curve("small", "big", ["code"])
    for wrong in ({}, {"share": 0.5, "kept": 0.5}, {"share": 1.1}, {"kept": -0.1}, {"kept": float("nan")}):
        with pytest.raises(UsageError):
            measured.threshold("small", "big", **wrong)
