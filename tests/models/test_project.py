from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.errors import UsageError
from gizzi.models.catalogue import Catalogue
from gizzi.models.project import ASSUMED, QUERIES_PER_DAY, Load, Projection, project, project_reference, read_mix
from gizzi.models.task import Tier
from tools.catalogue import TODAY, catalogue_of

TWO, THREE = "local=90,frontier=10", "local=70,standard=20,frontier=10"
USUAL = Load(QUERIES_PER_DAY, ASSUMED)


def load(queries: int, tokens_in: int, tokens_out: int) -> Load:
    tiers: tuple[Tier, ...] = ("local", "standard", "frontier")
    return Load(queries, dict.fromkeys(tiers, (tokens_in, tokens_out)))


def month(found: Projection) -> Decimal:
    assert found.month_usd is not None
    return found.month_usd


def test_the_first_plans_tables_come_out() -> None:
    rows = catalogue_of()
    assert 30 <= month(project_reference(rows, read_mix(TWO), USUAL)) <= 40
    assert 35 <= month(project_reference(rows, read_mix(THREE), USUAL)) <= 45
    assert [share.model.id for share in project_reference(rows, read_mix(THREE), USUAL).shares if share.model] == [
        "ollama/llama3.1:8b",
        "openai/gpt-4-turbo",
        "anthropic/claude-sonnet-4",
    ]


def test_todays_models_are_those_a_route_would_take() -> None:
    rows = catalogue_of(tiers={"standard": ["openai/gpt-4-turbo", "openai/gpt-6-luna"]})
    found = project(rows, read_mix(THREE), USUAL, TODAY)
    assert [share.model.id for share in found.shares if share.model] == [
        "ollama/llama3.1:8b",
        "openai/gpt-6-luna",
        "anthropic/claude-opus-5-5",
    ]
    assert found.shares[0].cost_usd == 0


def test_it_is_exact() -> None:
    found = project_reference(catalogue_of(), read_mix("local=33.4,standard=33.3,frontier=33.3"), load(7, 1001, 333))
    standard = Decimal(7 * 30) * Decimal("0.333") * (1001 * 10 + 333 * 30) / Decimal(1_000_000)
    frontier = Decimal(7 * 30) * Decimal("0.333") * (1001 * 3 + 333 * 15) / Decimal(1_000_000)
    assert [share.cost_usd for share in found.shares] == [0, standard, frontier]
    assert found.month_usd == standard + frontier
    assert found.as_json()["month_usd"] == format((standard + frontier).normalize(), "f")


@given(st.integers(0, 10**9), st.integers(0, 10**8), st.integers(0, 10**8))
def test_any_load_is_exact(queries: int, tokens_in: int, tokens_out: int) -> None:
    found = project_reference(catalogue_of_once(), read_mix("standard=100"), load(queries, tokens_in, tokens_out))
    assert month(found) * 1_000_000 == queries * 30 * (tokens_in * 10 + tokens_out * 30)


CATALOGUE = catalogue_of()


def catalogue_of_once() -> Catalogue:
    return CATALOGUE


def test_a_price_that_nobody_knows_makes_the_sum_unknown_not_zero() -> None:
    acme = {"acme": {"api": "openai", "url": "https://api.acme.example/v1"}}
    beside = catalogue_of(providers=acme, models={"acme/new": {"tier": "standard"}})
    assert project(beside, read_mix(THREE), USUAL, TODAY).month_usd is not None, "a route would take the next one"
    rows = catalogue_of(providers=acme, models={"acme/new": {"tier": "standard"}}, tiers={"standard": ["acme/new"]})
    found = project(rows, read_mix(THREE), USUAL, TODAY)
    assert found.month_usd is None and found.as_json()["month_usd"] is None
    assert found.as_json()["tiers"][1]["price"] is None
    assert month(project(rows, read_mix("local=100,standard=0"), USUAL, TODAY)) == 0


def test_a_long_prompt_costs_what_long_prompts_cost() -> None:
    rows = catalogue_of(tiers={"standard": ["anthropic/claude-haiku-5-5"]})
    short, long = (month(project(rows, read_mix("standard=100"), load(1, tokens, 0), TODAY)) for tokens in (100_000, 100_001))
    assert short == Decimal("0.3") and long > 5 * short


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "TIER=PERCENT"),
        ("local", "TIER=PERCENT, such as"),
        ("locl=100", "did you mean 'local'"),
        ("reflex=100", "TIER=PERCENT"),
        ("local=90", "add up to 90"),
        ("local=90,frontier=10.0001", "add up to 100.0001"),
        ("local=50,local=50", "twice"),
        ("local=-10,frontier=110", "between 0 and 100"),
        ("local=nan,frontier=100", "between 0 and 100"),
        ("local=inf", "between 0 and 100"),
        ("local=x", "not a number"),
        ("local=1e-999999,frontier=100", "between 0 and 100"),
        ("local=100,", "TIER=PERCENT"),
    ],
)
def test_a_wrong_mix_is_named(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_mix(text)
    assert "--mix" in str(caught.value) and says in str(caught.value)


def test_mixes_may_be_written_loosely() -> None:
    assert read_mix(" local = 70% , frontier=30 ") == {"local": 70, "frontier": 30}
