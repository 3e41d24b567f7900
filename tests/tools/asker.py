"""A process that asks through the router, for tests that kill it: python -m tools.asker URL FOLDER COUNT NAME

Asks COUNT questions at once ("Question 1 of NAME", ...) and says what each cost as it is answered, one line each: its number and US$.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gizzi.config import Settings
from gizzi.models.router import Router
from tools.models import settings_for


def settings_of(url: str, folder: Path) -> Settings:
    return settings_for(url, folder, cache={"ttl": "0s"}, budget={"day_usd": 100, "month_usd": 1000})


async def main(url: str, folder: str, count: int, name: str) -> None:
    async def ask(number: int) -> None:
        answer = await router.ask(f"Question {number} of {name}")
        print(number, answer.cost_usd, flush=True)

    async with Router(settings_of(url, Path(folder))) as router:
        await asyncio.gather(*(ask(number) for number in range(1, count + 1)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
