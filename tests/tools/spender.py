"""A process that reserves and settles, for tests of several at once: python -m tools.spender URL WHAT ...

many CALLS USD SETTLE   so many calls at once, each reserved at USD and settled at SETTLE; prints how many were made
hold USD                reserve, say so, and wait to be killed
"""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal

from gizzi.clock import LiveClock
from gizzi.config import Budget
from gizzi.errors import BudgetMet
from gizzi.models.ledger import Ledger, Reservation
from gizzi.models.task import Usage
from gizzi.store import open_store

BUDGET = Budget(day_usd=Decimal("1"), month_usd=Decimal("45"), critical_share=Decimal(0))


async def reserve(ledger: Ledger, usd: Decimal) -> Reservation | None:
    try:
        return await ledger.reserve(model="acme/one", tier="standard", role="dev", kind="health", estimate_usd=usd, critical=False)
    except BudgetMet:
        return None


async def one(ledger: Ledger, usd: Decimal, cost: Decimal) -> bool:
    made = await reserve(ledger, usd)
    if made is None:
        return False
    await asyncio.sleep(0.01)
    await ledger.settle(made, Usage(10, 5), cost, "answered")
    return True


async def main(url: str, what: str, *amounts: str) -> None:
    store = open_store(url)
    ledger = Ledger(store, BUDGET, LiveClock())
    if what == "many":
        calls = [one(ledger, Decimal(amounts[1]), Decimal(amounts[2])) for _ in range(int(amounts[0]))]
        print(sum(await asyncio.gather(*calls)), flush=True)
    else:
        made = await reserve(ledger, Decimal(amounts[0]))
        print(made.id if made else "refused", flush=True)
        await asyncio.sleep(60)
    store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
