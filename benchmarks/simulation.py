"""How much faster than life scenarios run, for 21 validators: simulated seconds a second of CPU, and of wall time.

The same sources, rules, loop and store as live. What counts is CPU: what one core does that has nothing else to do. Each scenario has
its best of three runs, the day only one.
"""

from __future__ import annotations

import time
from typing import Any

from _live import ROOT, finish, say

from gizzi.sim.runner import run_scenario

SCENARIOS = ("healthy-hour", "healthy-day", "peers-low", "node-down", "hang", "all-down", "chain-finality-stalled", "lost-scrapes")
FLOOR = 1000


def played(name: str) -> tuple[dict[str, Any], float]:
    """What came of it, and the CPU seconds it took."""
    used = time.process_time()
    result = run_scenario(ROOT / "scenarios" / name)
    return result, time.process_time() - used


def main() -> None:
    played("short-slot-gap")  # imports what is needed
    speeds = {}
    for name in SCENARIOS:
        runs = [played(name) for _ in range(1 if name == "healthy-day" else 3)]
        simulated_s = runs[0][0]["simulated_s"]
        speeds[name] = {
            "cpu": round(simulated_s / min(cpu_s for _, cpu_s in runs)),
            "wall": round(simulated_s / min(result["wall_s"] for result, _ in runs)),
            "passed": all(result["passed"] for result, _ in runs),
        }
        say(f"{name}: {speeds[name]}")
    ok = all(speed["cpu"] >= FLOOR and speed["passed"] for speed in speeds.values())
    finish({"benchmark": "simulation", "validators": 21, "times_real": speeds, "floor": FLOOR, "ok": ok})


if __name__ == "__main__":
    main()
