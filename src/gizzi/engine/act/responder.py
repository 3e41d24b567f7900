"""Starts a run for each decision to act, and carries on those that an earlier process left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from gizzi.alerts.correlate import Change
from gizzi.alerts.external import is_model
from gizzi.engine.act import response, rows
from gizzi.engine.act.response import Response
from gizzi.engine.durable import Runs
from gizzi.engine.patience import patiently

WRITES = ("restart",)
"""Decisions that lead to a write."""
LOOK_FOR_WISHES_S = 1.0
LOOK_FOR_STRAYS_S = 30.0
MOST = 100_000


class Responder:
    """`hear` is given every stored change; `keep` runs beside the loop."""

    def __init__(self, answers: Response, runs: Runs, *, looks_for_wishes: bool) -> None:
        self._looks_for_wishes = looks_for_wishes
        self.response = answers
        self.runs = runs
        self._store = answers.door.store
        self._clock = answers.door.clock
        self._wanted: asyncio.Queue[int] = asyncio.Queue()
        runs.register(response.NAME, answers.respond)
        self.is_open = asyncio.Event()
        """Set once runs can be started."""

    def hear(self, change: Change) -> None:
        decision = change.incident.decision
        if change.kind == "decided" and decision is not None and decision.action in WRITES:
            self._wanted.put_nowait(change.incident.id)

    async def keep(self) -> None:
        """Start what is wanted, without end. What an earlier process decided and did not begin comes first."""
        try:
            await self._patiently(self.runs.open)
            self.is_open.set()
            await self._patiently(self._settle_strays)
            for row in await self._patiently(self._store.incident_rows, open_only=True, limit=MOST):
                await self._patiently(self._begin_if_new, row["id"])
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_decided())
                group.create_task(self._watch_for_strays())
                if self._looks_for_wishes:
                    group.create_task(self._start_wanted())
        finally:
            await self.runs.close()

    async def help_out(self) -> None:
        """Carry out what another process starts, without end."""
        try:
            await self.runs.open()
            while True:
                await self._clock.sleep(3600.0)
        finally:
            await self.runs.close()

    async def see_to(self, wish: int) -> None:
        """Only this wish, to its end."""
        try:
            await self.runs.open()
            row = await self.response.door.row(wish)
            await self.runs.start(response.NAME, row["run"], _wished(row))
            await self.runs.result(row["run"])
        finally:
            await self.runs.close()

    async def _start_decided(self) -> None:
        while True:
            await self._patiently(self._begin_if_new, await self._wanted.get())

    async def _start_wanted(self) -> None:
        """What people ask for in other processes."""
        while True:
            for row in await self._patiently(self._store.run, rows.wanted):
                await self._patiently(self.runs.start, response.NAME, row["run"], _wished(row))
            await self._clock.sleep(LOOK_FOR_WISHES_S)

    async def _watch_for_strays(self) -> None:
        while True:
            await self._clock.sleep(LOOK_FOR_STRAYS_S)
            await self._patiently(self._settle_strays)

    async def _settle_strays(self) -> None:
        """Actions that nobody carries on: their process kept no run, or the run broke off. What was under way is in doubt then."""
        for row in await self._store.run(rows.unfinished):
            if row["state"] != "wanted" and not await self.runs.goes_on(whole_run(row["run"])):
                await self.response.settle_stray(row["id"])

    async def _begin_if_new(self, incident: int) -> None:
        """One run for a decision: none while another is under way, none where this decision has had one, and none for what a model says."""
        row = await self._store.incident_row(incident)
        decision = json.loads(row["decision"]) if row["decision"] else {}
        numbers = json.loads(row["validators"])
        if row["state"] == "resolved" or is_model(row["rule"]) or decision.get("action") not in WRITES or len(numbers) != 1:
            return
        before = await self._store.run(lambda c: rows.of_incidents(c, [incident]))
        decided = [event["at"] for event in await self._store.event_rows(incident) if event["kind"] == "decided"]
        if any(other["state"] != "closed" for other in before) or (before and before[-1]["proposed_at"] >= max(decided, default=0.0)):
            return
        run = f"inc-{incident}-{len(before) + 1}-{int(row['opened_at'])}"  # its own also where runs outlived the store they belong to
        await self.runs.start(response.NAME, run, _given(row, decision, numbers[0]))

    async def _patiently(self, work: Any, *given: Any, **named: Any) -> Any:
        return await patiently(self._clock, partial(work, *given, **named))


def _wished(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"action": row["action"], "validator": row["validator"], "why": row["why"], "by": row["proposed_by"]}


def whole_run(run: str) -> str:
    """The run that an action's own belongs to: inc-3-1 of inc-3-1/2, rolling-upgrade-5f3a of rolling-upgrade-5f3a/act4."""
    return run.partition("/")[0]


def _given(row: Mapping[str, Any], decision: Mapping[str, Any], validator: int) -> dict[str, Any]:
    return {
        "incident": row["id"],
        "action": decision["action"],
        "validator": validator,
        "why": decision["reasoning"],
        "by": decision["model"] or f"the {decision['tier']} tier",
        "evidence": [[item["observation"], item["quote"]] for item in decision["evidence"]],
    }
