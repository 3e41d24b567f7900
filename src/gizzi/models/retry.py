"""What may be tried again, and when. Pure but for the seeded dice."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal

from gizzi.errors import GizziError
from gizzi.models.task import Usage

Kind = Literal[
    "refused",
    "timeout",
    "rate_limit",
    "overloaded",
    "broken_off",
    "unreadable",
    "unauthorised",
    "quota",
    "not_found",
    "too_long",
    "rejected",
    "filtered",
]
"""Why a call to a model failed.

refused: no connection. timeout: no answer in time. rate_limit: 429. overloaded: 5xx. broken_off: the answer ended in the middle.
unreadable: an answer that is not what the wire says. unauthorised: 401 or 403. quota: nothing left to spend there. not_found: no such
model there. too_long: more than its context. rejected: another fault of the request. filtered: the provider would not answer it.
"""
RETRIED: frozenset[Kind] = frozenset({"refused", "rate_limit", "overloaded", "broken_off", "unreadable"})
"""Not after a timeout: the time that is left is the next model's."""
OUR_FAULT: frozenset[Kind] = frozenset({"too_long", "rejected", "filtered"})
"""Says nothing about the model: its breaker does not count these."""
TRIES = 3
FIRST_WAIT_S = 0.3
LONGEST_WAIT_S = 10.0
"""A model that asks for more than this is left to its breaker, and the next one is called."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call cost, in US$, as who was called says it."""

    usage: Usage
    cost_usd: Decimal


class ModelCallFailed(GizziError):
    """One call to one model failed. retry_after_s: what the provider asked for. sent: False where the request surely never reached it.

    spent: what it cost although it failed, where that is known. again: False where calling again may not help, whatever the kind.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        retry_after_s: float | None = None,
        sent: bool = True,
        spent: Spent | None = None,
        again: bool = True,
    ) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.retry_after_s = retry_after_s
        self.sent = sent
        self.spent = spent
        self.again = again


def wait_s(failure: ModelCallFailed, tried: int, left_s: float, dice: Random) -> float | None:
    """How long to wait before the same model is called again; None where it should not be.

    tried: calls to it so far, from 1. left_s: how long the whole task may still take. Full jitter over a doubling span, so that many
    callers do not come back together; never sooner than the provider asked.
    """
    if failure.kind not in RETRIED or not failure.again or tried >= TRIES:
        return None
    least = failure.retry_after_s or 0.0
    span = min(FIRST_WAIT_S * 2 ** (tried - 1), LONGEST_WAIT_S)
    wait = least + dice.random() * span
    return wait if wait <= min(LONGEST_WAIT_S, left_s / 2) else None
