"""What a question through the router costs beyond a raw HTTP call to the same loopback server: route, redact, reserve, call, settle.

The calls take turns, so that a busy machine slows all of them alike. Run: python benchmarks/model_overhead.py
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gizzi.models.guarded_http import client
from gizzi.models.router import Router
from tools.models import settings_for
from tools.providers import chat, provider

CALLS, WARM_UP = 400, 30
TEXT = "What is the capital of France?"
BODY = {"model": "m", "messages": [{"role": "user", "content": TEXT}]}


async def turns(ways: dict[str, Callable[[], Awaitable[object]]]) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of wall clock and of CPU of each call, sorted."""
    measured: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ways}
    for turn in range(WARM_UP + CALLS):
        for name, call in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            await call()
            if turn >= WARM_UP:
                measured[name][0].append(time.perf_counter() - wall)
                measured[name][1].append(time.process_time() - cpu)
    return {name: (sorted(walls), sorted(cpus)) for name, (walls, cpus) in measured.items()}


async def main() -> None:
    from openai import AsyncOpenAI
    from pydantic_ai.direct import model_request
    from pydantic_ai.messages import ModelRequest, UserPromptPart
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    with tempfile.TemporaryDirectory() as folder:
        async with provider(chat("Paris.")) as fake:
            settings = settings_for(fake.url, Path(folder), budget={"day_usd": 1000, "month_usd": 10000}, cache={"ttl": "0s"})
            http = client()
            sdk = AsyncOpenAI(base_url=fake.url, api_key="none", http_client=http, max_retries=0)
            direct = OpenAIChatModel("m", provider=OpenAICompatibleProvider("mine", openai_client=sdk))
            async with Router(settings) as router:
                ways: dict[str, Callable[[], Awaitable[object]]] = {
                    "raw HTTP (httpx2)": lambda: http.post(f"{fake.url}/chat/completions", json=BODY),
                    "openai SDK": lambda: sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": TEXT}]),
                    "pydantic-ai direct": lambda: model_request(direct, [ModelRequest(parts=[UserPromptPart(TEXT)])]),
                    "Router.ask": lambda: router.ask(TEXT),
                }
                found = await turns(ways)
            await http.aclose()
    raw = found["raw HTTP (httpx2)"][0][CALLS // 2]
    print(f"{'':22}{'p50':>9}{'p99':>9}{'CPU p50':>10}{'added p50':>11}")
    for name, (walls, cpus) in found.items():
        p50, p99, cpu = walls[CALLS // 2] * 1e3, walls[CALLS * 99 // 100] * 1e3, cpus[CALLS // 2] * 1e3
        print(f"{name:22}{p50:6.2f} ms{p99:6.2f} ms{cpu:7.2f} ms{p50 - raw * 1e3:8.2f} ms")


if __name__ == "__main__":
    asyncio.run(main())
