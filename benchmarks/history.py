"""What keeping the past of 1,000 validators costs: the loop, the store, its size, and forecasts of them all. One JSON object.

Exit 1 where a sample of them all takes longer than 50 ms, where the loop is held up by 20 ms more while a save runs than while nothing
does, or where a validator's month takes more than 100 KB in SQLite.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gizzi.engine.past.block import MINUTES
from gizzi.store import open_store
from tools.remembered import Kept
from tools.simulated import START_AT

VALIDATORS = 1000
HOURS = 3
SAMPLE_MS, LATE_MS, MONTH_KB = 50.0, 20.0, 100.0
BLOCKS_A_MONTH = (26, 31)
"""Hours by the minute, and days by the quarter of an hour, which hold 96 samples."""
_CHANCE = random.Random(1)
DICE = [_CHANCE.random() for _ in range(1009)]


def shows(number: int, at: float) -> dict[str, Any]:
    chance = DICE[int(at // 60 + number * 7) % 1009]
    height = 20_000_000 + int(at // 6)
    votes = {"prevotes_total": height, "precommits_total": height, "approvals_produced_total": 3 * height}
    free = 4e11 - 15_000 * at + int(chance * 1e6) * 4096
    return {"block_height": height, "finalization_lag": 2, "peers": 30 + int(chance * 4), "disk_free_bytes": free} | {
        "memory_available_bytes": 2e10 + chance * 1e9,
        **votes,
    }


async def lateness(until: asyncio.Event) -> list[float]:
    """For how long the loop was held up, in seconds, again and again."""
    late = []
    while not until.is_set():
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        late.append(time.perf_counter() - began - 0.005)
    return late


def p99_ms(late: list[float]) -> float:
    return round(1000 * sorted(late)[len(late) * 99 // 100], 1)


async def idle() -> list[float]:
    """The same while nothing happens: what the machine itself does."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(3.0, done.set)
    return await lateness(done)


async def measure(folder: str) -> dict[str, Any]:
    store = open_store(f"sqlite:///{folder}/gizzi.db")
    kept = Kept(store, shows, range(1, VALIDATORS + 1))
    kept.watch.live = True
    samples, saves, late, quiet = [], [], [], await idle()
    for minute in range(60 * HOURS):
        kept.clock.at = START_AT + minute * 60 + 30
        began = time.perf_counter()
        await kept.past.sample()
        samples.append(time.perf_counter() - began)
        if minute % 30 == 29:
            done = asyncio.Event()
            watching = asyncio.create_task(lateness(done))
            began = time.perf_counter()
            await kept.past.save()
            saves.append(time.perf_counter() - began)
            done.set()
            late += await watching
    sizes = dict(store.run_now(lambda c: c.exec_driver_sql("select step_s, avg(length(packed)) from history_blocks group by step_s").all()))  # type: ignore[arg-type]
    began, used = time.perf_counter(), time.process_time()
    done = asyncio.Event()
    watching = asyncio.create_task(lateness(done))
    await kept.foresight.look()
    done.set()
    foresee_s, foresee_late = time.perf_counter() - began, await watching
    hour_bytes, day_bytes = sizes[MINUTES.step_s], sizes[900] * 24 / HOURS
    store.close()
    month_kb = (hour_bytes * BLOCKS_A_MONTH[0] + day_bytes * BLOCKS_A_MONTH[1]) / 1000
    figures = {
        "sample_ms": round(1000 * sorted(samples)[len(samples) // 2], 1),
        "worst_sample_ms": round(1000 * max(samples), 1),
        "save_s": round(sorted(saves)[len(saves) // 2], 2),
        "idle_loop_late_p99_ms": p99_ms(quiet),
        "saving_loop_late_p99_ms": p99_ms(late),
        "hour_bytes": round(hour_bytes),
        "month_kb_a_validator": round(month_kb, 1),
        "forecasts_s": round(foresee_s, 1),
        "forecasts_cpu_s": round(time.process_time() - used, 1),
        "foreseeing_loop_late_p99_ms": p99_ms(foresee_late),
    }
    ok = (
        figures["sample_ms"] <= SAMPLE_MS
        and figures["saving_loop_late_p99_ms"] - figures["idle_loop_late_p99_ms"] <= LATE_MS
        and month_kb <= MONTH_KB
    )
    return {"benchmark": "history", "validators": VALIDATORS, **figures, "ok": ok}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(folder))
    print(json.dumps(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
