"""The panels of this installation, as every face shows them: evaluated every few seconds while somebody looks, never waited for long."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gizzi.clock import duration_text, iso
from gizzi.engine.act import rows
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.act.world import missing
from gizzi.engine.collect import in_thread
from gizzi.engine.desk import Desk
from gizzi.engine.panel_value import value_of
from gizzi.engine.watch import Watch
from gizzi.errors import GizziError
from gizzi.kinds import Panel
from gizzi.memory.memory import Memory
from gizzi.models.budget import left_of
from gizzi.models.ledger import day_of
from gizzi.models.ledger_rows import spent
from gizzi.now import ChainNow, FleetNow, StoreNow
from gizzi.readers.text import one_line

EVERY_S = 5.0
FIRST_S = 0.5
"""Who asks waits this long for panels that are being drawn; then sees what there is."""
PATIENCE_S = 10.0
"""A panel that takes longer has failed. Its thread, where it is a plain function, cannot be stopped, and it is not called again before it
ends."""
CHECK_EVERY_S = 600.0
"""How often the memory is read as a whole."""
KEPT = 200


@dataclass(slots=True)
class _Slot:
    """One panel: what it showed last, and the call that is under way."""

    panel: Panel
    shown: dict[str, Any]
    at: float | None = None
    running: asyncio.Task[None] | None = None
    began_at: float = 0.0


class Panels:
    """The panels of one app. Nothing is called until somebody asks for them."""

    def __init__(self, watch: Watch, desk: Desk, actions: ActionDesk, memory: Memory) -> None:
        self._watch = watch
        self._clock = watch.clock
        self._desk = desk
        self._actions = actions
        self._memory = memory
        self._checked: dict[str, Any] | None = None
        self._reading: asyncio.Task[StoreNow] | None = None
        self._slots = [_Slot(panel, {"kind": None, "value": None, "error": None, "at": None}) for panel in watch.registry.panels]

    async def shown(self) -> list[dict[str, Any]]:
        """Every panel as faces show it: `name`, `title`, `summary`, `kind` ("number", "text", "table", "series", None before the first
        answer), `value`, `error` (why there is no newer value), `at`. A table's value is `{"columns", "rows"}`."""
        now = self._clock.now()
        due = [slot for slot in self._slots if slot.running is None and (slot.at is None or not 0 <= now - slot.at < EVERY_S)]
        if due:
            self._begin(due, now)
        running = [slot.running for slot in self._slots if slot.running is not None]
        if running:
            await asyncio.wait(running, timeout=FIRST_S)
        return [_shown(slot, self._clock.now()) for slot in self._slots]

    async def close(self) -> None:
        """Stop what is under way."""
        running = [task for task in (self._reading, *(slot.running for slot in self._slots)) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _begin(self, due: list[_Slot], now: float) -> None:
        """All that are due see the same moment. The store is read only where one of them wants it."""
        fleet = self.fleet()
        wants_store = any("store" in slot.panel.wants for slot in due)
        store = self._reading = asyncio.create_task(self._store()) if wants_store else None
        for slot in due:
            slot.began_at = now
            slot.running = asyncio.create_task(self._draw(slot, fleet, store))

    async def _draw(self, slot: _Slot, fleet: FleetNow, store: asyncio.Task[StoreNow] | None) -> None:
        try:
            given: dict[str, Any] = {"fleet": fleet, "clock": self._clock, "settings": self._watch.settings}
            if "store" in slot.panel.wants and store is not None:
                given["store"] = await asyncio.shield(store)
            found, fault = await self._call(slot.panel, given)
        except GizziError as error:
            found, fault = None, str(error)
        else:
            if fault is None:
                slot.shown = {"kind": found[0], "value": found[1], "error": None, "at": iso(self._clock.now())}
        finally:
            slot.at, slot.running = self._clock.now(), None
        if fault is not None:
            slot.shown = {**slot.shown, "error": one_line(fault, 300)}

    async def _call(self, panel: Panel, given: Mapping[str, Any]) -> tuple[Any, str | None]:
        """The kind and value of what it drew, or what went wrong."""
        if not panel.awaits and self._watch.live:
            return await in_thread(lambda: panel.call(given, value_of))[1]  # type: ignore[no-any-return]
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await panel.call_here(given, value_of)
        except TimeoutError:
            return None, f"it did not answer in {duration_text(PATIENCE_S)}"

    def fleet(self) -> FleetNow:
        """What panels see of the fleet now."""
        watch, now = self._watch, self._clock.now()
        chains = []
        for name in watch.chains:
            view = watch.fleet.chain_view(name, now)
            chains.append(ChainNow(name, len(view.validators), view.authorities, missing(view), view.can_lose))
        return FleetNow(watch.settings.network.name, now, tuple(watch.statuses()), tuple(chains))

    async def _store(self) -> StoreNow:
        incidents = await self._desk.incidents(limit=KEPT)
        found = await self._watch.store.run(lambda c: rows.all_actions(c, KEPT))
        actions = tuple(rows.action_json(row) for row in found)
        return StoreNow(tuple(incidents), actions, tuple(await self._actions.approvals()), await self._spend(), await self._check())

    async def _spend(self) -> dict[str, Decimal]:
        budget, day = self._watch.settings.budget, day_of(self._clock.now())
        gone = await self._watch.store.run(lambda c: spent(c, day))
        left = left_of(budget, gone)
        return {
            "day_usd": budget.day_usd - left.day_usd,
            "day_budget_usd": budget.day_usd,
            "month_usd": budget.month_usd - left.month_usd,
            "month_budget_usd": budget.month_usd,
        }

    async def _check(self) -> dict[str, Any]:
        now = self._clock.now()
        if self._checked is None or not 0 <= now - self._checked["checked_at"] < CHECK_EVERY_S:
            found = await self._memory.verify()
            self._checked = {"entries": found.entries, "ok": found.ok, "fault": found.fault, "checked_at": now}
        return self._checked


def _shown(slot: _Slot, now: float) -> dict[str, Any]:
    about = {"name": slot.panel.name, "title": one_line(slot.panel.title, 60), "summary": one_line(slot.panel.summary, 300)}
    waits_s = now - slot.began_at if slot.running is not None else 0.0
    late = {"error": f"it has not answered for {duration_text(waits_s)}"} if waits_s >= PATIENCE_S else {}
    return {**about, **slot.shown, **late}
