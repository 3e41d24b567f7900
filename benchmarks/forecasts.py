"""How often the 80 % interval of a forecast holds what comes, on simulated series of seven kinds: one JSON object.

Exit 1 where the share over all of a kind is not between 70 and 90 %. Widths are medians, in the series' own unit (their noise is 0.5 to 5).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gizzi.analysis.trend import trend_of
from tools import series

FLOOR, CEILING = 0.70, 0.90
EACH = 200
HOURS = (48, 168)
AHEAD = (0.1, 0.25, 0.5)
"""Shares of the history; 0.5 is as far as a forecast looks."""


def main() -> int:
    started, made = time.perf_counter(), 0
    kinds: dict[str, dict[str, Any]] = {}
    for kind in series.KINDS:
        held: dict[float, list[bool]] = {share: [] for share in AHEAD}
        widths, errors, naive = [], [], []
        for hours in HOURS:
            for seed in range(EACH):
                points = series.make(kind, seed, hours + hours // 2 + 1)
                past, future = points[:hours], points[hours:]
                trend = trend_of(past)
                made += 1
                for share in AHEAD:
                    at, came = future[int(hours * share) - 1]
                    value = trend.value(at)
                    held[share].append(value.low <= came <= value.high)
                widths.append(value.high - value.low)
                errors.append(abs(came - value.likely))
                naive.append(abs(came - past[-1][1]))
        shares = {f"{share:g}": round(mean(of), 3) for share, of in held.items()}
        kinds[kind] = {
            "coverage": round(mean(x for of in held.values() for x in of), 3),
            "by_share_of_history": shares,
            "width": round(median(widths), 1),
            "error": round(median(errors), 1),
            "error_of_last_value": round(median(naive), 1),
        }
    spent = time.perf_counter() - started
    everything = round(mean(kind["coverage"] for kind in kinds.values()), 3)
    print(json.dumps({"forecasts": made, "ms_a_series": round(1000 * spent / made, 1), "coverage": everything, "kinds": kinds}, indent=2))
    return 0 if all(FLOOR <= kind["coverage"] <= CEILING for kind in kinds.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
