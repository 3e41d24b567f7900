"""What a mix of tiers would cost in a month, exact: with today's models, and with those of the first plan (2025), retired since.

That plan gave about US$ 30 to 40 a month for 90 % local and 10 % frontier, and about 35 to 45 for 70 % local, 20 % standard and 10 %
frontier. Its models' prices allow both only where a frontier question is long and a standard one short; `ASSUMED` is such a load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from gizzi.config import nearest
from gizzi.errors import UsageError
from gizzi.models.budget import EXACT, ZERO, money_text
from gizzi.models.catalogue import MODEL_TIERS, Catalogue, is_retired, price_json
from gizzi.models.model import Model
from gizzi.models.task import Tier, Usage

DAYS = 30
QUERIES_PER_DAY = 240
ASSUMED: Mapping[Tier, tuple[int, int]] = {"local": (600, 300), "standard": (300, 150), "frontier": (3900, 2000)}
"""Tokens of a question and its answer, where nothing else is said: a look at status, a short question, an incident with its evidence."""
HUNDRED = Decimal(100)
Mix = Mapping[Tier, Decimal]


@dataclass(frozen=True, slots=True)
class Load:
    """tokens: of a question and its answer, for each tier."""

    queries_per_day: int
    tokens: Mapping[Tier, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Share:
    """One tier's part of a month. model: None where the tier has none; cost_usd: None where it has none or nobody knows its price."""

    tier: Tier
    percent: Decimal
    queries: Decimal
    tokens: tuple[int, int]
    model: Model | None
    cost_usd: Decimal | None

    def as_json(self) -> dict[str, Any]:
        return {
            "tier": self.tier,
            "share_percent": money_text(self.percent),
            "queries": money_text(self.queries),
            "tokens_in": self.tokens[0],
            "tokens_out": self.tokens[1],
            "model": None if self.model is None else self.model.id,
            "price": None if self.model is None or self.model.price is None else price_json(self.model.price),
            "cost_usd": None if self.cost_usd is None else money_text(self.cost_usd),
        }


@dataclass(frozen=True, slots=True)
class Projection:
    """A month of DAYS days."""

    shares: tuple[Share, ...]

    @property
    def month_usd(self) -> Decimal | None:
        """None where one of the costs is not known."""
        costs = [share.cost_usd for share in self.shares]
        with localcontext(EXACT):
            return None if None in costs else sum((cost for cost in costs if cost is not None), ZERO)

    def as_json(self) -> dict[str, Any]:
        month_usd = self.month_usd
        return {"month_usd": None if month_usd is None else money_text(month_usd), "tiers": [share.as_json() for share in self.shares]}


def read_mix(text: str) -> Mix:
    """ "local=70,standard=20,frontier=10": percentages that add up to 100. Raises UsageError."""
    mix: dict[Tier, Decimal] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        tier = next((tier for tier in MODEL_TIERS if tier == name), None)
        if not equals or tier is None:
            hint = nearest(name, list(MODEL_TIERS)) if equals else ", such as local=70,standard=20,frontier=10"
            raise UsageError(f"--mix: {part.strip()[:40]!r} is not TIER=PERCENT{hint}")
        if tier in mix:
            raise UsageError(f"--mix: {tier} is there twice")
        mix[tier] = _percent(value, tier)
    with localcontext(EXACT):
        total = sum(mix.values(), ZERO)
    if total != HUNDRED:
        raise UsageError(f"--mix: the shares add up to {money_text(total)}, not to 100")
    return mix


def _percent(text: str, tier: Tier) -> Decimal:
    try:
        percent = Decimal(text.removesuffix("%"))
    except InvalidOperation:
        raise UsageError(f"--mix: {text[:40]!r} is not a number, for {tier}") from None
    if not percent.is_finite() or not ZERO <= percent <= HUNDRED or percent.as_tuple().exponent < -20:  # type: ignore[operator]
        raise UsageError(f"--mix: {tier} is {text[:40]}; a share lies between 0 and 100")
    return percent


def project(catalogue: Catalogue, mix: Mix, load: Load, today: date) -> Projection:
    """With the model that each tier would take today, were all reachable."""
    return _project({tier: _first(catalogue, tier, today) for tier in MODEL_TIERS}, mix, load)


def project_reference(catalogue: Catalogue, mix: Mix, load: Load) -> Projection:
    """With the models of the first plan, retired or not."""
    return _project({tier: catalogue.models.get(name) for tier, name in catalogue.reference.items()}, mix, load)


def _first(catalogue: Catalogue, tier: Tier, today: date) -> Model | None:
    """A route takes one whose price nobody knows only where a person says so; here it stands only where there is no other."""
    models = [catalogue.models[name] for name in catalogue.tiers[tier] if not is_retired(catalogue.models[name], today)]
    return next((model for model in models if model.price is not None), models[0] if models else None)


def _project(models: Mapping[Tier, Model | None], mix: Mix, load: Load) -> Projection:
    with localcontext(EXACT):
        month = Decimal(load.queries_per_day * DAYS)
        return Projection(tuple(_share(tier, mix[tier], month, load.tokens[tier], models[tier]) for tier in MODEL_TIERS if tier in mix))


def _share(tier: Tier, percent: Decimal, month: Decimal, tokens: tuple[int, int], model: Model | None) -> Share:
    queries = month * percent / HUNDRED
    cost_usd = None if model is None or model.price is None else queries * model.price.of(Usage(*tokens))
    return Share(tier, percent, queries, tokens, model, ZERO if queries == 0 else cost_usd)
