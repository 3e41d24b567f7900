"""Providers, models and prices: rows, never code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from gizzi.models.task import Tier, Usage

MILLION = Decimal(1_000_000)
PriceSource = Literal["gizzi.toml", "plugin", "shipped", "genai-prices"]


@dataclass(frozen=True, slots=True)
class Price:
    """US$ per million tokens, exact. cached_input: for input read from the provider's cache; None: as input. Reasoning counts as output.

    above: what all of a request costs whose input is longer than `above_tokens`; None where length makes no difference.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    checked: date | None = None
    source: PriceSource = "shipped"
    above_tokens: int = 0
    above: Price | None = None

    def of(self, usage: Usage) -> Decimal:
        """What so many tokens cost, in US$, exact. `reasoning_tokens` are among `output_tokens`, cached ones among `input_tokens`."""
        if self.above is not None and usage.input_tokens > self.above_tokens:
            return self.above.of(usage)
        plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        total = plain * self.input + usage.cached_input_tokens * cached + usage.cache_write_tokens * written
        return (total + usage.output_tokens * self.output) / MILLION


@dataclass(frozen=True, slots=True)
class Provider:
    """Where models are reached. api: the wire it speaks. key_env: the variable or credential with its key, key_file: the file; neither
    where it needs none. local: on our own machines, and nothing is sent on, so what is private may go there. program: what its wire
    starts, None where it starts nothing, "" where nobody has named it yet: then it is off."""

    name: str
    api: str
    url: str
    key_env: str | None = None
    key_file: str | None = None
    local: bool = False
    where: str = "shipped"
    program: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One model. id: "provider/name". retired: the day from which requests to it fail. base: the id whose capabilities it shares.

    price: None where nobody knows it; it is then not spent on without a person's word.
    """

    id: str
    provider: str
    name: str
    tier: Tier
    price: Price | None
    context_tokens: int = 128_000
    capabilities: frozenset[str] = frozenset({"tools", "json", "stream"})
    retired: date | None = None
    base: str | None = None
    where: str = "shipped"
