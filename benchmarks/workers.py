"""500 open incidents, each with a restart decided, on one PostgreSQL with 1, 2 and 4 worker processes: one JSON object.

Exit 1 unless each is restarted exactly once and closed with the verdict resolved. The action is scripted (a line in a file), `verify_after`
is 10 ms. The guard's one at a time is lifted, since otherwise its patience is measured: with it, a fleet has one restart at a time however
many workers there are. Every run is six durable steps. `runs_per_s` counts from the first proposal to the last verdict, `by_worker` is how
many restarts each process did. An argument sets another number of incidents.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gizzi.engine.act import rows
from gizzi.store import open_store
from tools import postgres
from tools.acting import add_incident

INCIDENTS = 500
WORKERS = (1, 2, 4)
PORT = 54371
ENDS_WITHIN_S = 900.0


def process(folder: str, url: str, name: str, **env: str) -> subprocess.Popen[str]:
    quick = {"POLICY": json.dumps({"verify_after": "0.01s", "approval_ttl": "1h"}), "EVERY": "1", "MANY": "1"}
    given = {"GIZZI_TEST_STORE": url, "WORKER": name, "PYTHONPATH": os.pathsep.join(sys.path), **quick, **env}
    command = [sys.executable, "-m", "tools.responding", folder]
    return subprocess.Popen(command, env={**os.environ, **given}, stdout=subprocess.PIPE, text=True)


def measure(incidents: int, workers: int) -> dict[str, Any]:
    initdb, server = (shutil.which(name, path=f"{os.environ['PATH']}:/usr/lib/postgresql/15/bin") or "" for name in ("initdb", "postgres"))
    with tempfile.TemporaryDirectory() as folder, postgres.running(initdb, server, PORT) as url:
        store = open_store(url)
        for number in range(1, incidents + 1):
            add_incident(store, number, number, at=time.time())
        helpers = [process(folder, url, f"helper-{n}", HELPS=str(folder)) for n in range(1, workers)]
        for helper in helpers:
            assert helper.stdout is not None and helper.stdout.readline() == "helps\n"
        watcher = process(folder, url, "watcher")
        try:
            watcher.wait(ENDS_WITHIN_S)
            found = store.run_now(lambda c: rows.all_actions(c, 10 * incidents))
        finally:
            store.close()
            for one in (watcher, *helpers):
                one.kill()
                one.wait()
        effects = Counter((Path(folder) / "effects").read_text().split())
    took_s = max(row["verdict_at"] or 0.0 for row in found) - min(row["proposed_at"] for row in found)
    return {
        "workers": workers,
        "runs_per_s": round(len(found) / took_s, 1),
        "took_s": round(took_s, 1),
        "closed": sum(row["state"] == "closed" and row["verdict"] == "resolved" for row in found),
        "restarted": len(effects),
        "twice": sum(count > 1 for count in effects.values()),
        "by_worker": sorted(Counter(row["worker"] for row in found).values()),
    }


def main() -> int:
    incidents = int(sys.argv[1]) if len(sys.argv) > 1 else INCIDENTS
    measured = []
    for workers in WORKERS:
        measured.append(measure(incidents, workers))
        print(measured[-1], file=sys.stderr, flush=True)
    ok = all(one["closed"] == one["restarted"] == incidents and not one["twice"] for one in measured)
    print(json.dumps({"benchmark": "workers", "incidents": incidents, "measured": measured, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
