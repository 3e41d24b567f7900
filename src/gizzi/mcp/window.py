"""What the tools see through: the store, a daemon's live status where one runs, and else a look of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from gizzi import registry as registries
from gizzi.app import App, Look, look_once, open_app
from gizzi.clock import Clock, LiveClock, iso
from gizzi.config import Settings, state_folder
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.desk import Desk
from gizzi.engine.detail import detail
from gizzi.engine.known import store_exists
from gizzi.errors import GizziError, NotFound
from gizzi.memory import Memory, keys_of
from gizzi.models.catalogue import is_retired
from gizzi.models.live import daemon_json, daemon_statuses
from gizzi.models.model import Model
from gizzi.models.router import Router
from gizzi.store import Store, open_store
from gizzi.store.store import LEASE_S

FRESH_S = 5.0
"""For so long one look serves everybody who asks."""
LONGEST_WAIT_S = 45.0
"""How long a proposal's answer is awaited; clients give up after a minute."""


class Window:
    """Opens what it needs once it is needed, and creates no store by looking. `close` it."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or LiveClock()
        self.router = Router(settings, statuses=self._known_statuses, clock=self.clock)
        self._store: Store | None = None
        self._look: tuple[float, Look] | None = None
        self._looking = asyncio.Lock()

    @property
    def store(self) -> Store:
        """Raises NotFound where nobody has watched yet."""
        if self._store is None:
            url = self.settings.store.url
            if not store_exists(url):
                raise NotFound(f"the store {url.removeprefix('sqlite:///')} does not exist yet: nobody has watched; start `gizzi watch`")
            self._store = open_store(url)
        return self._store

    @property
    def desk(self) -> Desk:
        return Desk(self.store, self.clock)

    @property
    def actions(self) -> ActionDesk:
        return ActionDesk(self.store, self.clock)

    @property
    def memory(self) -> Memory:
        return Memory(self.store, self.clock, keys_of(self.store.shown_url, state_folder()))

    async def network(self) -> tuple[dict[str, Any], str]:
        """The network's status, and who has seen it. Raises GizziError."""
        statuses = await daemon_statuses(self.settings)
        if statuses:
            return {"network": self.settings.network.name, "at": iso(self.clock.now()), "validators": statuses}, "daemon"
        return (await self._looked()).status, "one look"

    async def validator(self, number: int) -> dict[str, Any]:
        """Raises NotFound, GizziError."""
        found = await daemon_json(self.settings, f"/api/validator/{number}")
        if isinstance(found, dict):
            return found
        async with open_app(self.settings, store=open_store("sqlite://"), at_once=True, lasting=False) as app:
            if number not in app.watch.fleet.validators:
                return detail(app.watch, number)
            await app.look()
            return detail(app.watch, number)

    @asynccontextmanager
    async def reaching(self) -> AsyncIterator[App]:
        """Connections to nodes, hosts and the Prometheus server."""
        async with open_app(self.settings, store=open_store("sqlite://"), lasting=False) as app:
            yield app

    def frontier(self) -> Model | None:
        """The first model of the frontier tier that has a price and is not retired."""
        today = datetime.fromtimestamp(self.clock.now(), UTC).date()
        catalogue = self.router.catalogue
        models = (catalogue.models[name] for name in catalogue.tiers["frontier"])
        return next((model for model in models if model.price is not None and not is_retired(model, today)), None)

    async def propose(self, action: str, validator: int, why: str, by: str) -> dict[str, Any]:
        """Ask the loop for an action, and tell what became of it so far. Nothing is proposed where no loop runs. Raises GizziError."""
        lease = await self.store.lease()
        if lease is None or self.clock.now() - lease[1] >= LEASE_S:
            raise GizziError("no daemon watches, so nobody could look at the facts and ask the guard; start `gizzi watch` first")
        desk = self.actions
        wish = await desk.want(self.settings, registries.load(self.settings), action, validator, why, by)
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                shown = await desk.answered(wish)
        except TimeoutError:
            shown = await desk.action(wish)
        if shown is None:
            if await desk.withdraw(wish):
                raise GizziError("the daemon did not take the proposal up, and it was withdrawn; is `gizzi watch` well?")
            shown = await desk.action(wish)
        return shown

    async def close(self) -> None:
        await self.router.close()
        if self._store is not None:
            self._store.close()

    async def _known_statuses(self) -> Sequence[Mapping[str, Any]]:
        """For questions to models: nothing where there is no fleet."""
        if not self.settings.validators and self.settings.prometheus.url is None:
            return ()
        found: Sequence[Mapping[str, Any]] = (await self.network())[0]["validators"]
        return found

    async def _looked(self) -> Look:
        async with self._looking:
            if self._look is None or not 0 <= self.clock.now() - self._look[0] < FRESH_S:
                look = await look_once(self.settings)
                self._look = (self.clock.now(), look)
            return self._look[1]
