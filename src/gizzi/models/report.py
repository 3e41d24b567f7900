"""What was spent this month, on what, and where that leads. The ledger's rows in, one object for every face out."""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, func, select

from gizzi.clock import iso
from gizzi.config import Budget
from gizzi.models.budget import EXACT, ZERO, BudgetLeft, left_of, money_text, total
from gizzi.models.catalogue import Catalogue, is_retired
from gizzi.models.ledger import day_of
from gizzi.models.ledger_rows import RELEASED, spent
from gizzi.models.model import Model
from gizzi.models.task import Usage
from gizzi.store import Store
from gizzi.store.ledger_schema import entries, open_reservations

By = Literal["model", "tier", "role", "kind", "day"]
BY: tuple[By, ...] = get_args(By)
DAYS = 7
"""How many whole days before today the forecast goes by."""
_DAY_S = 86_400


@dataclass(slots=True)
class Sum:
    """calls: those that were sent. unknown: of these, how many cost nobody knows what; they are in no amount. estimated: settled at an
    estimate, or with tokens that the provider did not count."""

    calls: int = 0
    unknown: int = 0
    estimated: int = 0
    usd: Decimal = ZERO
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0

    def add(self, row: Row[Any]) -> None:
        if row.entry == "settle":
            self.calls += 1
            self.unknown += row.usd is None
            self.estimated += row.estimated
        if row.usd is not None:
            self.usd = EXACT.add(self.usd, Decimal(row.usd))
        self.input_tokens += row.input_tokens
        self.output_tokens += row.output_tokens
        self.cached_input_tokens += row.cached_input_tokens
        self.reasoning_tokens += row.reasoning_tokens

    def as_json(self) -> dict[str, Any]:
        """cost_usd: null where no call's cost is known; never 0 for that."""
        return {
            "calls": self.calls,
            "cost_usd": None if self.calls and self.unknown == self.calls else money_text(self.usd),
            "unknown_cost_calls": self.unknown,
            "estimated_calls": self.estimated,
            "tokens": {
                "input": self.input_tokens,
                "output": self.output_tokens,
                "cached_input": self.cached_input_tokens,
                "reasoning": self.reasoning_tokens,
            },
        }


async def costs_by(store: Store, by: By, *, now: float, budget: Budget, frontier: Model | None = None) -> dict[str, Any]:
    """This month's costs by that, the budgets, the forecast, and what the frontier model alone would have cost for the same tokens.

    frontier: None, or a model of unknown price, where there is nothing to compare with.
    """
    today = datetime.fromtimestamp(now, UTC).date()
    first = today.replace(day=1)
    since = min(first, today - timedelta(days=DAYS))

    def work(connection: Connection) -> dict[str, Any]:
        settled = list(_settled(connection, since))
        month = [row for row in settled if row.day >= first.isoformat()]
        started = connection.execute(select(func.min(entries.c.day))).scalar()
        left = left_of(budget, spent(connection, day_of(now)))
        return {
            "by": by,
            "at": iso(now),
            "from": first.isoformat(),
            "to": today.isoformat(),
            "rows": _rows(month, by, frontier),
            "total": _sum(month).as_json(),
            "open": _open(connection),
            "budget": _budget_json(budget, left),
            "forecast": _forecast(settled, first, started, now),
            "always_frontier": _always(month, frontier),
        }

    return await store.run(work)


async def budget_now(store: Store, budget: Budget, now: float) -> dict[str, Any]:
    """The budgets and what is left of them, without reading the whole ledger."""
    return await store.run(lambda connection: _budget_json(budget, left_of(budget, spent(connection, day_of(now)))))


def frontier_of(catalogue: Catalogue, today: date) -> Model | None:
    """The first model of the frontier tier that is not retired and has a price; None without one."""
    models = (catalogue.models[name] for name in catalogue.tiers["frontier"])
    return next((model for model in models if model.price is not None and not is_retired(model, today)), None)


def _settled(connection: Connection, since: date) -> Iterator[Row[Any]]:
    """What was sent and has ended since that day."""
    ended = select(entries).where(entries.c.day >= since.isoformat(), entries.c.entry.in_(("settle", "late")))
    return (row for row in connection.execute(ended) if not row.outcome.startswith(RELEASED))


