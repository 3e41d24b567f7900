"""Votes that validators cast, from their counters, against the median of their set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from gizzi.analysis.trend import Point

LEAST_S = 3600.0
"""A shorter time says nothing."""
LEAST_SET = 3
"""Fewer have no median that means anything."""


@dataclass(frozen=True, slots=True)
class Votes:
    """cast: in span_s. usual: what the set's median cast in such a span, this one included."""

    cast: float
    usual: float
    span_s: float

    @property
    def missed(self) -> float:
        return max(0.0, self.usual - self.cast)

    @property
    def share(self) -> float:
        """Of the usual ones, those that it missed: 0 to 1."""
        return self.missed / self.usual if self.usual else 0.0


@dataclass(frozen=True, slots=True)
class Cast:
    """So many votes, in that time."""

    votes: float
    span_s: float


def cast_of(points: Sequence[Point]) -> Cast | None:
    """By a counter's (epoch seconds, value), oldest first; None where it was not watched for long enough."""
    span_s = points[-1][0] - points[0][0] if points else 0.0
    return Cast(gained(points), span_s) if span_s >= LEAST_S else None


def gained(points: Sequence[Point]) -> float:
    """By how much a counter rose; one that falls began anew with a restart, and what it shows then came after it."""
    return sum(later - value if later >= value else later for (_, value), (_, later) in pairwise(points))


def votes_of(cast: Mapping[int, Cast | None]) -> dict[int, Votes]:
    """By validator, of one set. Who was not watched for long enough is left out; nobody is told where too few are left."""
    known = {number: of for number, of in cast.items() if of is not None}
    if len(known) < LEAST_SET:
        return {}
    pace = median(of.votes / of.span_s for of in known.values())
    return {number: Votes(of.votes, pace * of.span_s, of.span_s) for number, of in known.items()}
