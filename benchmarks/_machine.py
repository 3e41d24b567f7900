"""What every benchmark says and does alike: progress on stderr, one JSON object on stdout, and what a process has used so far."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def finish(name: str, figures: dict[str, Any], floors: dict[str, tuple[Any, str, float]]) -> int:
    """Print the result; exit code 1 where a floor is missed. floors: by what is judged its figure, "<=" or ">=", and the floor."""
    tests: dict[str, Callable[[Any, float], bool]] = {"<=": lambda value, floor: value <= floor, ">=": lambda value, floor: value >= floor}
    missed = [what for what, (value, sign, floor) in floors.items() if value is None or not tests[sign](value, floor)]
    result = {
        "benchmark": name,
        **figures,
        "floors": {what: f"{sign} {floor:g}" for what, (_, sign, floor) in floors.items()},
        "missed": missed,
        "machine": machine(),
        "ok": not missed,
    }
    print(json.dumps(result))
    return 1 if missed else 0


def machine() -> dict[str, Any]:
    """load: of the last minute, at the end of the run; above the number of cores others worked here too."""
    return {"cores": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 2)}


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, user and system, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Memory of a process now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6


def timed_s(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
