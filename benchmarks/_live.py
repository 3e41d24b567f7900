"""What the live benchmarks share: the simulated fleet and Gizzi's daemon as processes of their own, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
ROOT = Path(__file__).parents[1]


def allow_many_sockets() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _line(process: subprocess.Popen[str], stream: Any, word: str) -> str:
    for line in stream:
        if word in line:
            return str(line)
    raise SystemExit(f"{process.args} ended early")


@contextlib.contextmanager
def simulated(folder: Path, validators: int, authorities: int | None = None) -> Iterator[tuple[str, Path]]:
    """Yields the address where faults are injected, and the gizzi.toml that points at the fleet."""
    config = folder / "gizzi.toml"
    command = [sys.executable, "-m", "gizzi.sim", "--validators", str(validators), "--write-config", str(config)]
    command += ["--authorities", str(authorities)] if authorities else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield _line(process, process.stdout, "ready:").split()[-1], config
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def watching(config: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yields Gizzi's daemon and the URL of its API."""
    command = [sys.executable, "-m", "gizzi", "watch", "--config", str(config), "--listen", "127.0.0.1:0"]
    log = config.with_name("watch.log")
    with log.open("w") as stderr:
        process = subprocess.Popen(command, stderr=stderr, text=True)
    try:
        url = ""
        while not url:
            time.sleep(0.2)
            if process.poll() is not None:
                raise SystemExit(log.read_text())
            words = [word for word in log.read_text().split() if word.startswith("http://127.0.0.1")]
            url = words[0].split("/api/")[0] if words else ""
        yield process, url
    finally:
        process.terminate()
        process.wait(20)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def cpu_s(pid: int) -> float:
    """User and system seconds a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def finish(result: dict[str, Any]) -> None:
    """Print the one JSON object; exit 1 where a floor was missed."""
    print(json.dumps({**result, "load_average": round(os.getloadavg()[0], 1)}))
    raise SystemExit(0 if result["ok"] else 1)
