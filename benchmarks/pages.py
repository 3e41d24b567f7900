"""The pages and the API beside a watched fleet of 1,000: first paint and what an update costs in Chromium, 500 clients of the event stream,
200 requests a second; and that polls are no later meanwhile. The simulator and Gizzi's daemon are other processes.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from _live import allow_many_sockets, cpu_s, finish, get, memory_mb, say, simulated, watching

QUICK = "--quick" in sys.argv
VALIDATORS, EVERY_S = (100 if QUICK else 1000), 15
CLIENTS, RATE = 500, 200
SPAN_S = 10 if QUICK else 20
PATHS = ("/api/incidents", "/health", "/api/validator/7", "/api/approvals", "/api/costs", "/api/actions?limit=20")
PAINT_MS, UPDATE_MS, P99_MS, LATE_S, CLIENTS_MB, CLIENTS_CPU = 1500.0, 500.0, 100.0, 1.0, 60.0, 0.2
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
UPDATE = "(async () => { const from = performance.now(); await read(); return performance.now() - from; })()"


async def paints(url: str) -> dict[str, Any]:
    """Medians of five loads in fresh profiles, and of ten updates."""
    chromium = shutil.which("chromium")
    if chromium is None:
        say("chromium is not installed: no paint is measured")
        return {"first_paint_ms": None, "update_ms": None}
    from playwright.async_api import async_playwright

    first, updates = [], []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for _ in range(5):
            page = await browser.new_page()
            await page.goto(url)
            while (painted := await page.evaluate(FIRST_PAINT)) is None:  # noqa: ASYNC110 - wait_for_function needs eval, which is forbidden
                await asyncio.sleep(0.01)
            first.append(painted)
            updates += [await page.evaluate(UPDATE) for _ in range(2)]
            await page.close()
        await browser.close()
    return {"first_paint_ms": round(statistics.median(first)), "update_ms": round(statistics.median(updates))}


async def latest_s(url: str, work: Awaitable[Any] | None = None) -> tuple[float, Any]:
    """The latest poll while that goes on."""
    task = asyncio.ensure_future(work if work is not None else asyncio.sleep(SPAN_S))
    late_s = 0.0
    while not task.done():
        late_s = max(late_s, (await asyncio.to_thread(get, f"{url}/health"))["late_s"])
        await asyncio.wait({task}, timeout=1)
    return late_s, task.result()


async def followers(url: str, pid: int) -> dict[str, Any]:
    before_mb, heard = memory_mb(pid), 0

    async def follow(http: aiohttp.ClientSession) -> None:
        nonlocal heard
        async with http.get(f"{url}/api/events") as stream:
            heard += stream.status == 200
            async for _ in stream.content:
                pass

    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as http:
        idle_s, began = cpu_s(pid), time.monotonic()
        await asyncio.sleep(SPAN_S)
        idle = (cpu_s(pid) - idle_s) / (time.monotonic() - began)
        tasks = [asyncio.create_task(follow(http)) for _ in range(CLIENTS)]
        while heard < CLIENTS:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        busy_s, began = cpu_s(pid), time.monotonic()
        await asyncio.sleep(SPAN_S)
        busy = (cpu_s(pid) - busy_s) / (time.monotonic() - began)
        with_mb = memory_mb(pid)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "clients": heard,
        "memory_mb": round(with_mb - before_mb, 1),
        "cpu_share": round(busy - idle, 3),
        "cpu_share_idle": round(idle, 3),
    }


async def requests(url: str) -> dict[str, Any]:
    """At a fixed rate, whatever the answers take; times from when each was due."""
    times: list[float] = []
    failures = 0

    async def one(http: aiohttp.ClientSession, path: str, due: float) -> None:
        nonlocal failures
        async with http.get(url + path) as answer:
            await answer.read()
            failures += answer.status != 200
        times.append(1000 * (time.perf_counter() - due))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as http, asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for number in range(RATE * SPAN_S):
            due = began + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(http, PATHS[number % len(PATHS)], due))
    cuts = statistics.quantiles(times, n=100)
    return {"requests": len(times), "failures": failures, "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}


async def measure(url: str, pid: int) -> dict[str, Any]:
    steps: dict[str, Callable[[], Awaitable[Any]]] = {
        "pages": lambda: paints(url),
        "events": lambda: followers(url, pid),
        "api": lambda: requests(url),
    }
    say("alone")
    alone_s, _ = await latest_s(url)
    found: dict[str, Any] = {"latest_poll_alone_s": round(alone_s, 2)}
    for name, step in steps.items():
        say(name)
        late_s, result = await latest_s(url, step())
        found[name] = {**result, "latest_poll_s": round(late_s, 2)}
    return found


def main() -> None:
    allow_many_sockets()
    with tempfile.TemporaryDirectory() as name, simulated(Path(name), VALIDATORS) as (_, config):
        config.write_text(config.read_text() + f'\n[collect]\nevery = "{EVERY_S}s"\n')
        with watching(config) as (gizzi, url):
            say("40 s to settle")
            time.sleep(40)
            found = asyncio.run(measure(url, gizzi.pid))
    floors = {
        "first_paint_ms": PAINT_MS,
        "update_ms": UPDATE_MS,
        "p99_ms": P99_MS,
        "latest_poll_s": LATE_S,
        "clients_mb": CLIENTS_MB,
        "clients_cpu_share": CLIENTS_CPU,
    }
    latest = max(found[name]["latest_poll_s"] for name in ("pages", "events", "api"))
    ok = (found["pages"]["first_paint_ms"] or 0) < PAINT_MS and (found["pages"]["update_ms"] or 0) < UPDATE_MS
    ok = ok and found["api"]["p99_ms"] < P99_MS and not found["api"]["failures"] and latest < LATE_S
    ok = ok and found["events"]["memory_mb"] < CLIENTS_MB and found["events"]["cpu_share"] < CLIENTS_CPU
    finish({"benchmark": "pages", "validators": VALIDATORS, "every_s": EVERY_S, **found, "floors": floors, "ok": ok})


if __name__ == "__main__":
    main()
