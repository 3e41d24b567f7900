"""Wires everything: settings, registry, store, reach and the loop. Faces and tests embed it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from gizzi import registry as registries
from gizzi.clock import Clock, LiveClock
from gizzi.config import Settings, Validator
from gizzi.engine.desk import Desk
from gizzi.engine.discover import discover
from gizzi.engine.limits import raise_open_files
from gizzi.engine.watch import Watch
from gizzi.errors import ConfigError, GizziError, StoreError, StoreTaken
from gizzi.models.router import Router
from gizzi.reach import Reach
from gizzi.reach.http import HttpClient
from gizzi.reach.node import HttpNode
from gizzi.reach.patience import PatientNode
from gizzi.reach.ssh import SshRunner
from gizzi.store import Store, open_store

RENEW_LEASE_S = 5.0
HTTP_TIMEOUT_S = 10.0
"""A Prometheus server answers for the whole fleet at once: 1,000 validators take it 1.7 s."""


class App:
    """One wired Gizzi. `watch` is its loop; nothing runs until `run` or `look`."""

    def __init__(self, settings: Settings, watch: Watch, store: Store) -> None:
        self.settings = settings
        self.watch = watch
        self.store = store
        self.registry = watch.registry
        self.clock = watch.clock
        self.desk = Desk(store, watch.clock)
        self.router = Router(settings, statuses=self._statuses, clock=watch.clock, store=store, registry=watch.registry)
        """The one way to a model, on what is watched here. It loads nothing until it is asked."""
        self._holder = f"{socket.gethostname()}:{os.getpid()}"

    async def claim(self) -> None:
        """Become the only loop on this store. Raises StoreTaken."""
        await self.store.take_lease(self._holder, self.clock.now(), _process_is_gone)

    async def run(self) -> None:
        """Watch until cancelled, as the only loop on this store."""
        await self.claim()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew())
                group.create_task(self.watch.run())
        except BaseExceptionGroup as failures:
            known = failures.subgroup(GizziError)
            raise (known.exceptions[0] if known else failures) from None
        finally:
            with suppress(GizziError):
                await self.store.drop_lease(self._holder)

    async def look(self) -> list[dict[str, Any]]:
        """One look at the whole fleet: every source asked once, what failed once more. Use with `open_app(at_once=True)`."""
        await self.watch.collector.once()
        await self.watch.step()
        return self.watch.statuses()

    async def _statuses(self) -> list[dict[str, Any]]:
        return self.watch.statuses()

    async def _renew(self) -> None:
        while True:
            await self.clock.sleep(RENEW_LEASE_S)
            try:
                await self.claim()
                self.watch.books.works()
            except StoreTaken:
                raise
            except StoreError as error:  # it is renewed once the store can be written again, if nobody has taken it by then
                self.watch.books.failed(error)


def _process_is_gone(holder: str) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    host, _, pid = holder.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    reach: Reach | None = None,
    store: Store | None = None,
    live: bool = True,
    at_once: bool = False,
) -> AsyncIterator[App]:
    """Open the store, load extensions, reach out, discover validators where only a Prometheus server is named. Raises GizziError.

    live: False in simulated time, where nothing runs in threads and nobody else writes to the store. at_once: rules fire without their
    hold, for a single look.
    """
    clock = clock or LiveClock()
    registry = registries.load(settings)
    if at_once:
        for rule in list(registry.rules):
            registry.rules.replace(dataclasses.replace(rule, hold_s=0.0))
    own_store = store is None
    store = store or open_store(settings.store.url)
    async with _reaching(settings, reach) as reached:
        try:
            validators = await _validators(settings, reached)
            app = App(settings, Watch(settings, registry, validators, reached, clock, store, live=live), store)
            try:
                yield app
            finally:
                await app.router.close()
        finally:
            if own_store:
                store.close()


@asynccontextmanager
async def _reaching(settings: Settings, reach: Reach | None) -> AsyncIterator[Reach]:
    """What was given, or connections of our own, closed at the end. Nodes always under time-outs."""
    if reach is not None:
        yield Reach(PatientNode(reach.node, settings.collect.timeout_s), reach.ssh, reach.http)
        return
    raise_open_files()
    node, http = HttpNode(), HttpClient(timeout_s=max(HTTP_TIMEOUT_S, settings.collect.timeout_s))
    ssh = SshRunner(settings.ssh) if settings.ssh.user else None
    try:
        yield Reach(PatientNode(node, settings.collect.timeout_s), ssh, http)
    finally:
        await node.close()
        await http.close()
        if ssh is not None:
            await ssh.close()


async def _validators(settings: Settings, reach: Reach) -> Sequence[Validator]:
    if settings.validators:
        return settings.validators
    if settings.prometheus.url is None:
        raise ConfigError("no validators are configured; write gizzi.toml with `gizzi init`")
    return await discover(settings, reach.http)
