"""A model's confidence against how often it was right: the stated figure, moved by its record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BUCKETS = 5
"""0 to 0.2, 0.2 to 0.4 and so on."""
PRIOR_CASES = 8.0
"""A stated confidence weighs as much as so many cases: without a record it stands, after some dozens the record decides."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One past decision of that model: what it had stated, and whether the verdict bore it out."""

    model: str
    stated: float
    right: bool


def calibrate(model: str, stated: float, outcomes: Iterable[Outcome]) -> float:
    """The mean of a Beta-binomial: prior at what is stated, counts from the same model's decisions of about the same confidence."""
    same = [past.right for past in outcomes if past.model == model and _bucket(past.stated) == _bucket(stated)]
    return (PRIOR_CASES * stated + sum(same)) / (PRIOR_CASES + len(same))


def _bucket(confidence: float) -> int:
    return min(int(confidence * BUCKETS), BUCKETS - 1)
