"""`gizzi top` over 1,000 validators: what one refresh costs, from the look to the lines on the screen, and a key. No daemon, no network."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from gizzi.clock import LiveClock, iso
from gizzi.config import parse
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.desk import Desk
from gizzi.store import open_store
from gizzi.tui import top as top_module
from gizzi.tui.top import Top

VALIDATORS, ROUNDS = 1000, 60
REFRESH_CPU_MS, KEY_CPU_MS = 100.0, 50.0


class Changing:
    """A fleet in which every figure of every validator changes at every look."""

    words = "a fleet that is made up"

    def __init__(self) -> None:
        self.clock = LiveClock()
        store = open_store("sqlite://")
        self.desk, self.actions = Desk(store, self.clock), ActionDesk(store, self.clock)
        self.turn = 0

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        self.turn += 1
        return [self._status(number) for number in range(1, VALIDATORS + 1)]

    def _status(self, number: int) -> dict[str, Any]:
        health = ("critical", "warning", "unknown")[number % 3] if (number + self.turn) % 50 == 0 else "healthy"
        height = 1_900_000 + self.turn + number % 3
        names = {"number": number, "name": f"validator-{number:04}", "chain": f"chain-{number % 3}", "version": "1.20.2", "health": health}
        figures = {
            "block_height": height,
            "finalized_height": height - 2,
            "finalization_lag": (number + self.turn) % 5,
            "peers": 20 + number % 30,
        }
        return {
            **names,
            **figures,
            "reasons": ["1 peer; fewer than 3"] if health != "healthy" else [],
            "observed_at": iso(self.clock.now()),
        }

    async def validator(self, number: int) -> Mapping[str, Any]:
        return {}

    async def panels(self) -> Sequence[Mapping[str, Any]]:
        return []


async def measure(size: tuple[int, int]) -> dict[str, float]:
    top_module.EVERY_S = 3600.0
    feed = Changing()
    top = Top(parse({"validators": [{"number": 1}]}, "the benchmark"), feed, by="bench", may_answer=False)
    async with top.run_test(size=size) as pilot:
        await pilot.pause(0.5)
        refreshes: list[float] = []
        cpu: list[float] = []
        keys: list[float] = []
        for _ in range(ROUNDS):
            began, used = time.perf_counter(), time.process_time()
            top._draw(await top._looker.look())
            await pilot._wait_for_screen()
            top.screen._compositor.render_strips(top.size)
            refreshes.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - used) * 1000)
        for _ in range(ROUNDS):
            used = time.process_time()
            top.screen.query_one("#fleet").action_move(7)
            await pilot._wait_for_screen()
            keys.append((time.process_time() - used) * 1000)
    last = sorted(refreshes)[int(ROUNDS * 0.95)]
    return {
        "refresh_ms": round(statistics.median(refreshes), 1),
        "refresh_p95_ms": round(last, 1),
        "refresh_cpu_ms": round(statistics.median(cpu), 1),
        "key_cpu_ms": round(statistics.median(keys), 1),
    }


def main() -> None:
    sizes = {f"{width}x{height}": asyncio.run(measure((width, height))) for width, height in ((80, 24), (200, 50))}
    ok = all(one["refresh_cpu_ms"] <= REFRESH_CPU_MS and one["key_cpu_ms"] <= KEY_CPU_MS for one in sizes.values())
    found = {"benchmark": "top", "validators": VALIDATORS, **sizes, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    print(
        json.dumps(
            {
                **found,
                "floors": {"refresh_cpu_ms": REFRESH_CPU_MS, "key_cpu_ms": KEY_CPU_MS},
                "ok": ok,
                "load_average": round(os.getloadavg()[0], 1),
            }
        )
    )
    raise SystemExit(0 if ok else 1)


if __name__ == "__main__":
    main()
