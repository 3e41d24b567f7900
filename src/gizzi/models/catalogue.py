"""Which models there are, what serves which tier, and which of them can be reached. `merge` makes a catalogue from rows."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from gizzi.config import Settings
from gizzi.errors import UsageError
from gizzi.models.model import Model, Price, Provider
from gizzi.models.programs import located
from gizzi.models.task import TIERS, Tier

MODEL_TIERS: tuple[Tier, ...] = TIERS[1:]
LONGEST_NAME = 200
Reachable = Callable[[Model], str | None]
"""Why a model cannot be reached now; None where it can."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """models: every one, in the order of the rows. tiers: for each tier the ids it may use, best first; a model may serve two tiers.
    reference: the model of each tier in the plan that projections are compared with."""

    providers: Mapping[str, Provider]
    models: Mapping[str, Model]
    tiers: Mapping[Tier, tuple[str, ...]]
    reference: Mapping[Tier, str]

    def find(self, name: str) -> Model:
        """By its id, or by what follows the provider's name where only one model is called so. Raises UsageError with the nearest names."""
        if name in self.models:
            return self.models[name]
        called = [model for model in self.models.values() if name in (model.name, model.id.partition("/")[2])]
        if len(called) == 1:
            return called[0]
        if called:
            raise UsageError(f"{name!r} may be {' or '.join(model.id for model in called)}; say which")
        raise UsageError(f"there is no model {name[:LONGEST_NAME]!r}{self.nearest(name)}")

    def nearest(self, name: str) -> str:
        """ "; did you mean …?" with up to three ids; otherwise where to see them all."""
        word = name[:LONGEST_NAME]
        by_word = {model.id: model.id for model in self.models.values()}
        by_word |= {model.id.partition("/")[2]: model.id for model in self.models.values()}
        near = [by_word[close] for close in difflib.get_close_matches(word, list(by_word), n=4, cutoff=0.6)]
        near += [model for model in self.models if word and word.lower() in model]
        return f"; did you mean {' or '.join(list(dict.fromkeys(near))[:3])}?" if near else "; `gizzi models` lists them"

    def reachability(self, settings: Settings, breaker_open: Callable[[str], bool] = lambda _: False) -> Reachable:
        """Without the network: a model can be reached where its provider needs no key or has one, the program it needs is here, and its
        circuit breaker is not open.

        Keys and programs are looked up once, now; the breaker at each question.
        """
        missing = {name: _missing_program(of) or _missing_key(of, settings) for name, of in self.providers.items()}

        def why_not(model: Model) -> str | None:
            return missing[model.provider] or ("its circuit breaker is open" if breaker_open(model.id) else None)

        return why_not

    def as_json(self, reachable: Reachable, today: date) -> list[dict[str, Any]]:
        """A row for each model, the cheapest tier first, in each tier in the order in which a route takes them."""
        places = {name: place for tier in reversed(MODEL_TIERS) for place, name in enumerate(self.tiers[tier])}
        ranked = sorted(self.models.values(), key=lambda model: (TIERS.index(model.tier), places.get(model.id, len(self.models))))
        return [_row_json(model, self, reachable(model), today) for model in ranked]


def _missing_program(provider: Provider) -> str | None:
    if provider.program is None or located(provider.program):
        return None
    if not provider.program:
        return f"off: name its program in [providers.{provider.name}]"
    return f"{provider.program!r}, the program of [providers.{provider.name}], is not here"


def _missing_key(provider: Provider, settings: Settings) -> str | None:
    if provider.key_env is None and provider.key_file is None:
        return None
    if settings.secret(provider.key_env or "", provider.key_file) is not None:
        return None
    return f"no key: set {provider.key_env}" if provider.key_env else f"no key in {provider.key_file}"


def _row_json(model: Model, catalogue: Catalogue, why_not: str | None, today: date) -> dict[str, Any]:
    retired = is_retired(model, today)
    return {
        "model": model.id,
        "provider": model.provider,
        "tier": model.tier,
        "serves": [tier for tier in MODEL_TIERS if model.id in catalogue.tiers[tier]],
        "price": None if model.price is None else price_json(model.price),
        "checked": None if model.price is None or model.price.checked is None else model.price.checked.isoformat(),
        "retired": None if model.retired is None else model.retired.isoformat(),
        "reachable": why_not is None and not retired,
        "why_not": f"retired on {model.retired}" if retired else why_not,
        "local": catalogue.providers[model.provider].local,
        "context_tokens": model.context_tokens,
        "capabilities": sorted(model.capabilities),
        "where": model.where,
    }


def price_json(price: Price) -> dict[str, Any]:
    """US$ per million tokens, as exact decimal strings."""
    shown: dict[str, Any] = {"input": format(price.input, "f"), "output": format(price.output, "f")}
    if price.cached_input is not None:
        shown["cached_input"] = format(price.cached_input, "f")
    if price.cache_write is not None:
        shown["cache_write"] = format(price.cache_write, "f")
    if price.above is not None:
        shown["above"] = {"tokens": price.above_tokens, **price_json(price.above)}
    shown["source"] = price.source
    return shown


def is_retired(model: Model, today: date) -> bool:
    return model.retired is not None and model.retired <= today


def is_forwarded(name: str) -> bool:
    """Ollama passes models with such a tag on to its own cloud: they are neither local nor free."""
    return name.endswith(("-cloud", ":cloud"))
