"""What a question through the router costs beyond a raw HTTP call to the same server: one JSON object, exit 1 where the floor is missed.

The server is a fake one on loopback, in a process of its own. Every way takes its turn in each round, so that a busy machine slows all of
them alike. Gizzi routes by rules, redacts, reserves the budget and settles the ledger in a SQLite file; its answer cache is off. LiteLLM
runs in a virtual environment that this makes once in the user's cache folder (288 MB; null where that fails), without budgets or a
store. `added_p50_ms` is over the raw call with the same kind of client: httpx2 here, httpx there. `--quick`: fewer rounds, no LiteLLM.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from _openai import server

from gizzi.models.guarded_http import client
from gizzi.models.router import Router
from tools.models import settings_for

FLOOR_ADDED_MS = 4.0
LITELLM = "litellm==1.98.0"
ROUNDS, CALLS, QUICK_ROUNDS = 40, 20, 8
"""The first round only warms up."""
TEXT = "What is the capital of France?"
BODY = {"model": "m", "messages": [{"role": "user", "content": TEXT}]}
RAW, LITELLM_RAW = "raw HTTP (httpx2)", "raw HTTP (httpx)"

Sample = tuple[float, float]
"""Seconds of wall clock, of CPU."""
Way = Callable[[int], Awaitable[list[Sample]]]


def here(call: Callable[[], Awaitable[object]]) -> Way:
    async def samples(count: int) -> list[Sample]:
        taken = []
        for _ in range(count):
            wall, cpu = time.perf_counter(), time.process_time()
            await call()
            taken.append((time.perf_counter() - wall, time.process_time() - cpu))
        return taken

    return samples


@asynccontextmanager
async def our_ways(url: str, folder: Path) -> Any:
    from openai import AsyncOpenAI
    from pydantic_ai.direct import model_request
    from pydantic_ai.messages import ModelRequest, UserPromptPart
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    settings = settings_for(url, folder, budget={"day_usd": 1000, "month_usd": 10000}, cache={"ttl": "0s"})
    http = client()
    sdk = AsyncOpenAI(base_url=url, api_key="none", http_client=http, max_retries=0)
    direct = OpenAIChatModel("m", provider=OpenAICompatibleProvider("mine", openai_client=sdk))
    async with Router(settings) as router:
        yield {
            RAW: here(lambda: http.post(f"{url}/chat/completions", json=BODY)),
            "openai SDK": here(lambda: sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": TEXT}])),
            "pydantic-ai direct": here(lambda: model_request(direct, [ModelRequest(parts=[UserPromptPart(TEXT)])])),
            "Router.ask": here(lambda: router.ask(TEXT)),
        }
    await http.aclose()


def litellm_python() -> Path | None:
    """The interpreter that has LiteLLM; None where it cannot be installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "gizzi-bench" / LITELLM.replace("==", "-")
    python, done = place / "bin" / "python", place / "installed"
    if not done.exists():
        print(f"installing {LITELLM} into {place}", file=sys.stderr)
        venv.create(place, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--only-binary", ":all:", LITELLM]
        if subprocess.run(pip, stdout=sys.stderr, check=False).returncode:
            return None
        done.touch()
    return python


@contextmanager
def litellm_ways(url: str) -> Iterator[tuple[str | None, dict[str, Way]]]:
    """Its version and its ways; None and nothing where it cannot be had."""
    python = litellm_python()
    if python is None:
        yield None, {}
        return
    offline = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [python, Path(__file__).with_name("_litellm.py"), url]
    process = subprocess.Popen(command, env=offline, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        said = json.loads(process.stdout.readline() or "null")
        yield (said["version"], {name: _there(process, name) for name in said["ways"]}) if said else (None, {})
    finally:
        process.kill()
        process.wait()


def _there(process: Any, name: str) -> Way:
    async def samples(count: int) -> list[Sample]:
        process.stdin.write(f"{name} {count}\n")
        process.stdin.flush()
        found: list[Sample] = json.loads(await asyncio.to_thread(process.stdout.readline))
        return found

    return samples


async def measure(quick: bool) -> dict[str, Any]:
    taken: dict[str, list[Sample]] = {}
    load_before = os.getloadavg()[0]
    async with AsyncExitStack() as stack:
        url = stack.enter_context(server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        version, theirs = (None, {}) if quick else stack.enter_context(litellm_ways(url))
        ways: dict[str, Way] = {**await stack.enter_async_context(our_ways(url, folder)), **theirs}
        for turn in range(1 + (QUICK_ROUNDS if quick else ROUNDS)):
            for name, way in ways.items():
                samples = await way(CALLS)
                taken.setdefault(name, []).extend(samples if turn else [])
    return {"litellm": version, "load": [round(load_before, 2), round(os.getloadavg()[0], 2)], "ways": summary(taken)}


def summary(taken: dict[str, list[Sample]]) -> dict[str, dict[str, float]]:
    def at(name: str, share: float, which: int = 0) -> float:
        ordered = sorted(sample[which] * 1e3 for sample in taken[name])
        return ordered[int(len(ordered) * share)]

    found: dict[str, dict[str, float]] = {}
    for name in taken:
        raw = LITELLM_RAW if "litellm" in name or name == LITELLM_RAW else RAW
        figures = {"p50_ms": at(name, 0.5), "p99_ms": at(name, 0.99), "cpu_p50_ms": at(name, 0.5, 1)}
        found[name] = {key: round(value, 2) for key, value in {**figures, "added_p50_ms": at(name, 0.5) - at(raw, 0.5)}.items()}
    return found


def main() -> int:
    quick = "--quick" in sys.argv[1:]
    found = asyncio.run(measure(quick))
    found["ok"] = found["ways"]["Router.ask"]["added_p50_ms"] <= FLOOR_ADDED_MS
    calls = CALLS * (QUICK_ROUNDS if quick else ROUNDS)
    print(json.dumps({"benchmark": "overhead", "calls": calls, "floor_added_p50_ms": FLOOR_ADDED_MS, **found}))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
