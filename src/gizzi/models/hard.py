"""Hard rules: what no strategy and no wish can overrule. Each says in a few words why a model may not answer.

In this order: privacy, context length, capability, retired, reachable, budget. Criticality comes before all of them, in `route`: it
decides the tier. Pure: what is reachable and what is left to spend is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from gizzi.models.budget import BudgetLeft, shown_usd
from gizzi.models.catalogue import MODEL_TIERS, Catalogue, Reachable, is_forwarded, is_retired
from gizzi.models.model import Model, Provider
from gizzi.models.task import Task, Tier, Usage

BYTES_PER_TOKEN = 3.5
"""English prose has about 4.3, code and logs 3 to 3.7; an estimate that is too high only chooses a model with more room."""
RuleName = Literal["privacy", "context", "capability", "retired", "reachable", "price", "budget"]


@dataclass(frozen=True, slots=True)
class Refusal:
    rule: RuleName
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """One task before the hard rules.

    tokens: of its prompt, estimated. budgets: for each tier the budget with the least left for this task, and how much that is. named: the
    model that a person asked for by its id. unknown_prices: a person allows models whose price nobody knows.
    """

    task: Task
    tokens: int
    local: frozenset[str]
    providers: Mapping[str, Provider]
    reachable: Reachable
    today: date
    budgets: Mapping[Tier, tuple[str, Decimal]]
    named: str | None
    unknown_prices: bool

    def refusal(self, model: Model) -> Refusal | None:
        for name, rule in _RULES:
            text = rule(model, self)
            if text is not None:
                return Refusal(name, text)
        return None


def case_of(
    task: Task, catalogue: Catalogue, reachable: Reachable, budget_left: BudgetLeft, today: date, named: str | None, unknown_prices: bool
) -> Case:
    tokens = estimate_tokens(task.text) + task.context_tokens
    critical = is_critical(task)
    budgets = {tier: budget_left.tightest(tier=tier, role=task.role, critical=critical) for tier in MODEL_TIERS}
    local = frozenset(catalogue.tiers["local"])
    return Case(task, tokens, local, catalogue.providers, reachable, today, budgets, named, unknown_prices)


def estimate_tokens(text: str) -> int:
    """How many tokens a text has, rather too many than too few; without any model's own tables."""
    return int(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN) + 8


def is_critical(task: Task) -> bool:
    return task.critical or task.severity == "critical"


def _privacy(model: Model, case: Case) -> str | None:
    if not case.task.private:
        return None
    if model.id not in case.local:
        return "private: it may not leave the local tier"
    if not case.providers[model.provider].local or is_forwarded(model.name):
        return "private: nobody said that this one sends nothing on (local = true of its provider)"
    return None


def _context(model: Model, case: Case) -> str | None:
    needed = case.tokens + case.task.output_tokens
    if needed <= model.context_tokens:
        return None
    return f"too long: about {needed:,} tokens with the answer, it takes {model.context_tokens:,}"


def _capability(model: Model, case: Case) -> str | None:
    lacking = case.task.needs - model.capabilities
    return f"it cannot do {', '.join(sorted(lacking))}" if lacking else None


def _retired(model: Model, case: Case) -> str | None:
    return f"retired on {model.retired}" if is_retired(model, case.today) else None


def _reachable(model: Model, case: Case) -> str | None:
    return case.reachable(model)


def _price(model: Model, case: Case) -> str | None:
    if model.price is not None or case.unknown_prices or model.id == case.named:
        return None
    return f'nobody knows its price; name it with --model, or give it one in [models."{model.id}"]'


def _budget(model: Model, case: Case) -> str | None:
    name, left_usd = case.budgets[model.tier]
    if model.price is None:
        return None if left_usd > 0 else f"the budget of the {name} is met, and nobody knows its price"
    cost_usd = model.price.of(Usage(case.tokens, case.task.output_tokens))
    if cost_usd == 0 or cost_usd <= left_usd:
        return None
    return f"the budget of the {name} is met: it may cost {shown_usd(cost_usd)}, {shown_usd(left_usd)} is left"


_RULES: tuple[tuple[RuleName, Callable[[Model, Case], str | None]], ...] = (
    ("privacy", _privacy),
    ("context", _context),
    ("capability", _capability),
    ("retired", _retired),
    ("reachable", _reachable),
    ("price", _price),
    ("budget", _budget),
)
