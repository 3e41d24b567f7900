from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.config import Budget, parse
from gizzi.errors import BudgetMet, ConfigError
from gizzi.models.budget import BudgetLeft, Spent, is_amount, left_of, money_text, shown_usd, total

USD = st.decimals(min_value=0, max_value=1000, places=12)


def left(
    day: str = "0", month: str = "0", by_tier: dict[str, str] | None = None, by_role: dict[str, str] | None = None, **budget: object
) -> BudgetLeft:
    spent = Spent(
        Decimal(day),
        Decimal(month),
        {name: Decimal(usd) for name, usd in (by_tier or {}).items()},
        {name: Decimal(usd) for name, usd in (by_role or {}).items()},
    )
    return left_of(Budget.model_validate({"day_usd": 5, "month_usd": 45, **budget}), spent)


def allowed(of: BudgetLeft, estimate: str | None, *, tier: str = "standard", role: str | None = None, critical: bool = False) -> bool:
    try:
        of.check(None if estimate is None else Decimal(estimate), tier=tier, role=role, critical=critical)
    except BudgetMet:
        return False
    return True


def test_plain_work_stops_at_the_share_kept_for_critical_work() -> None:
    assert allowed(left(day="3.99"), "0.01")
    assert not allowed(left(day="3.99"), "0.011")
    assert allowed(left(day="3.99"), "1.01", critical=True)
    assert not allowed(left(day="3.99"), "1.02", critical=True)


def test_the_month_counts_too() -> None:
    assert not allowed(left(day="0", month="44.5"), "0.01")
    assert allowed(left(day="0", month="44.5"), "0.5", critical=True)
    assert not allowed(left(day="0", month="44.5"), "0.6", critical=True)


def test_tiers_and_roles_have_budgets_of_their_own() -> None:
    of = left(day="1", by_tier={"frontier": "0.9"}, by_role={"security": "0.2"}, tiers={"frontier": 1}, roles={"security": "0.25"})
    assert allowed(of, "0.1", tier="frontier")
    assert not allowed(of, "0.11", tier="frontier")
    assert not allowed(of, "0.11", tier="frontier", critical=True)
    assert allowed(of, "1", tier="standard")
    assert not allowed(of, "0.06", role="security")
    assert allowed(of, "0.06", role="another")


def test_what_is_free_is_never_refused_and_what_is_unknown_needs_something_left() -> None:
    over = left(day="9")
    assert allowed(over, "0")
    assert not allowed(over, None)
    assert allowed(left(), None)


def test_a_refusal_names_the_budget_and_what_is_left() -> None:
    with pytest.raises(BudgetMet, match=r"budget of the day of the frontier tier is met: \$0\.10 left, .*about \$0\.20") as caught:
        left(by_tier={"frontier": "0.9"}, tiers={"frontier": 1}).check(Decimal("0.2"), tier="frontier", role=None, critical=False)
    assert (caught.value.budget, caught.value.left_usd) == ("day of the frontier tier", Decimal("0.1"))
    with pytest.raises(BudgetMet, match="beyond what is kept for critical work"):
        left(day="4").check(Decimal("0.2"), tier="frontier", role=None, critical=False)


@given(st.lists(USD, max_size=50))
def test_sums_are_exact(amounts: list[Decimal]) -> None:
    units = sum(int(amount.scaleb(12)) for amount in amounts)
    assert total(amounts) == Decimal(units).scaleb(-12)


@given(USD, USD, USD, st.booleans())
def test_never_more_than_the_budget(spent: Decimal, month: Decimal, estimate: Decimal, critical: bool) -> None:
    of = left(day=str(spent), month=str(month))
    if estimate and allowed(of, str(estimate), critical=critical):
        share = Decimal(1) if critical else Decimal("0.8")
        assert spent + estimate <= 5 * share
        assert month + estimate <= 45 * share


@given(USD)
def test_text_keeps_every_digit(amount: Decimal) -> None:
    assert Decimal(money_text(amount)) == amount
    assert "E" not in money_text(amount)


@pytest.mark.parametrize("amount", ["NaN", "-0.01", "Infinity", "1E+12", "1E-50", "sNaN"])
def test_what_no_cost_can_be(amount: str) -> None:
    assert not is_amount(Decimal(amount))


@pytest.mark.parametrize(
    ("amount", "shown"), [("0", "$0.00"), ("1.2", "$1.20"), ("0.0000001", "$0.000001"), ("0.004", "$0.004000"), ("-0.5", "-$0.50")]
)
def test_for_people(amount: str, shown: str) -> None:
    assert shown_usd(Decimal(amount)) == shown


@pytest.mark.parametrize(
    "budget", [{"day_usd": -1}, {"critical_share": 2}, {"tiers": {"fronteer": 1}}, {"roles": {"x": -1}}, {"day_usd": "NaN"}]
)
def test_settings_that_make_no_sense(budget: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"\[budget\]"):
        parse({"budget": budget}, "the test")
