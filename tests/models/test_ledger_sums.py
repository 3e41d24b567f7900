"""The sums a ledger keeps are those of its entries, whatever happens in whatever order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gizzi.clock import LiveClock
from gizzi.config import Budget
from gizzi.models.budget import BudgetLeft
from gizzi.models.ledger import Ledger, Reservation, day_of
from gizzi.models.ledger_rows import LOST_AFTER_S
from gizzi.models.task import Usage
from gizzi.store import open_store

NEW_YEARS_EVE = 1798675200.0
"""2026-12-31, at midnight, UTC."""
LIMIT = Decimal(10**9)
BUDGET = Budget.model_validate(
    {"day_usd": LIMIT, "month_usd": LIMIT, "critical_share": 0, "tiers": {"local": LIMIT, "standard": LIMIT}, "roles": {"dev": LIMIT}}
)
AMOUNT = st.none() | st.decimals(min_value=0, max_value=100, places=9)
STEP = st.one_of(
    st.tuples(st.just("reserve"), AMOUNT, st.sampled_from(["local", "standard"]), st.sampled_from(["dev", None])),
    st.tuples(st.sampled_from(["settle", "release"]), AMOUNT, st.integers(0, 5)),
    st.tuples(st.just("wait"), st.sampled_from([10.0, LOST_AFTER_S + 1, 50_000.0])),
    st.tuples(st.just("restart")),
)


@dataclass
class Clock(LiveClock):
    at: float = NEW_YEARS_EVE

    def now(self) -> float:
        return self.at


@dataclass
class Expected:
    """What each reservation counts, by its own rules: at its estimate, then at what it is settled for the first time in earnest."""

    made: list[Reservation] = field(default_factory=list)
    counts: dict[str, Decimal] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def reserve(self, made: Reservation) -> None:
        self.made.append(made)
        self.counts[made.id] = made.estimate_usd or Decimal(0)

    def settle(self, made: Reservation, usd: Decimal | None) -> None:
        if made.id not in self.settled:
            self.settled.add(made.id)
            self.counts[made.id] = usd if usd is not None else made.estimate_usd or Decimal(0)

    def left(self, day: str) -> dict[str, Decimal]:
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for made in self.made:
            if made.day[:7] == day[:7]:
                sums["month"] += self.counts[made.id]
            if made.day == day:
                for name in ("day", made.tier, made.role or ""):
                    sums[name] += self.counts[made.id]
        return {name: LIMIT - sums[name] for name in ("day", "month", "local", "standard", "dev")}


def shown(left: BudgetLeft) -> dict[str, Decimal]:
    return {"day": left.day_usd, "month": left.month_usd, **left.tiers, **left.roles}


async def carry_out(steps: list[tuple[Any, ...]]) -> None:
    store, clock, expected = open_store("sqlite://"), Clock(), Expected()
    ledger = Ledger(store, BUDGET, clock)
    for what, *how in steps:
        if what == "reserve":
            usd, tier, role = how
            made = await ledger.reserve(model="acme/one", tier=tier, role=role, kind=None, estimate_usd=usd, critical=False)
            expected.reserve(made)
        elif what == "wait":
            clock.at += how[0]
        elif what == "restart":
            ledger = Ledger(store, BUDGET, clock)
            await ledger.tidy()
        elif how[1] < len(expected.made):
            made = expected.made[how[1]]
            if what == "settle":
                await ledger.settle(made, Usage(10, 5), how[0], "answered")
            else:
                await ledger.release(made, "not sent")
            expected.settle(made, how[0] if what == "settle" else Decimal(0))
        assert shown(await ledger.left()) == expected.left(day_of(clock.at))
    store.close()


@settings(max_examples=150)
@given(st.lists(STEP, max_size=25))
def test_sums_are_those_of_the_entries(steps: list[tuple[Any, ...]]) -> None:
    asyncio.run(carry_out(steps))
