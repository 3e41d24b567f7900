"""Real monitoring servers on loopback: each is a context that waits until it answers and stops what it started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from conftest import need

READY_WITHIN_S = 30.0


@contextlib.asynccontextmanager
async def running(command: Sequence[str], ready_url: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs a server until the context ends; fails with the end of its log where it never answers at `ready_url`."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=asyncio.subprocess.STDOUT)
    try:
        await _until_ready(process, ready_url, log)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _until_ready(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + READY_WITHIN_S
    while loop.time() < give_up_at and process.returncode is None:
        if await asyncio.to_thread(_answers, url):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{url} did not get ready; its log ends with:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _written(file: Path, config: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(config))  # JSON is YAML
    return file


def static_job(name: str, *addresses: str, **labels: str) -> dict[str, Any]:
    """A job that scrapes these host:port addresses, with these labels on top."""
    return {"job_name": name, "static_configs": [{"targets": list(addresses), "labels": labels}]}


@contextlib.asynccontextmanager
async def prometheus_process(
    folder: Path, port: int, jobs: Sequence[dict[str, Any]], *, interval: str = "1s", **config: Any
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A Prometheus that scrapes `jobs` every `interval`; gives its address and its process. `config`: more of prometheus.yml."""
    (binary,) = need("prometheus")
    timing = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    file = _written(folder / "prometheus.yml", {"global": timing, "scrape_configs": list(jobs), **config})
    url = f"http://127.0.0.1:{port}"
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-lifecycle",
    ]
    async with running(command, f"{url}/-/ready", folder / "prometheus.log") as process:
        yield url, process


@contextlib.asynccontextmanager
async def prometheus(folder: Path, port: int, jobs: Sequence[dict[str, Any]], *, interval: str = "1s", **config: Any) -> AsyncIterator[str]:
    """The same, for tests that need its address alone."""
    async with prometheus_process(folder, port, jobs, interval=interval, **config) as (url, _):
        yield url


@contextlib.asynccontextmanager
async def node_exporter(folder: Path, port: int) -> AsyncIterator[str]:
    """This machine's own node_exporter; gives the address of its page."""
    (binary,) = need("prometheus-node-exporter")
    url = f"http://127.0.0.1:{port}/metrics"
    async with running([binary, f"--web.listen-address=127.0.0.1:{port}"], url, folder / "node_exporter.log"):
        yield url


@contextlib.asynccontextmanager
async def alertmanager(folder: Path, port: int, config: dict[str, Any]) -> AsyncIterator[str]:
    """An Alertmanager alone, without a cluster; gives its address."""
    (binary,) = need("prometheus-alertmanager")
    file = _written(folder / "alertmanager.yml", config)
    url = f"http://127.0.0.1:{port}"
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    async with running(command, f"{url}/-/ready", folder / "alertmanager.log"):
        yield url
