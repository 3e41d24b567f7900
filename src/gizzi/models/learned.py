"""A learned router: for each model one small logistic head over a prompt's features, the probability that this model answers rightly.

The score "needs the strong model" is the difference between two heads. A model that nobody has outcomes of begins as its tier's prior, the
mean of the heads of its tier, and learning it changes no other head.
Weights are small integers times a step: sums are exact, whatever their order. Scoring needs nothing but Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import accumulate
from math import copysign, exp, sqrt
from operator import mul
from typing import NamedTuple

from gizzi.config import nearest
from gizzi.errors import NotFound, UsageError
from gizzi.models.features import Features, extract
from gizzi.models.task import TIERS

BLOCK_WEIGHT = 0.5
SHAPE_WEIGHT = 0.07
"""Length of the vector of one block of buckets, and of one figure's standard deviation: how far training trusts the ones and the others."""
SHAPE_LIMIT = 4.0
"""Standard deviations beyond which a figure counts no further."""
LOGIT_LIMIT = 30.0
PERCENTS = 101


class Seen(NamedTuple):
    """A prompt as every head reads it. buckets: of each block. scales: what a bucket of each block counts. shape: figures, standardised."""

    buckets: tuple[Set[int], ...]
    scales: tuple[float, ...]
    shape: tuple[float, ...]


def standardise(found: Features, centre: Sequence[float], spread: Sequence[float]) -> Seen:
    shape = [(figure - middle) / width for figure, middle, width in zip(found.shape, centre, spread, strict=True)]
    return Seen(
        found.buckets,
        tuple([BLOCK_WEIGHT / sqrt(len(buckets) or 1) for buckets in found.buckets]),
        tuple([SHAPE_WEIGHT * (z if -SHAPE_LIMIT < z < SHAPE_LIMIT else copysign(SHAPE_LIMIT, z)) for z in shape]),
    )


def probability(logit: float) -> float:
    return 1.0 / (1.0 + exp(-max(-LOGIT_LIMIT, min(LOGIT_LIMIT, logit))))


class Look(NamedTuple):
    """What a head says of one prompt. rank: what scores are made of, from 0 to 1. right: the calibrated probability of a right answer.

    Calibration brings every head nearer to its mean, which costs rank: on 1,500 labels APGR 0.66 instead of 0.67.
    """

    rank: float
    right: float


@dataclass(frozen=True, slots=True)
class Head:
    """labels: how many outcomes it learned from; 0 where it is its tier's prior. slope, shift: from its logit to the calibrated one.
    buckets: for each block a 16-bit weight for each bucket, in steps of `step`; lists, because looking up in them is the quickest."""

    tier: str
    labels: int
    bias: float
    slope: float
    shift: float
    shape: tuple[float, ...]
    step: float
    buckets: tuple[list[int], ...]

    def look(self, seen: Seen) -> Look:
        logit = self.bias + sum(map(mul, self.shape, seen.shape))
        for weights, buckets, scale in zip(self.buckets, seen.buckets, seen.scales, strict=True):
            logit += sum(map(weights.__getitem__, buckets)) * scale * self.step
        return Look(probability(logit), probability(self.slope * logit + self.shift))


@dataclass(frozen=True, slots=True)
class Curve:
    """What routing between two models costs and keeps, for each whole percent of calls that go to the strong one (0 to 100).

    thresholds: a call goes up where its score reaches this. quality: the share of right answers to expect then.
    """

    thresholds: tuple[float, ...]
    quality: tuple[float, ...]

    def by_share(self, share: float) -> float:
        """The threshold that sends about this share of calls (0 to 1) to the strong model."""
        if not 0 <= share <= 1:
            raise UsageError(f"the share of calls to the strong model is {share}; it must lie between 0 and 1")
        return self.thresholds[round(share * (PERCENTS - 1))]

    def by_quality(self, kept: float) -> float:
        """The threshold with the fewest strong calls that keeps this part (0 to 1) of the strong model's share of right answers."""
        if not 0 <= kept <= 1:
            raise UsageError(f"the quality to keep is {kept}; it must lie between 0 and 1, where 1 is the strong model's own")
        wanted = kept * self.quality[-1]
        return next((at for at, quality in zip(self.thresholds, self.quality, strict=True) if quality >= wanted), self.thresholds[-1])


def curve(weak: Sequence[Look], strong: Sequence[Look]) -> Curve:
    """From what both heads say of the same prompts, none of which they learned from. Raises UsageError without prompts."""
    if not weak or len(weak) != len(strong):
        raise UsageError("thresholds between two models are measured on prompts; there are none")
    steps = sorted(((high.rank - low.rank, high.right - low.right) for low, high in zip(weak, strong, strict=True)), reverse=True)
    count = len(steps)
    sums = [*accumulate((gain for _, gain in steps), initial=sum(look.right for look in weak))]
    sent = [round(count * percent / (PERCENTS - 1)) for percent in range(PERCENTS)]
    scores = [1.0, *((steps[n - 1][0] + steps[n][0]) / 2 for n in range(1, count)), -1.0]
    return Curve(tuple(scores[n] for n in sent), tuple(sums[n] / count for n in sent))


