"""Prices: from a row, or from the data that the installed genai-prices brings. Nothing is fetched, and nothing is guessed.

That data is matched by the provider's address, so a gateway that borrows a provider's name does not borrow its prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from gizzi.models.model import Price, PriceSource
from gizzi.readers.rows import PriceRow


@dataclass(frozen=True, slots=True)
class Known:
    """What the price data says of a model. price: None where it gives none for tokens."""

    price: Price | None
    context_tokens: int | None


def price_of_row(row: PriceRow, source: PriceSource) -> Price:
    return Price(row.input, row.output, row.cached_input, row.cache_write, row.checked, source)


def look_up(url: str, name: str, today: date, checked: Mapping[str, date]) -> Known | None:
    """What the data says of the model `name` at the provider whose address is `url`, on that day. None where it knows no such model.

    checked: for each release of the data the day from which its prices are.
    """
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(name, None, None, url)
    except LookupError:
        return None
    prices = vars(found.get_prices(datetime.combine(today, time(), UTC)))
    return Known(_price(prices, checked.get(genai_prices.__version__)), found.context_window)


def _price(prices: Mapping[str, Any], checked: date | None) -> Price | None:
    """The data's price, which may rise with the length of the input: each step is the price of a request longer than its start."""
    starts = sorted({step.start for value in prices.values() for step in getattr(value, "tiers", ())}, reverse=True)
    above: Price | None = None
    above_tokens = 0
    for start in (*starts, 0):
        input_usd, output_usd = _at(prices.get("input_mtok"), start), _at(prices.get("output_mtok"), start)
        if input_usd is None or output_usd is None:
            return None
        cached, written = _at(prices.get("cache_read_mtok"), start), _at(prices.get("cache_write_mtok"), start)
        above = Price(input_usd, output_usd, cached, written, checked, "genai-prices", above_tokens, above)
        above_tokens = start
    return above


def _at(price: Any, start: int) -> Decimal | None:
    """What one kind of token costs in a request whose input is just longer than `start`."""
    if price is None or isinstance(price, Decimal):
        return price
    fitting = [step.price for step in price.tiers if step.start <= start and start]
    found: Decimal = fitting[-1] if fitting else price.base
    return found
