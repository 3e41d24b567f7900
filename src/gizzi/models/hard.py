"""Hard rules: what no strategy and no wish can overrule. Each says in a few words why a model may not answer.

In this order: privacy, context length, capability, retired, reachable, price and budget. Criticality comes before all of them, in `route`:
it decides the tier. Pure: what is reachable and what is left to spend is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from gizzi.models.budget import BudgetLeft, shown_usd
from gizzi.models.catalogue import MODEL_TIERS, Catalogue, Reachable, is_forwarded, is_retired
from gizzi.models.model import Model, Price, Provider
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

    usage: estimated. budgets: for each tier the budget with the least left for this task, and how much that is. named: the
    model that a person asked for by its id. unknown_prices: a person allows models whose price nobody knows.
    """

    task: Task
    usage: Usage
    local: frozenset[str]
    providers: Mapping[str, Provider]
    reachable: Reachable
    today: date
    budgets: Mapping[Tier, tuple[str, Decimal]]
    named: str | None
    unknown_prices: bool

    def refusal(self, model: Model) -> Refusal | None:
        """The first rule that forbids it."""
        needed = self.usage.input_tokens + self.usage.output_tokens
        if self.task.private and (text := _privacy(model, self)):
            return Refusal("privacy", text)
        if needed > model.context_tokens:
            return Refusal("context", f"too long: about {needed:,} tokens with the answer, it takes {model.context_tokens:,}")
        if not self.task.needs <= model.capabilities:
            return Refusal("capability", f"it cannot do {', '.join(sorted(self.task.needs - model.capabilities))}")
        if is_retired(model, self.today):
            return Refusal("retired", f"retired on {model.retired}")
        if text := self.reachable(model):
            return Refusal("reachable", text)
        return _unpriced(model, self) if model.price is None else _too_dear(model, model.price, self)


def case_of(
    task: Task, catalogue: Catalogue, reachable: Reachable, budget_left: BudgetLeft, today: date, named: str | None, unknown_prices: bool
) -> Case:
    usage = Usage(estimate_tokens(task.text) + task.context_tokens, task.output_tokens)
    critical = is_critical(task)
    budgets = {tier: budget_left.tightest(tier=tier, role=task.role, critical=critical) for tier in MODEL_TIERS}
    return Case(task, usage, frozenset(catalogue.tiers["local"]), catalogue.providers, reachable, today, budgets, named, unknown_prices)


def estimate_tokens(text: str) -> int:
    """How many tokens a text has, rather too many than too few; without any model's own tables."""
    return int(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN) + 8


def is_critical(task: Task) -> bool:
    return task.critical or task.severity == "critical"


def _privacy(model: Model, case: Case) -> str | None:
    if model.id not in case.local:
        return "private: it may not leave the local tier"
    if not case.providers[model.provider].local or is_forwarded(model.name):
        return "private: nobody said that this one sends nothing on (local = true of its provider)"
    return None


def _unpriced(model: Model, case: Case) -> Refusal | None:
    name, left_usd = case.budgets[model.tier]
    if not case.unknown_prices and model.id != case.named:
        return Refusal("price", f'nobody knows its price; name it with --model, or give it one in [models."{model.id}"]')
    return None if left_usd > 0 else Refusal("budget", f"the budget of the {name} is met, and nobody knows its price")


def _too_dear(model: Model, price: Price, case: Case) -> Refusal | None:
    cost_usd = price.of(case.usage)
    name, left_usd = case.budgets[model.tier]
    if cost_usd <= left_usd or not cost_usd:
        return None
    return Refusal("budget", f"the budget of the {name} is met: it may cost {shown_usd(cost_usd)}, {shown_usd(left_usd)} is left")