@dataclass(frozen=True, slots=True)
class LearnedRouter:
    """centre, spread: mean and standard deviation of each figure in the training prompts. heads: one of them or more learned from outcomes.
    curves: by (weak, strong). reads_answer: it was trained with a cheaper model's answers, and reads one before it decides."""

    centre: tuple[float, ...]
    spread: tuple[float, ...]
    heads: Mapping[str, Head]
    curves: Mapping[tuple[str, str], Curve] = field(default_factory=dict)
    reads_answer: bool = False

    def see(self, prompt: str, answer: str | None = None) -> Seen:
        return standardise(extract(prompt, answer if self.reads_answer else None), self.centre, self.spread)

    def head(self, model: str) -> Head:
        try:
            return self.heads[model]
        except KeyError:
            raise NotFound(
                f"the learned router knows no model {model!r}{nearest(model, list(self.heads))}; give it the model's tier first"
            ) from None

    def score(self, prompt: str, weak: str, strong: str, answer: str | None = None) -> float:
        """From -1 to 1: how much likelier the strong model is to be right than the weak one."""
        seen = self.see(prompt, answer)
        return self.head(strong).look(seen).rank - self.head(weak).look(seen).rank

    def threshold(self, weak: str, strong: str, *, share: float | None = None, kept: float | None = None) -> float:
        """The score from which a call should go to the strong model: by the share of calls that may, or by the quality to be kept."""
        found = self.curves.get((weak, strong))
        if found is None:
            raise NotFound(f"no threshold is known between {weak} and {strong}; measure one with prompts of yours")
        if (share is None) == (kept is None):
            raise UsageError("choose a threshold either by the share of calls or by the quality kept")
        return found.by_quality(kept) if kept is not None else found.by_share(share or 0.0)

    def prior(self, tier: str) -> Head:
        """What to expect of a model of which only the tier is known: the mean of the heads that learned from outcomes, of that tier, else
        of the nearest tier (the lower first), else of all."""
        learned = [head for head in self.heads.values() if head.labels]
        for known in (tier, *_nearest_tiers(tier)):
            alike = [head for head in learned if head.tier == known]
            if alike:
                return _mean(alike, tier)
        return _mean(learned, tier)

    def with_model(self, model: str, tier: str) -> LearnedRouter:
        """The same router and one more model, which begins as its tier's prior. A model it knows already stays as it is."""
        return self if model in self.heads else replace(self, heads={**self.heads, model: self.prior(tier)})

    def with_curve(self, weak: str, strong: str, prompts: Sequence[str], answers: Sequence[str] | None = None) -> LearnedRouter:
        """The same router with thresholds between two models, measured on prompts like those it will route; nobody need know who is right.

        answers: the cheaper model's, one for each prompt, for a router that reads them.
        """
        given: Sequence[str | None] = [None] * len(prompts) if answers is None else answers
        seen = [self.see(prompt, answer) for prompt, answer in zip(prompts, given, strict=True)]
        measured = curve([self.head(weak).look(one) for one in seen], [self.head(strong).look(one) for one in seen])
        return replace(self, curves={**self.curves, (weak, strong): measured})


def _nearest_tiers(tier: str) -> list[str]:
    if tier not in TIERS:
        return []
    place = TIERS.index(tier)
    return sorted(TIERS, key=lambda other: (abs(TIERS.index(other) - place), TIERS.index(other)))


def _mean(heads: Sequence[Head], tier: str) -> Head:
    def mean(figures: Iterable[float]) -> float:
        return sum(figures) / len(heads)

    return make_head(
        tier,
        0,
        mean(head.bias for head in heads),
        mean(head.slope for head in heads),
        mean(head.shift for head in heads),
        [mean(weights) for weights in zip(*(head.shape for head in heads), strict=True)],
        [
            [mean(head.step * weight for head, weight in zip(heads, weights, strict=True)) for weights in zip(*blocks, strict=True)]
            for blocks in zip(*(head.buckets for head in heads), strict=True)
        ],
    )


def make_head(
    tier: str, labels: int, bias: float, slope: float, shift: float, shape: Sequence[float], buckets: Sequence[Sequence[float]]
) -> Head:
    """Round the buckets' weights to steps of 1/32767 of the largest."""
    step = max((abs(weight) for block in buckets for weight in block), default=0.0) / 32767 or 1.0
    return Head(tier, labels, bias, slope, shift, tuple(shape), step, tuple([round(w / step) for w in block] for block in buckets))
