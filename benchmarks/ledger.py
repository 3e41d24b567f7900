"""100,000 calls reserved and settled on a SQLite file, one after the other: one JSON object, exit 1 unless the sum is exact.

Costs are whole numbers of 10^-12 US$, drawn with a seed and summed beside the ledger as integers. `first_ms` and `last_ms` are the medians
of a reservation with its settlement in the first and the last thousand calls, `beside_open_ms` while 1,000 others are open; `report_s` is
what `gizzi costs` takes to read them all; `rss_mb` is how much the process grew after the first thousand. An argument sets another number
of calls.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from gizzi.clock import LiveClock
from gizzi.config import Budget
from gizzi.models.ledger import Ledger, Reservation
from gizzi.models.report import costs_by
from gizzi.models.task import Tier, Usage
from gizzi.store import Store, open_store

CALLS = 100_000
EDGE = 1000
OPEN = 1000
BUDGET = Budget(day_usd=Decimal(1_000_000), month_usd=Decimal(1_000_000))
TIERS: tuple[Tier, ...] = ("local", "standard", "frontier")
PICO = Decimal(1).scaleb(-12)


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def beside_open(ledger: Ledger) -> float:
    """The median of a reservation with its settlement while others are open, in ms. Costs nothing in the end."""

    async def reserve() -> Reservation:
        return await ledger.reserve(model="acme/m", tier="standard", role=None, kind=None, estimate_usd=Decimal("0.01"), critical=False)

    others = [await reserve() for _ in range(OPEN)]
    taken_ms = []
    for _ in range(OPEN // 2):
        begun = time.perf_counter()
        await ledger.settle(await reserve(), Usage(1000, 200), Decimal(0), "answered")
        taken_ms.append((time.perf_counter() - begun) * 1000)
    for other in others:
        await ledger.release(other, "the end")
    return median(taken_ms)


async def measure(store: Store, calls: int) -> dict[str, Any]:
    ledger, dice = Ledger(store, BUDGET, LiveClock()), random.Random(1)
    units, taken_ms, grown_from = 0, [], 0.0
    started = time.perf_counter()
    for number in range(calls):
        cost = dice.randrange(10**10)
        units += cost
        tier = TIERS[number % 3]
        begun = time.perf_counter()
        made = await ledger.reserve(
            model=f"acme/{tier}", tier=tier, role=f"role-{number % 7}", kind="health", estimate_usd=Decimal("0.01"), critical=False
        )
        await ledger.settle(made, Usage(1000, 200), cost * PICO, "answered")
        taken_ms.append((time.perf_counter() - begun) * 1000)
        if number == EDGE:
            grown_from = rss_mb()
    took_s, grown = time.perf_counter() - started, rss_mb() - grown_from
    beside_open_ms = await beside_open(ledger)
    begun = time.perf_counter()
    report = await costs_by(store, "role", now=LiveClock().now(), budget=BUDGET)
    left = await ledger.left()
    exact = units * PICO
    sums = (Decimal(report["total"]["cost_usd"]), BUDGET.month_usd - left.month_usd)
    return {
        "calls": calls,
        "calls_per_s": round(calls / took_s),
        "median_ms": round(median(taken_ms), 3),
        "p99_ms": round(sorted(taken_ms)[calls * 99 // 100], 3),
        "first_ms": round(median(taken_ms[:EDGE]), 3),
        "last_ms": round(median(taken_ms[-EDGE:]), 3),
        "beside_open_ms": round(beside_open_ms, 3),
        "report_s": round(time.perf_counter() - begun, 2),
        "rss_mb": round(grown, 1),
        "sum_usd": str(exact),
        "ok": all(found == exact for found in sums),
    }


def main() -> int:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/gizzi.db")
        result = asyncio.run(measure(store, calls))
        store.close()
    print(json.dumps({"benchmark": "ledger", **result}))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
