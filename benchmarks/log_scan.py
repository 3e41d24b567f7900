"""How fast logs are scanned for attacks, beside fail2ban's regex test on the same file, and how well: one JSON object.

Exit 1 below the floors.

fail2ban comes from Debian's archive, unpacked once in the user's cache folder (1 MB; null where that fails) and never installed. Both
read the same file from the disk, and CPU time counts, of the best of some runs. Precision and recall, by kind, are over logs written with
labels by tests/tools/attack_logs.py.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gizzi.analysis.attacks import scan_logs_for_attacks
from tools import attack_logs

FLOOR_TIMES = 2
FLOOR_RATE = 0.9
SIZE_BYTES = 8_000_000
SEEDS = range(100, 120)
END = attack_logs.START + attack_logs.SPAN_S + 86400


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "auth.log"
        _write(log)
        ours = max(_scan(log) for _ in range(3))
        theirs = _fail2ban(log)
    kinds = _rates()
    result = {
        "file_bytes": SIZE_BYTES,
        "gizzi_mb_s": round(ours, 1),
        "fail2ban_regex_mb_s": theirs and round(theirs, 3),
        "times": theirs and round(ours / theirs, 1),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "logs": len(SEEDS),
        "lines_a_log": 3000,
        "kinds": kinds,
    }
    print(json.dumps(result, indent=2))
    fast = theirs is None or ours >= FLOOR_TIMES * theirs
    good = all(kind["precision"] >= FLOOR_RATE and kind["recall"] >= FLOOR_RATE for kind in kinds.values())
    return 0 if fast and good else 1


def _write(log: Path) -> None:
    """Logs of many seeds, one after the other, until the file is large enough."""
    written, seed = 0, 0
    with log.open("w") as file:
        while written < SIZE_BYTES:
            text = "".join(attack_logs.text(attack_logs.write(seed), "syslog"))
            file.write(text)
            written, seed = written + len(text.encode()), seed + 1


def _scan(log: Path) -> float:
    started = time.process_time()
    with log.open("rb") as file:
        scan_logs_for_attacks({log.name: iter(lambda: file.read(1 << 20), b"")}, reference=END)
    return log.stat().st_size / 1e6 / (time.process_time() - started)


def _fail2ban(log: Path) -> float | None:
    """MB/s of `fail2ban-regex` with its own filter for sshd, its start not counted."""
    place = _installed()
    python = shutil.which("python3", path="/usr/bin")
    if place is None or python is None:
        return None
    config = place / "etc/fail2ban"
    command = [python, str(place / "usr/bin/fail2ban-regex"), "--config", str(config)]
    empty = log.with_name("empty.log")
    empty.write_text("")
    env = {"PYTHONPATH": str(place / "usr/lib/python3/dist-packages"), "PATH": "/usr/bin:/bin"}
    spent = []
    for file in (empty, log):
        started = _children_s()
        done = subprocess.run(
            [*command, str(file), str(config / "filter.d/sshd.conf")], env=env, capture_output=True, text=True, timeout=900
        )
        spent.append(_children_s() - started)
        if "Lines:" not in done.stdout:
            print(done.stdout[-300:], done.stderr[-300:], file=sys.stderr)
            return None
    return log.stat().st_size / 1e6 / (spent[1] - spent[0])


def _children_s() -> float:
    """CPU of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _installed() -> Path | None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "gizzi-bench" / "fail2ban"
    if (place / "x/usr/bin/fail2ban-regex").exists():
        return place / "x"
    place.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["apt-get", "download", "fail2ban"], cwd=place, check=True, capture_output=True, timeout=120)
        package = next(place.glob("fail2ban_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), str(place / "x")], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError, StopIteration) as error:
        print(f"no fail2ban here: {error}", file=sys.stderr)
        return None
    return place / "x"


def _rates() -> dict[str, dict[str, Any]]:
    """Over all seeds and forms together."""
    sums: dict[str, list[float]] = {}
    for seed in SEEDS:
        written = attack_logs.write(seed)
        form = attack_logs.FORMS[seed % len(attack_logs.FORMS)]
        report = scan_logs_for_attacks({"log": attack_logs.text(written, form, disorder_s=2.0)}, reference=END)
        single = {(found.kind, found.source) for found in report.findings if found.kind != "distributed"}
        crowds = [set(found.sources) for found in report.findings if found.kind == "distributed"]
        for kind, (precision, recall, wanted) in attack_logs.score(written, single, crowds).items():
            row = sums.setdefault(kind, [0.0, 0.0, 0.0])
            row[0], row[1], row[2] = row[0] + precision, row[1] + recall, row[2] + wanted
    return {
        kind: {"precision": round(p / len(SEEDS), 3), "recall": round(r / len(SEEDS), 3), "planted": int(n)}
        for kind, (p, r, n) in sorted(sums.items())
    }


if __name__ == "__main__":
    sys.exit(main())
