"""A circuit breaker for each model: after failures in a row nobody calls it for a while, then one trial says whether it is back.

closed: calls go through. open: none does. half-open: one trial is under way, and only its end decides. Pure: the time is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half-open"]
FAILURES = 5
"""In a row, until it opens."""
OPEN_S = 10.0
LONGEST_OPEN_S = 300.0
"""Each failed trial doubles how long it stays open, up to this; a provider's own Retry-After may be up to this too."""


@dataclass(slots=True)
class Breaker:
    failures: int = 0
    open_until: float = 0.0
    open_s: float = OPEN_S
    on_trial: bool = False

    def state(self, now: float) -> State:
        if self.failures < FAILURES and now >= self.open_until:
            return "closed"
        return "half-open" if self.on_trial or now >= self.open_until else "open"

    def enter(self, now: float) -> bool:
        """Whether a call may go through now. Where that is the trial, the others wait until it has ended."""
        state = self.state(now)
        if state == "half-open" and not self.on_trial:
            self.on_trial = True
            return True
        return state == "closed"

    def succeeded(self) -> None:
        self.failures, self.open_until, self.open_s, self.on_trial = 0, 0.0, OPEN_S, False

    def failed(self, now: float, retry_after_s: float | None = None) -> None:
        """retry_after_s: how long the provider asked not to be called, where it said; then it opens at once."""
        self.failures += 1
        if self.on_trial:
            self.open_s = min(2 * self.open_s, LONGEST_OPEN_S)
        self.on_trial = False
        wait_s = self.open_s if self.failures >= FAILURES else 0.0
        self.open_until = max(self.open_until, now + max(wait_s, min(retry_after_s or 0.0, LONGEST_OPEN_S)))

    def abandoned(self) -> None:
        """The call ended without saying anything about the model: it was cancelled, or the request itself was at fault."""
        self.on_trial = False


class Breakers:
    """By model id. One that was never called is closed."""

    def __init__(self) -> None:
        self._breakers: dict[str, Breaker] = {}

    def of(self, model: str) -> Breaker:
        return self._breakers.setdefault(model, Breaker())

    def is_closed(self, model: str, now: float) -> bool:
        """Whether a call would go through now; asking does not take the trial."""
        found = self._breakers.get(model)
        return found is None or (found.state(now) != "open" and not found.on_trial)
