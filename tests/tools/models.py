"""Rows, purses and doors for tests of what talks to models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from pydantic import SecretStr

from gizzi.clock import LiveClock
from gizzi.config import Settings, parse
from gizzi.errors import BudgetMet
from gizzi.models.catalogue import Catalogue
from gizzi.models.door import Call, Door
from gizzi.models.model import Model, Price, Provider
from gizzi.models.providers import Providers
from gizzi.models.task import Route, Task, Tier, Usage

KEY = "secret-key-1234567890"
PRICE = Price(Decimal(1), Decimal(2))


@dataclass
class FakePurse:
    """Keeps what was reserved and how it ended. refuses: models it has no money for."""

    refuses: frozenset[str] = frozenset()
    open: dict[int, str] = field(default_factory=dict)
    settled: list[tuple[str, Usage, str]] = field(default_factory=list)
    released: list[tuple[str, str]] = field(default_factory=list)
    estimates: list[Decimal | None] = field(default_factory=list)
    count: int = 0

    async def reserve(
        self, *, model: str, tier: Tier, role: str | None, kind: str | None, estimate_usd: Decimal | None, critical: bool
    ) -> int:
        if model in self.refuses:
            raise BudgetMet(f"the budget of the day is met: no room for {model}", "day", Decimal(0))
        self.count += 1
        self.open[self.count] = model
        self.estimates.append(estimate_usd)
        return self.count

    async def settle(self, reservation: int, usage: Usage, cost_usd: Decimal | None, outcome: str) -> None:
        self.settled.append((self.open.pop(reservation), usage, outcome))

    async def release(self, reservation: int, why: str) -> None:
        self.released.append((self.open.pop(reservation), why))


class QuickClock(LiveClock):
    """Remembers waits instead of waiting, and its time passes by them."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> float:
        return super().now() + sum(self.waits)

    async def sleep(self, duration_s: float) -> None:
        self.waits.append(duration_s)


def catalogue(**urls: str) -> Catalogue:
    """A model "NAME/m" for each; the wire is what stands before the first _ of the name (openai_a, anthropic_b)."""
    providers = {name: Provider(name, name.split("_")[0], url, key_env="TEST_KEY") for name, url in urls.items()}
    models = {f"{name}/m": Model(f"{name}/m", name, "m", "standard", PRICE) for name in urls}
    return Catalogue(providers, models, {"local": (), "standard": tuple(models), "frontier": ()}, {})


def door(rows: Catalogue, purse: FakePurse | None = None, **more: Any) -> Door:
    return Door(rows, Providers(lambda _: SecretStr(KEY)), purse or FakePurse(), QuickClock(), dice=Random(1), **more)


def route(rows: Catalogue) -> Route:
    return Route("standard", tuple(rows.models), "test", "the test's")


def call(text: str = "How are you?") -> Call:
    from pydantic_ai.messages import ModelRequest, UserPromptPart
    from pydantic_ai.models import ModelRequestParameters

    return Call([ModelRequest(parts=[UserPromptPart(text)])], ModelRequestParameters(), {"max_tokens": 50})


Asks = Callable[[str], Task]


def settings_for(url: str, folder: Path, *, api: str = "openai", **more: Any) -> Settings:
    """A standard model "mine/m" at that address, none other; the store is a file in the folder."""
    raw: dict[str, Any] = {
        "providers": {"mine": {"api": api, "url": url}, "ollama": {"url": "http://127.0.0.1:9"}},
        "models": {
            "mine/m": {"tier": "standard", "price": {"input": 1, "output": 2}, **({"context_tokens": 8192} if api == "ollama" else {})}
        },
        "tiers": {"local": ["ollama/llama3.1:8b"], "standard": ["mine/m"]},
        "store": {"url": f"sqlite:///{folder / 'gizzi.db'}"},
        "plugins": {"folder": str(folder / "plugins")},
        "api": {"listen": "127.0.0.1:9"},
        **more,
    }
    return parse(raw, "the test")
