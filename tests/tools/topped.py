"""A daemon in this process, as `gizzi top` finds it: by the store that its gizzi.toml names. Restarts reach the simulated hosts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gizzi.app import App, open_app
from gizzi.config import load
from gizzi.daemon import run_daemon
from gizzi.reach import Reach
from gizzi.reach.http import HttpClient
from gizzi.reach.node import HttpNode
from gizzi.sim.server import SimServer
from tools.fleet import long_watched, served, until, write_config


@dataclass
class Watched:
    """task: its loop and API; cancel it to lose the daemon."""

    app: App
    server: SimServer
    config: Path
    task: asyncio.Task[None]

    async def want_restart(self, number: int, why: str = "it has one peer") -> None:
        """In suggest mode this asks a person."""
        await long_watched(self.app, number)
        await self.app.actions.want(self.app.settings, self.app.registry, "restart", number, why, "ben")

    async def until_answered(self, state: str, by: str) -> None:
        """Wait until the one approval there ever was is so."""

        async def is_so() -> bool:
            return await self.approvals() == [(state, by)]

        await until(is_so)

    async def approvals(self) -> list[tuple[str, str | None]]:
        """(state, by whom) of every approval there ever was."""
        return [(row["state"], row["decided_by"]) for row in await self.app.actions.approvals(waiting=False)]


@contextlib.asynccontextmanager
async def daemon_on(folder: Path, *faults: dict[str, Any], validators: int = 4, reserve: int = 2, more: str = "") -> AsyncIterator[Watched]:
    async with served(validators, *faults) as server:
        policy = f'[policy]\nmode = "suggest"\nreserve = {reserve}\n'
        config = write_config(
            folder, server, f'{policy}[ssh]\nuser = "ops"\n[rules.peers_low]\nhold = "0s"\n{more}', timeout="5s", host_every="1s"
        )
        settings = load(config).model_copy(update={"validators": tuple(server.validators())})  # with the units of its hosts
        node, http = HttpNode(), HttpClient(timeout_s=5)
        try:
            async with open_app(settings, reach=Reach(node, server.fleet.reach().ssh, http)) as app:
                listening = asyncio.Event()
                task = asyncio.create_task(run_daemon(app, "127.0.0.1:0", lambda _: listening.set()))
                await asyncio.wait({task, asyncio.create_task(listening.wait())}, return_when=asyncio.FIRST_COMPLETED)
                try:
                    yield Watched(app, server, config, task)
                finally:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
        finally:
            await node.close()
            await http.close()
