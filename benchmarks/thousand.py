"""A thousand validators, polled every 15 s by one daemon: no late poll, little memory, no model SDK. The simulator is another process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from _live import allow_many_sockets, cpu_s, finish, get, memory_mb, say, simulated, watching

VALIDATORS, EVERY_S, SPAN_S = 1000, 15, 120
LATE_S, MEMORY_MB = 1.0, 200
MODEL_SDKS = ("openai", "anthropic", "pydantic_ai", "sklearn")


def main() -> None:
    allow_many_sockets()
    with tempfile.TemporaryDirectory() as name, simulated(Path(name), VALIDATORS) as (_, config):
        config.write_text(config.read_text() + f'\n[collect]\nevery = "{EVERY_S}s"\n')
        with watching(config) as (gizzi, api):
            say("60 s to settle")
            time.sleep(60)
            before, late_s, peak_mb = cpu_s(gizzi.pid), 0.0, 0.0
            started = time.monotonic()
            while time.monotonic() - started < SPAN_S:
                time.sleep(5)
                late_s = max(late_s, get(f"{api}/health")["late_s"])
                peak_mb = max(peak_mb, memory_mb(gizzi.pid))
            used_s = cpu_s(gizzi.pid) - before
            healthy = sum(v["health"] == "healthy" for v in get(f"{api}/api/network/status")["validators"])
            loaded = [name for name in MODEL_SDKS if f"/{name}/" in Path(f"/proc/{gizzi.pid}/maps").read_text()]
            finish(
                {
                    "benchmark": "thousand",
                    "validators": VALIDATORS,
                    "every_s": EVERY_S,
                    "healthy": healthy,
                    "latest_poll_s": round(late_s, 2),
                    "memory_mb": round(peak_mb),
                    "cpu_share_of_one_core": round(used_s / SPAN_S, 2),
                    "model_sdks_loaded": loaded,
                    "floors": {"latest_poll_s": LATE_S, "memory_mb": MEMORY_MB, "healthy": VALIDATORS},
                    "ok": late_s < LATE_S and peak_mb < MEMORY_MB and healthy == VALIDATORS and not loaded,
                }
            )


if __name__ == "__main__":
    main()
