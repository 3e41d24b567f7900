"""How well and how fast the learned router chooses between two models: one JSON object, exit 1 beyond a limit.

Trains on rows of the public MMLU outcomes drawn with each seed and tests on the others, for several counts of labels; floors are for 1,500.
The decision is timed alone: features and both heads of a 2,000-character prompt; the best round counts, as others may share the machine.
Without the data file or scikit-learn it says so and exits 0.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import time
from pathlib import Path

from gizzi.models.evaluate import Row, evaluate_rows, read_rows
from gizzi.models.train import Outcome, train

DATA = Path(__file__).parents[2] / "shared/data/routing-mmlu.csv.gz"
LABELS = 1500
SEEDS = {100: 10, 300: 10, LABELS: 10, 5000: 3}
"""Training rows, and how many seeds of each."""
FLOOR_APGR = 0.65
REFERENCE_APGR = 0.646
LIMIT_P50_MS, LIMIT_P99_MS = 0.2, 1.0
PROMPT_CHARS = 2000
ROUNDS, DECISIONS = 8, 1000


def figures(rows: list[Row], labels: int, seeds: int) -> dict[str, object]:
    """Means over the seeds. apgr_sd: standard deviation between seeds. apgr_interval: means of the ends of the bootstrap's intervals."""
    runs = [evaluate_rows(rows, labels, seed) for seed in range(seeds)]

    def mean(values: list[float], digits: int) -> float:
        return round(statistics.mean(values), digits)

    intervals = [run["apgr_interval"] for run in runs if run["apgr_interval"]]
    return {
        "seeds": seeds,
        "apgr": mean([run["apgr"] for run in runs], 4),
        "apgr_sd": round(statistics.stdev(run["apgr"] for run in runs), 4),
        "apgr_interval": [mean([ends[side] for ends in intervals], 4) for side in (0, 1)],
        "cpt50": mean([run["cpt50"] for run in runs], 1),
        "cpt80": mean([run["cpt80"] for run in runs], 1),
        "baselines": {name: mean([run["baselines"][name] for run in runs], 4) for name in ("random", "length")},
    }


def decision_ms(rows: list[Row]) -> tuple[float, float]:
    """Median and 99th percentile of one score, each of its best round."""
    outcomes = [Outcome(r.prompt, model, bool(right)) for r in rows[::20] for model, right in (("weak", r.weak), ("strong", r.strong))]
    router = train(outcomes, {"weak": "local", "strong": "frontier"})
    prompts = [row.prompt[:PROMPT_CHARS] for row in rows if len(row.prompt) >= PROMPT_CHARS]
    medians, tails = [], []
    for _ in range(ROUNDS):
        took = []
        for number in range(DECISIONS):
            prompt = prompts[number % len(prompts)]
            started = time.perf_counter()
            router.score(prompt, "weak", "strong")
            took.append((time.perf_counter() - started) * 1000)
        medians.append(statistics.median(took))
        tails.append(statistics.quantiles(took, n=100)[98])
    return min(medians), min(tails)


def skipped(reason: str) -> int:
    print(json.dumps({"benchmark": "routing", "skipped": reason}))
    return 0


def main() -> int:
    if not DATA.exists():
        return skipped(f"the data is not here: {DATA}")
    if importlib.util.find_spec("sklearn") is None:
        return skipped("scikit-learn is not installed: pip install 'gizzi[learn]'")
    rows = read_rows(DATA)
    by_labels = {}
    for labels, seeds in SEEDS.items():
        print(f"{labels} labels, {seeds} seeds ...", file=sys.stderr)
        by_labels[labels] = figures(rows, labels, seeds)
    p50_ms, p99_ms = decision_ms(rows)
    ok = by_labels[LABELS]["apgr"] >= FLOOR_APGR and p50_ms <= LIMIT_P50_MS and p99_ms <= LIMIT_P99_MS  # type: ignore[operator]
    result = {
        "benchmark": "routing",
        "rows": len(rows),
        "labels": by_labels,
        "reference_apgr": REFERENCE_APGR,
        "floor_apgr": FLOOR_APGR,
        "decision_p50_ms": round(p50_ms, 3),
        "decision_p99_ms": round(p99_ms, 3),
        "limit_p50_ms": LIMIT_P50_MS,
        "limit_p99_ms": LIMIT_P99_MS,
        "ok": ok,
    }
    print(json.dumps(result))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
