"""Catalogues and choices for tests of routing: a day, a full purse, settings without a plugins folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gizzi import registry
from gizzi.config import Settings, parse
from gizzi.kinds import Strategy
from gizzi.models.budget import BudgetLeft
from gizzi.models.catalogue import Catalogue, Reachable
from gizzi.models.merge import load_catalogue
from gizzi.models.model import Model
from gizzi.models.route import choose, strategies_of
from gizzi.models.task import Route, Task

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()
NOWHERE = {"folder": "/nonexistent"}


def settings_of(**raw: Any) -> Settings:
    return parse({"plugins": NOWHERE, **raw}, "gizzi.toml")


def catalogue_of(packages: Iterable[tuple[str, Any]] = (), **raw: Any) -> Catalogue:
    return load_catalogue(settings_of(**raw), packages, today=TODAY)


def purse(left_usd: str = "1000", kept_usd: str = "0", **more: Any) -> BudgetLeft:
    """The same for the day and the month."""
    left, kept = Decimal(left_usd), Decimal(kept_usd)
    return BudgetLeft(left, left, kept, kept, more.get("tiers", {}), more.get("roles", {}))


def without(*names: str) -> Reachable:
    """Reaches everything but these: models, or whole providers."""

    def why_not(model: Model) -> str | None:
        return "not reachable" if model.id in names or model.provider in names else None

    return why_not


def rules_strategy() -> tuple[Strategy, ...]:
    settings = settings_of()
    return strategies_of(settings, registry.load(settings))


def route(
    task: Task | str,
    rows: Catalogue | None = None,
    *,
    away: Sequence[str] = (),
    left: BudgetLeft | None = None,
    strategies: Sequence[Strategy] | None = None,
    **more: Any,
) -> Route:
    asked = Task(task) if isinstance(task, str) else task
    by = rules_strategy() if strategies is None else strategies
    return choose(asked, rows or catalogue_of(), without(*away), left or purse(), by, NOW, **more)


def why_not(found: Route) -> Mapping[str, str | None]:
    return {considered.model: considered.why_not for considered in found.considered}
