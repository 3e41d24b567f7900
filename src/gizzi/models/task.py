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


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked.

    kind: what sort of work it is (health, logs, code, arithmetic, governance, decision, upgrade, security, question), None where the
    router should tell from the text. critical: criticality comes before all else. private: it must not leave the local tier.
    role: who asks, for budgets. needs: capabilities a model must have ("tools", "json", "stream"). context_tokens: beyond the text
    itself (history, tool results). decides_write: its answer may lead to a write, so it never comes from the cache.
    limit_s: the whole task's time limit.
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
    limit_s: float = 120.0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Considered:
    """A model that was looked at, and why it was not chosen; None for the one that was."""

    model: str
    why_not: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """The choice. models: the chosen one first, then those to fall back on. None of them where only the reflex tier is left."""

    tier: Tier
    models: tuple[str, ...]
    strategy: str
    reason: str
    considered: tuple[Considered, ...] = ()

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
    """cost_usd: None where the model's price is not known. output: the typed output, where one was asked for."""

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

    def as_json(self) -> dict[str, Any]:
        """The answer object of every face."""
        return {
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
            "cached": self.cached,
        }
