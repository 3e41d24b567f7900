"""A learned router: for each model one small logistic head over a prompt's features, the probability that this model answers rightly.

The score "needs the strong model" is the difference between two heads' probabilities. All heads rest on one shared head (how hard is
this prompt for any model?), so a model that nobody has outcomes for yet begins as its tier's prior, and learning it touches no other head.
Weights are small integers times a step: sums are exact, whatever their order. Scoring needs nothing but Python.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, sqrt
from typing import NamedTuple

from gizzi.config import nearest
from gizzi.errors import NotFound, UsageError
from gizzi.models.features import Features, extract

TIERS = ("local", "standard", "frontier")
BLOCK_WEIGHT = 0.5
"""Length of the vector of one block of buckets, and of one figure's standard deviation below: how far training trusts one against the other."""
SHAPE_WEIGHT = 0.07
SHAPE_LIMIT = 4.0
"""Standard deviations beyond which a figure counts no further."""
LOGIT_LIMIT = 30.0
PERCENTS = 101


class Seen(NamedTuple):
    """A prompt as every head reads it. buckets: of each block. scales: what one bucket of each block counts. shape: standardised figures."""

    buckets: tuple[set[int], ...]
    scales: tuple[float, ...]
    shape: tuple[float, ...]


def standardise(found: Features, centre: Sequence[float], spread: Sequence[float]) -> Seen:
    shape = [
        SHAPE_WEIGHT * max(-SHAPE_LIMIT, min(SHAPE_LIMIT, (figure - middle) / width))
        for figure, middle, width in zip(found.shape, centre, spread, strict=True)
    ]
    return Seen(found.buckets, tuple([BLOCK_WEIGHT / sqrt(len(buckets) or 1) for buckets in found.buckets]), tuple(shape))


def probability(logit: float) -> float:
    return 1.0 / (1.0 + exp(-max(-LOGIT_LIMIT, min(LOGIT_LIMIT, logit))))


@dataclass(frozen=True, slots=True)
class Head:
    """labels: how many outcomes it learned from; 0 where it is its tier's prior. buckets: for each block a 16-bit weight a bucket, in steps of `step`."""

    tier: str
    labels: int
    bias: float
    shape: tuple[float, ...]
    step: float
    buckets: tuple[array[int], ...]

    def logit(self, seen: Seen) -> float:
        total = self.bias + sum([weight * figure for weight, figure in zip(self.shape, seen.shape, strict=True)])
        for weights, buckets, scale in zip(self.buckets, seen.buckets, seen.scales, strict=True):
            total += sum(map(weights.__getitem__, buckets)) * scale * self.step
        return total

    def right(self, seen: Seen) -> float:
        """The probability that this model answers rightly."""
        return probability(self.logit(seen))


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


def curve(weak: Sequence[float], strong: Sequence[float]) -> Curve:
    """From both models' probabilities for the same prompts, none of which a head has learned from."""
    if not weak or len(weak) != len(strong):
        raise UsageError("a routing curve needs both models' probabilities for the same prompts, and at least one prompt")
    gains = sorted((s - w for w, s in zip(weak, strong, strict=True)), reverse=True)
    count = len(gains)
    sums = [sum(weak)]
    for gain in gains:
        sums.append(sums[-1] + gain)
    sent = [round(count * percent / (PERCENTS - 1)) for percent in range(PERCENTS)]
    thresholds = [1.0 if n == 0 else -1.0 if n == count else (gains[n - 1] + gains[n]) / 2 for n in sent]
    return Curve(tuple(thresholds), tuple(sums[n] / count for n in sent))


@dataclass(frozen=True, slots=True)
class LearnedRouter:
    """centre, spread: mean and standard deviation of each figure in the training prompts. reads_answer: it was trained with a cheaper
    model's answers, and reads one before it decides. curves: by (weak, strong)."""

    centre: tuple[float, ...]
    spread: tuple[float, ...]
    shared: Head
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
        return self.head(strong).right(seen) - self.head(weak).right(seen)

    def threshold(self, weak: str, strong: str, *, share: float | None = None, kept: float | None = None) -> float:
        """The score from which a call should go to the strong model: by the share of calls that may, or by the quality to be kept."""
        found = self.curves.get((weak, strong))
        if found is None:
            raise NotFound(f"no threshold is known between {weak} and {strong}; measure one with prompts of yours")
        if (share is None) == (kept is None):
            raise UsageError("choose a threshold either by the share of calls or by the quality kept")
        return found.by_quality(kept) if kept is not None else found.by_share(share or 0.0)

    def prior(self, tier: str) -> Head:
        """What is expected of a model of which only the tier is known: the mean of that tier's heads that learned from outcomes, else of the
        nearest tier's (the lower first), else the shared head."""
        for known in (tier, *_nearest_tiers(tier)):
            learned = [head for head in self.heads.values() if head.tier == known and head.labels]
            if learned:
                return _mean(learned, tier)
        return replace(self.shared, tier=tier, labels=0)

    def with_model(self, model: str, tier: str) -> LearnedRouter:
        """The same router and one more model, which begins as its tier's prior. A model it knows already stays as it is."""
        return self if model in self.heads else replace(self, heads={**self.heads, model: self.prior(tier)})

    def with_curve(self, weak: str, strong: str, prompts: Sequence[str]) -> LearnedRouter:
        """The same router with thresholds between two models, measured on prompts like those it will route; their outcomes are not needed."""
        seen = [self.see(prompt) for prompt in prompts]
        measured = curve([self.head(weak).right(s) for s in seen], [self.head(strong).right(s) for s in seen])
        return replace(self, curves={**self.curves, (weak, strong): measured})


def _nearest_tiers(tier: str) -> list[str]:
    if tier not in TIERS:
        return []
    place = TIERS.index(tier)
    return sorted(TIERS, key=lambda other: (abs(TIERS.index(other) - place), TIERS.index(other)))


def _mean(heads: Sequence[Head], tier: str) -> Head:
    if len(heads) == 1:
        return replace(heads[0], tier=tier, labels=0)
    count = len(heads)
    buckets = [
        [sum(head.step * weight for head, weight in zip(heads, weights, strict=True)) / count for weights in zip(*block, strict=True)]
        for block in zip(*(head.buckets for head in heads), strict=True)
    ]
    shape = tuple(sum(weights) / count for weights in zip(*(head.shape for head in heads), strict=True))
    return make_head(tier, 0, sum(head.bias for head in heads) / count, shape, buckets)


def make_head(tier: str, labels: int, bias: float, shape: Sequence[float], buckets: Sequence[Sequence[float]]) -> Head:
    """Round weights to steps of 1/32767 of the largest."""
    largest = max((abs(weight) for block in buckets for weight in block), default=0.0)
    step = largest / 32767 or 1.0
    return Head(tier, labels, bias, tuple(shape), step, tuple(array("h", [round(weight / step) for weight in block]) for block in buckets))