def _rows(settled: Iterable[Row[Any]], by: By, frontier: Model | None) -> list[dict[str, Any]]:
    """By day in the days' order; else the dearest first, those of unknown cost before what is free."""
    groups: defaultdict[str, Sum] = defaultdict(Sum)
    rows_of: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in settled:
        groups[getattr(row, by)].add(row)
        rows_of[getattr(row, by)].append(row)
    ordered = sorted(groups.items()) if by == "day" else sorted(groups.items(), key=lambda g: (-g[1].usd, -g[1].unknown, g[0]))
    dear = {name: _always(rows, frontier) for name, rows in rows_of.items()}
    return [{by: name or None, **sums.as_json(), "always_frontier_usd": (dear[name] or {}).get("cost_usd")} for name, sums in ordered]


def _sum(settled: Iterable[Row[Any]]) -> Sum:
    sums = Sum()
    for row in settled:
        sums.add(row)
    return sums


def _open(connection: Connection) -> dict[str, Any]:
    """Calls under way, and those whose process died less than ten minutes ago, at their estimates."""
    amounts = connection.execute(select(open_reservations.c.usd)).scalars().all()
    return {"calls": len(amounts), "estimate_usd": money_text(total(Decimal(usd) for usd in amounts if usd is not None))}


def _budget_json(budget: Budget, left: BudgetLeft) -> dict[str, Any]:
    return {
        "day_usd": money_text(budget.day_usd),
        "day_left_usd": money_text(left.day_usd),
        "month_usd": money_text(budget.month_usd),
        "month_left_usd": money_text(left.month_usd),
        "kept_for_critical": {"day_usd": money_text(left.kept_day_usd), "month_usd": money_text(left.kept_month_usd)},
        "tiers_left_today_usd": {name: money_text(usd) for name, usd in left.tiers.items()},
        "roles_left_today_usd": {name: money_text(usd) for name, usd in left.roles.items()},
    }


def _forecast(settled: Iterable[Row[Any]], first: date, started: str | None, now: float) -> dict[str, Any]:
    """This month so far, and for what is left of it the mean of the last whole days; of today alone where there is none before."""
    today = datetime.fromtimestamp(now, UTC).date()
    earliest = max(today - timedelta(days=DAYS), date.fromisoformat(started) if started else today)
    days = (today - earliest).days
    of_days: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in settled:
        of_days[row.day] = EXACT.add(of_days[row.day], Decimal(row.usd or 0))
    so_far = total(usd for day, usd in of_days.items() if day >= first.isoformat())
    whole = total(usd for day, usd in of_days.items() if earliest.isoformat() <= day < today.isoformat())
    mean = whole / days if days else of_days[today.isoformat()]
    end = datetime(first.year, first.month, 1, tzinfo=UTC) + timedelta(days=calendar.monthrange(first.year, first.month)[1])
    days_left = (Decimal(str(end.timestamp())) - Decimal(str(now))) / _DAY_S
    basis = f"the mean of the last {days} whole days" if days > 1 else "as much as yesterday" if days else "as much as today so far"
    return {
        "month_usd": money_text(_cents(so_far + mean * days_left)),
        "so_far_usd": money_text(so_far),
        "mean_day_usd": money_text(_cents(mean)),
        "days_left": float(round(days_left, 2)),
        "how": f"spent so far, and for each of the {days_left:.1f} days left {basis}",
    }


def _always(settled: Iterable[Row[Any]], frontier: Model | None) -> dict[str, Any] | None:
    if frontier is None or frontier.price is None:
        return None
    asked = []
    for row in settled:
        usage = Usage(row.input_tokens, row.output_tokens, row.cached_input_tokens, row.cache_write_tokens, row.reasoning_tokens)
        counted = usage.input_tokens or usage.output_tokens
        asked.append(frontier.price.of(_sane(usage)) if counted else Decimal(row.usd or 0))
    cost = total(asked)
    return {"model": frontier.id, "cost_usd": money_text(cost), "how": "the same tokens at its price"}


def _sane(usage: Usage) -> Usage:
    """Cached tokens are among the input tokens, whatever was counted."""
    read = min(usage.cached_input_tokens, usage.input_tokens)
    return replace(usage, cached_input_tokens=read, cache_write_tokens=min(usage.cache_write_tokens, usage.input_tokens - read))


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
