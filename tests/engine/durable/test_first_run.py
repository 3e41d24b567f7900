"""On SQLite nothing is loaded and nothing polls for runs until there is one: new, or left by an earlier process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROCESS = """
import asyncio, os, sys
from pathlib import Path
from gizzi.clock import LiveClock
from gizzi.engine.durable.dbos_runs import DbosRuns
from gizzi.store import open_store

url = f"sqlite:///{sys.argv[1]}/gizzi.db"
tables = Path(f"{sys.argv[1]}/gizzi.db.runs")

async def double(run, *, number, wait_s):
    await run.sleep(wait_s)
    return 2 * number

async def main():
    runs = DbosRuns(open_store(url), LiveClock(), url, "here")
    runs.register("double", double)
    await runs.open()
    async with asyncio.timeout(90):
        BODY
    await runs.close()

asyncio.run(main())
"""


def process(folder: Path, *body: str) -> None:
    code = PROCESS.replace("BODY", "\n        ".join(body))
    done = subprocess.run([sys.executable, "-c", code, str(folder)], timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_it_opens_with_the_first_run_and_with_one_that_was_left(tmp_path: Path) -> None:
    idle = 'assert "dbos" not in sys.modules and not await runs.goes_on("a")'
    process(tmp_path, idle, "assert not tables.exists()")
    process(
        tmp_path,
        'await asyncio.gather(*(runs.start("double", name, {"number": 3, "wait_s": 0.1}) for name in "aba"))',
        'assert [await runs.result(name) for name in "ab"] == [6, 6] and tables.exists()',
    )
    process(tmp_path, idle, "assert tables.exists()")
    process(tmp_path, 'await runs.start("double", "c", {"number": 4, "wait_s": 5.0})', 'assert await runs.goes_on("c")', "os._exit(0)")
    process(tmp_path, 'assert "dbos" in sys.modules and await runs.goes_on("c")', 'assert await runs.result("c") == 8')
    process(tmp_path, idle)
