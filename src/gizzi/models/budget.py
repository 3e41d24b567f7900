"""What may still be spent. PURE: sums and limits in, a yes or the budget that says no out.

Plain work stops where only `critical_share` of a day's or month's budget is left; critical work may use all of it. The budgets of tiers and
roles hold for both. What costs nothing is never refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal

from gizzi.config import Budget
from gizzi.errors import BudgetMet

EXACT = Context(prec=100)
"""Sums of money are exact: no amount has more than `FINEST` decimals, nor is any above `LARGEST_USD`."""
FINEST = 40
LARGEST_USD = Decimal(1_000_000_000)
ZERO = Decimal(0)


def total(amounts: Iterable[Decimal]) -> Decimal:
    result = ZERO
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result


def money_text(amount: Decimal) -> str:
    """Plain digits without trailing zeros, exact."""
    return format(EXACT.normalize(amount), "f") if amount else "0"


def is_amount(amount: Decimal) -> bool:
    """Whether it can be what something costs: finite, not negative, neither absurdly large nor fine."""
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -FINEST and ZERO <= amount <= LARGEST_USD


def shown_usd(amount: Decimal) -> str:
    """For people: US$ with two decimals, more where it is below a cent, rounded up; never 0 for what is not."""
    places = 2 if amount == 0 or abs(amount) >= Decimal("0.01") else 6
    rounded = amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_CEILING, context=EXACT)
    return f"${rounded}" if rounded >= 0 else f"-${-rounded}"


@dataclass(frozen=True, slots=True)
class Spent:
    """US$ of one day and its month, open reservations at their estimates included. tiers, roles: of the day."""

    day_usd: Decimal
    month_usd: Decimal
    tiers: Mapping[str, Decimal]
    roles: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """US$ left, below 0 where calls cost more than was estimated. kept_…: the part of it that only critical work may spend.

    tiers, roles: what is left of the day for those that have a budget of their own; others have none to keep to.
    """

    day_usd: Decimal
    month_usd: Decimal
    kept_day_usd: Decimal
    kept_month_usd: Decimal
    tiers: Mapping[str, Decimal]
    roles: Mapping[str, Decimal]

    def tightest(self, *, tier: str, role: str | None, critical: bool) -> tuple[str, Decimal]:
        """The budget with the least left for such a call, and how much that is."""
        kept = (ZERO, ZERO) if critical else (self.kept_day_usd, self.kept_month_usd)
        budgets = [("day", EXACT.subtract(self.day_usd, kept[0])), ("month", EXACT.subtract(self.month_usd, kept[1]))]
        if tier in self.tiers:
            budgets.append((f"day of the {tier} tier", self.tiers[tier]))
        if role and role in self.roles:
            budgets.append((f"day of the role {role}", self.roles[role]))
        return min(budgets, key=lambda budget: budget[1])

    def check(self, estimate_usd: Decimal | None, *, tier: str, role: str | None, critical: bool) -> None:
        """Raises BudgetMet. estimate_usd: None where the price is not known; that is refused once nothing is left."""
        name, left = self.tightest(tier=tier, role=role, critical=critical)
        if estimate_usd == 0 or (left > 0 if estimate_usd is None else left >= estimate_usd):
            return
        needs = "a call of unknown price" if estimate_usd is None else f"a call of about {shown_usd(estimate_usd)}"
        share = "" if critical or name not in ("day", "month") else ", beyond what is kept for critical work"
        raise BudgetMet(f"the budget of the {name} is met: {shown_usd(left)} left{share}, too little for {needs}", name, left)


def left_of(budget: Budget, spent: Spent) -> BudgetLeft:
    return BudgetLeft(
        day_usd=EXACT.subtract(budget.day_usd, spent.day_usd),
        month_usd=EXACT.subtract(budget.month_usd, spent.month_usd),
        kept_day_usd=EXACT.multiply(budget.day_usd, budget.critical_share),
        kept_month_usd=EXACT.multiply(budget.month_usd, budget.critical_share),
        tiers={name: EXACT.subtract(limit, spent.tiers.get(name, ZERO)) for name, limit in budget.tiers.items()},
        roles={name: EXACT.subtract(limit, spent.roles.get(name, ZERO)) for name, limit in budget.roles.items()},
    )
