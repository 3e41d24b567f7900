"""How long `gizzi --help` and `import gizzi` take, the best and the median of ten."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from _live import finish

FLOOR_S = 0.3
COMMANDS = {"help": [sys.executable, "-m", "gizzi", "--help"], "import": [sys.executable, "-c", "import gizzi"]}


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    times = {name: sorted(timed(command) for _ in range(10)) for name, command in COMMANDS.items()}
    figures = {name: {"best_s": round(t[0], 3), "median_s": round(statistics.median(t), 3)} for name, t in times.items()}
    finish({"benchmark": "startup", **figures, "floor_s": FLOOR_S, "ok": all(t[0] <= FLOOR_S for t in times.values())})


if __name__ == "__main__":
    main()
