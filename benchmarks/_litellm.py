"""Calls through LiteLLM's routers, on the interpreter of a virtual environment that has LiteLLM: `python _litellm.py URL`.

Prints its version; then for each line "WAY COUNT" on standard input one line of JSON: the seconds of wall clock and of CPU of each call.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any

TEXT = "What is the capital of France?"
TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")


async def main(url: str) -> None:
    httpx, litellm = import_module("httpx"), import_module("litellm")
    logging.disable(logging.CRITICAL)
    litellm.telemetry = False
    backend = {"model_name": "m", "litellm_params": {"model": "openai/m", "api_base": url, "api_key": "none"}}
    by_complexity = {"model": "auto_router/complexity_router", "complexity_router_config": {"tiers": dict.fromkeys(TIERS, "m")}}
    messages = [{"role": "user", "content": TEXT}]
    plain = litellm.Router(model_list=[backend])
    complexity = litellm.Router(model_list=[backend, {"model_name": "auto", "litellm_params": by_complexity}])
    http: Any = httpx.AsyncClient(trust_env=False)
    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "raw HTTP (httpx)": lambda: http.post(f"{url}/chat/completions", json={"model": "m", "messages": messages}),
        "litellm.Router": lambda: plain.acompletion(model="m", messages=messages),
        "litellm.Router, complexity": lambda: complexity.acompletion(model="auto", messages=messages),
    }
    print(json.dumps({"version": version("litellm"), "ways": list(ways)}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, _, count = line.strip().rpartition(" ")
        print(json.dumps([await _timed(ways[name]) for _ in range(int(count))]), flush=True)


async def _timed(call: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    await call()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
