"""100,000 calls through the router, sixteen at once: memory stays flat, the ledger exact. One JSON object, exit 1 where a floor is missed.

Every question is another one; each goes through `Router.ask` (rules, redaction, a SQLite ledger; the answer cache is off) and over HTTP to
a fake OpenAI server on loopback, in a process of its own. The floor on money: what the ledger sums to is what that server says it has
counted, at prices with seven digits, to the last decimal. The floor on memory: the slope of the resident set, fitted over the calls
after the first fifth, is within twice its noise (the standard error of the slopes of eight parts), or below 8 bytes a call. `--quick` makes
5,000 calls, too few to judge memory by.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from statistics import linear_regression, mean, stdev
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from _openai import server

from gizzi.config import Settings
from gizzi.models.report import costs_by
from gizzi.models.router import Router
from gizzi.store import open_store
from tools.models import settings_for

CALLS, QUICK_CALLS, AT_ONCE = 100_000, 5_000, 16
EVERY = 250
"""Calls between two looks at the resident set."""
PARTS = 8
BELOW_BYTES = 8.0
INPUT_USD, OUTPUT_USD = Decimal("0.1234567"), Decimal("1.0000003")
"""A million tokens."""
MONTH_USD = Decimal(1_000_000)

Sample = tuple[int, int]
"""Calls made; bytes."""


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def ask_all(settings: Settings, calls: int) -> tuple[list[Sample], Decimal, Decimal]:
    """The samples of memory, what the answers say they cost, and what the budget says is left of the month."""
    samples: list[Sample] = []
    answered, numbers = Decimal(0), iter(range(1, calls + 1))

    async def worker(router: Router) -> None:
        nonlocal answered
        for number in numbers:
            answer = await router.ask(f"What is the capital of country {number}, and of which continent is it part?")
            answered += answer.cost_usd or 0
            if number % EVERY == 0:
                samples.append((number, rss_bytes()))
            if number % 10_000 == 0:
                print(f"{number} calls, {rss_bytes() / 1e6:.1f} MB", file=sys.stderr)

    async with Router(settings) as router:
        await asyncio.gather(*(worker(router) for _ in range(AT_ONCE)))
        return samples, answered, (await router.left()).month_usd


def slope_of(samples: Sequence[Sample]) -> tuple[float, float]:
    """Bytes a call, and its noise: the standard error of the slopes of the parts."""
    size = len(samples) // PARTS
    parts = [_fit(samples[at * size : (at + 1) * size]) for at in range(PARTS)]
    return _fit(samples), stdev(parts) / PARTS**0.5


def _fit(samples: Sequence[Sample]) -> float:
    return linear_regression([number for number, _ in samples], [size for _, size in samples]).slope


def measure(calls: int, folder: Path) -> dict[str, Any]:
    price = {"input": str(INPUT_USD), "output": str(OUTPUT_USD)}
    row = {"mine/m": {"tier": "standard", "price": price}}
    load_before, began = os.getloadavg()[0], time.perf_counter()
    with server() as url:
        settings = settings_for(
            url, folder, models=row, cache={"ttl": "0s"}, budget={"day_usd": int(MONTH_USD), "month_usd": int(MONTH_USD)}
        )
        samples, answered, left = asyncio.run(ask_all(settings, calls))
        with urllib.request.urlopen(url) as said:
            counted = json.load(said)
    took_s = time.perf_counter() - began
    exact = (counted["prompt_tokens"] * INPUT_USD + counted["completion_tokens"] * OUTPUT_USD) / 1_000_000
    store = open_store(settings.store.url)
    report = asyncio.run(costs_by(store, "model", now=time.time(), budget=settings.budget))
    store.close()
    sums = {"answers": answered, "budget": MONTH_USD - left, "report": Decimal(report["total"]["cost_usd"])}
    later = sorted(samples)[len(samples) // 5 :]
    slope, noise = slope_of(later)
    return {
        "calls": counted["calls"],
        "minutes": round(took_s / 60, 1),
        "calls_per_s": round(calls / took_s),
        "load": [round(load_before, 2), round(os.getloadavg()[0], 2)],
        "rss_mb": {"start": _mb(samples[:4]), "after_a_fifth": _mb(later[:4]), "end": _mb(later[-4:])},
        "slope_bytes_a_call": round(slope, 2),
        "noise_bytes_a_call": round(noise, 2),
        "sum_usd": str(exact),
        "exact": counted["calls"] == calls and all(found == exact for found in sums.values()),
        "flat": slope <= max(2 * noise, BELOW_BYTES),
    }


def _mb(samples: Sequence[Sample]) -> float:
    return round(mean(size for _, size in samples) / 1e6, 1)


def main() -> int:
    quick = "--quick" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        found = measure(QUICK_CALLS if quick else CALLS, Path(folder))
    ok = found["exact"] and (quick or found["flat"])
    print(json.dumps({"benchmark": "hundred_thousand", **found, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
