"""A small simulated fleet on loopback, the configuration that points at it, and the command as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from gizzi.app import App
from gizzi.clock import LiveClock
from gizzi.config import Settings, parse
from gizzi.sim.__main__ import config_text
from gizzi.sim.faults import read_fault
from gizzi.sim.fleet import ChainPlan, SimFleet
from gizzi.sim.server import SimServer

CHAIN = "testnet"


@contextlib.asynccontextmanager
async def served(validators: int = 4, *faults: dict[str, Any], chain: str = CHAIN) -> AsyncIterator[SimServer]:
    """A fleet with faults that are there from the start."""
    fleet = SimFleet(LiveClock(), validators=validators, seed=1, chains=(ChainPlan(id=chain),))
    for fault in faults:
        fleet.inject(read_fault(fault, "the test", list(fleet.nodes), list(fleet.chains), at_s=0.0))
    async with SimServer(fleet) as server:
        await server.settle()
        yield server


async def until(condition: Callable[[], Any], within_s: float = 90.0) -> None:
    """Wait until it holds; it may be asked for with an await."""
    async with asyncio.timeout(within_s):
        while not (await held if inspect.isawaitable(held := condition()) else held):  # noqa: ASYNC110 - what is awaited tells nobody
            await asyncio.sleep(0.05)


async def long_watched(app: App, number: int) -> None:
    """Go on once every fact about that validator is known, as if it had been watched for a minute: of a fleet that is new nobody is asked
    anything for half a minute, as who is missing may not have shown yet."""
    await until(lambda: not app.watch.facts(number).unknown())
    app.watch.started_at -= 60.0


def settings_of(server: SimServer, **more: Any) -> Settings:
    """Quick polls, a store in memory, no plugins."""
    raw = {
        "network": {"name": "Testnet"},
        "chains": [chain.model_dump() for chain in server.fleet.settings_chains()],
        "validators": [validator.model_dump() for validator in server.validators()],
        "collect": {"every": "0.5s", "timeout": "1s"},
        "plugins": {"folder": "/nonexistent"},
        "store": {"url": "sqlite://"},
        **more,
    }
    return parse(raw, "the test")


def write_config(folder: Path, server: SimServer, more: str = "", *, timeout: str = "1s", host_every: str = "30s") -> Path:
    """gizzi.toml for the fleet; its store is gizzi.db beside it."""
    file = folder / "gizzi.toml"
    text = config_text(server.fleet.settings_chains(), server.validators())
    file.write_text(f'{text}\n[collect]\nevery = "0.5s"\ntimeout = "{timeout}"\nhost_every = "{host_every}"\n{more}', encoding="utf-8")
    return file


async def gizzi(
    *words: str, cwd: Path, env: dict[str, str] | None = None, given: bytes | None = None, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, by default at most 60 s; stdout and stderr are pipes. given: its standard input."""
    process = await start(*words, cwd=cwd, env=env, stdin=None if given is None else asyncio.subprocess.PIPE)
    async with asyncio.timeout(timeout_s):
        out, err = await process.communicate(given)
    return subprocess.CompletedProcess(words, process.returncode or 0, out.decode(), err.decode())


async def start(*words: str, cwd: Path, env: dict[str, str] | None = None, stdin: int | None = None) -> asyncio.subprocess.Process:
    base = {key: value for key, value in os.environ.items() if not key.startswith("GIZZI_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gizzi", *words),
        cwd=cwd,
        env={**base, "HOME": str(cwd), "XDG_CONFIG_HOME": str(cwd), **(env or {})},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
