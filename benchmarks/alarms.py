"""False alarms and grouping, over all shipped scenarios: a healthy day, a slot gap, one cause on every validator."""

from __future__ import annotations

from _live import ROOT, finish, say

from gizzi.sim.runner import run_scenario


def main() -> None:
    results = {}
    for file in sorted((ROOT / "scenarios").glob("*/scenario.toml")):
        results[file.parent.name] = run_scenario(file.parent)
        say(f"{file.parent.name}: {'passed' if results[file.parent.name]['passed'] else 'FAILED'}")
    incidents = {name: len([i for i in r["incidents"] if not i["merged_into"]]) for name, r in results.items()}
    figures = {
        "healthy_day_incidents": incidents["healthy-day"],
        "slot_gap_incidents": incidents["slot-gap"],
        "all_lose_their_peers_incidents": incidents["all-lose-their-peers"],
        "all_down_incidents": incidents["all-down"],
    }
    passed = sum(r["passed"] for r in results.values())
    good = incidents["healthy-day"] == 0 and max(incidents["slot-gap"], incidents["all-lose-their-peers"], incidents["all-down"]) <= 1
    finish({"benchmark": "alarms", **figures, "scenarios": len(results), "passed": passed, "ok": good and passed == len(results)})


if __name__ == "__main__":
    main()
