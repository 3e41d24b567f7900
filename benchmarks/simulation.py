"""How much faster than life scenarios run, for 21 validators: simulated seconds a second of CPU, and of wall time."""

from __future__ import annotations

import time

from _live import ROOT, finish

from gizzi.sim.runner import run_scenario

SCENARIOS = ("healthy-hour", "node-down", "chain-finality-stalled", "lost-scrapes", "healthy-day")
FLOOR = 1000


def main() -> None:
    run_scenario(ROOT / "scenarios" / "node-down")
    speeds = {}
    for name in SCENARIOS:
        cpu, wall = time.process_time(), time.perf_counter()
        result = run_scenario(ROOT / "scenarios" / name)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        speeds[name] = {"cpu": round(result["simulated_s"] / cpu), "wall": round(result["simulated_s"] / wall), "passed": result["passed"]}
    ok = all(speed["cpu"] >= FLOOR and speed["passed"] for speed in speeds.values())
    finish({"benchmark": "simulation", "validators": 21, "times_real": speeds, "floor": FLOOR, "ok": ok})


if __name__ == "__main__":
    main()
