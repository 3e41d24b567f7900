"""One unit of model work, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

Tier = Literal["reflex", "local", "standard", "frontier"]
TIERS: tuple[Tier, ...] = ("reflex", "local", "standard", "frontier")
"""From the cheapest up; what cannot be answered on one goes to the next."""
Severity = Literal["low", "medium", "high", "critical"]
Plan = Literal["one", "cascade", "consensus"]


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked.

    kind: what sort of work it is (health, logs, code, arithmetic, governance, decision, upgrade, security, question), None where the
    router should tell from the text. critical: criticality comes before all else. private: it must not leave the local tier.
    role: who asks, for budgets. needs: capabilities a model must have ("tools", "json", "stream"). context_tokens: beyond the text
    itself (history, tool results). decides_write: its answer may lead to a write, so it never comes from the cache.
    several_calls: more than one call may be made for it (not where it streams, or is a step of an agent's run). limit_s: the whole task's
    time limit.
    """

    text: str
    kind: str | None = None
    critical: bool = False
    private: bool = False
    severity: Severity | None = None
    role: str | None = None
    model: str | None = None
    needs: frozenset[str] = frozenset()
    context_tokens: int = 0
    output_tokens: int = 1000
    decides_write: bool = False
    several_calls: bool = False
    limit_s: float = 120.0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Considered:
    """A model that was looked at, and why it was not chosen; None for the one that was."""

    model: str
    why_not: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """The choice. models: the chosen one first, then those to fall back on. None of them where only the reflex tier is left.

    plan: "one" asks the chosen model; "cascade" asks those of steps in turn until an answer holds; "consensus" lets them vote.
    """

    tier: Tier
    models: tuple[str, ...]
    strategy: str
    reason: str
    considered: tuple[Considered, ...] = ()
    plan: Plan = "one"
    steps: tuple[str, ...] = ()

    @property
    def model(self) -> str | None:
        return self.models[0] if self.models else None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; estimated where it did not say."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """cost_usd: of all calls made for it; None where a model's price is not known. output: the typed output, where one was asked for.
    votes: {"model", "provider", "vote"} of each provider, where they voted. id: by which a person may call it good or bad; None where
    nothing of it is kept."""

    model: str
    tier: Tier
    response: str
    cost_usd: Decimal | None
    time_s: float
    usage: Usage
    route: Route
    cached: bool = False
    output: Any = None
    votes: tuple[Mapping[str, Any], ...] = field(default=())
    id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The answer object of every face."""
        return {
            "id": self.id,
            "model": self.model,
            "tier": self.tier,
            "response": self.response,
            "cost_usd": None if self.cost_usd is None else format(self.cost_usd, "f"),
            "time_s": round(self.time_s, 3),
            "tokens": {"input": self.usage.input_tokens, "output": self.usage.output_tokens, "estimated": self.usage.estimated},
            "route": {
                "strategy": self.route.strategy,
                "reason": self.route.reason,
                "considered": [{"model": c.model, "why_not": c.why_not} for c in self.route.considered],
            },
            "votes": [dict(vote) for vote in self.votes],
            "cached": self.cached,
        }
