from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price

from gizzi.models.model import Price
from gizzi.models.prices import look_up
from gizzi.models.task import Usage

DAY = date(2026, 11, 20)
CHECKED = {"0.2.3": date(2026, 11, 10)}
OPENAI, ANTHROPIC, GOOGLE = "https://api.openai.com/v1", "https://api.anthropic.com", "https://generativelanguage.googleapis.com"


def price(url: str, name: str, day: date = DAY) -> Price:
    known = look_up(url, name, day, CHECKED)
    assert known is not None and known.price is not None
    return known.price


def test_a_price_carries_the_day_of_the_data() -> None:
    found = price(OPENAI, "gpt-6.1-terra")
    assert (found.input, found.output, found.source, found.checked) == (Decimal(1), Decimal(5), "genai-prices", date(2026, 11, 10))
    unknown_release = look_up(OPENAI, "gpt-6.1-terra", DAY, {})
    assert unknown_release is not None and unknown_release.price is not None and unknown_release.price.checked is None


@pytest.mark.parametrize(
    ("url", "name"),
    [(OPENAI, "gpt-9-imaginary"), ("http://127.0.0.1:4000/v1", "gpt-6.1-terra"), ("https://api.acme.example/v1", "fast-1")],
)
def test_what_nobody_knows_is_unknown(url: str, name: str) -> None:
    assert look_up(url, name, DAY, CHECKED) is None


def test_a_price_that_will_change_is_that_of_the_day() -> None:
    assert price(GOOGLE, "gemini-3.8-flash").input == Decimal("0.75")
    assert price(GOOGLE, "gemini-3.8-flash", date(2027, 1, 1)).input == Decimal("1.5")


@pytest.mark.parametrize(
    ("url", "provider", "name"),
    [
        (OPENAI, "openai", "gpt-6.1-terra"),
        (OPENAI, "openai", "gpt-4"),
        (ANTHROPIC, "anthropic", "claude-haiku-5-5"),
        (ANTHROPIC, "anthropic", "claude-opus-5-5"),
        (ANTHROPIC, "anthropic", "claude-sonnet-4-5"),
        (GOOGLE, "google", "gemini-3.8-flash"),
    ],
)
@pytest.mark.parametrize("tokens", [0, 1, 99_999, 100_000, 100_001, 200_001, 272_000, 272_001, 900_000])
@pytest.mark.parametrize("cached", [0, 1])
def test_it_costs_what_the_data_itself_works_out(url: str, provider: str, name: str, tokens: int, cached: int) -> None:
    read, written = cached * tokens // 2, cached * tokens // 4 if provider == "anthropic" else 0
    theirs = calc_price(
        TheirUsage(input_tokens=tokens, output_tokens=777, cache_read_tokens=read, cache_write_tokens=written),
        name,
        provider_id=provider,
        genai_request_timestamp=datetime(2026, 11, 20, tzinfo=UTC),
    )
    assert price(url, name).of(Usage(tokens, 777, read, written)) == theirs.total_price
