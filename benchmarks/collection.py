"""CPU a validator a cycle: Gizzi's daemon, everything included, beside a real Prometheus that scrapes the same 0.5 MB pages, uncompressed.

Both are measured as whole processes at the same time, once warm, over the same number of validators and 24 cycles. Gizzi's cycle is the
page, three RPC calls in a batch, a heartbeat, folding, all rules, and its share of the store and the API; Prometheus's is the page, its
write-ahead log, and its share of the garbage collection, but no rule, and none of the work it does every two hours. Of a page's 3,393
samples the simulator changes a handful between two scrapes, which spares Prometheus more than us.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import tomllib
import urllib.request
from pathlib import Path

from _live import cpu_s, finish, memory_mb, say, simulated, watching
from detection import free_port

from tools import prometheus as servers

VALIDATORS, EVERY_S, SETTLE_S, SPAN_S = 60, 5, 150, 120
"""Settled once the first forecasts and reports are made: 0.27 s of CPU, most of it for what comes anew in 6 to 24 h."""
FLOOR = 0.4


async def main() -> None:
    with tempfile.TemporaryDirectory() as name, simulated(Path(name), VALIDATORS) as (_, config), watching(config) as (gizzi, _):
        addresses = [v["metrics_url"].split("/")[2] for v in tomllib.loads(config.read_text())["validators"]]
        job = servers.static_job("nodes", *addresses)
        folder = Path(name) / "prom"
        async with servers.prometheus_process(folder, free_port(), [job], interval=f"{EVERY_S}s") as (prometheus_url, process):
            say(f"{SETTLE_S} s to settle")
            await asyncio.sleep(SETTLE_S)
            before, started, scraped = (cpu_s(gizzi.pid), cpu_s(process.pid)), time.monotonic(), scrapes(prometheus_url)
            await asyncio.sleep(SPAN_S)
            cycles = VALIDATORS * (time.monotonic() - started) / EVERY_S
            ours = (cpu_s(gizzi.pid) - before[0]) / cycles * 1000
            theirs = (cpu_s(process.pid) - before[1]) / (scrapes(prometheus_url) - scraped) * 1000
            finish(
                {
                    "benchmark": "collection",
                    "validators": VALIDATORS,
                    "every_s": EVERY_S,
                    "gizzi_cpu_ms": round(ours, 2),
                    "prometheus_cpu_ms": round(theirs, 2),
                    "ratio": round(ours / theirs, 3),
                    "floor": FLOOR,
                    "gizzi_mb": round(memory_mb(gizzi.pid)),
                    "prometheus_mb": round(memory_mb(process.pid)),
                    "ok": ours / theirs <= FLOOR,
                }
            )


def scrapes(url: str) -> float:
    """How many targets Prometheus says it has scraped so far; under load it leaves some out."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("prometheus_target_interval_length_seconds_count"))


if __name__ == "__main__":
    asyncio.run(main())
