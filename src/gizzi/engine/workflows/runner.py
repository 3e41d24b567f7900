"""Runs workflows: takes up what people want, carries on what an earlier process left, and keeps how each run ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from gizzi.config import Settings
from gizzi.engine.act.response import Response
from gizzi.engine.durable import Procedure, Run, Runs
from gizzi.engine.patience import patiently
from gizzi.engine.tell.teller import Say
from gizzi.engine.workflows import rows
from gizzi.engine.workflows.run import WorkflowRun
from gizzi.errors import GizziError
from gizzi.kinds import Workflow
from gizzi.reach import Http
from gizzi.readers.text import harmless, one_line
from gizzi.registry import Registry

log = structlog.get_logger("gizzi.workflows")

LOOK_EVERY_S = 1.0
LONGEST_TEXT = 1000


@dataclass
class WorkflowRunner:
    """`keep` runs beside the loop. tell: tells people how a run ended. on_say: who hears what a run says. live: others write to the store
    too."""

    settings: Settings
    registry: Registry
    response: Response
    runs: Runs
    http: Http
    tell: Say
    live: bool = True
    on_say: list[Callable[[str, str], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._store = self.response.door.store
        self._clock = self.response.door.clock
        self._ends = False
        for workflow in self.registry.workflows:
            if not workflow.here:
                self.runs.register(workflow.name, self._procedure(workflow))

    async def keep(self, is_open: asyncio.Event) -> None:
        """Start what is wanted, until cancelled. is_open: set once runs can be started."""
        await is_open.wait()
        try:
            await patiently(self._clock, self._settle_lost)
            while self.live:
                for row in await patiently(self._clock, partial(self._store.run, partial(rows.unfinished, state="wanted"))):
                    await patiently(self._clock, partial(self._start, row))
                await self._clock.sleep(LOOK_EVERY_S)
        except asyncio.CancelledError:
            self._ends = True
            raise

    async def start(self, run_id: str) -> None:
        """Start what is wanted under that id."""
        await self._start(await self._store.run(partial(rows.run, run_id=run_id)))

    async def _start(self, row: Mapping[str, Any]) -> None:
        name = row["workflow"]
        if name not in self.registry.workflows or self.registry.workflows[name].here:
            await self._end(row["id"], "failed", f"there is no workflow {name!r} in the process that watches; start that again to load it")
            return
        await self.runs.start(name, row["id"], {"given": json.loads(row["given"]), "by": row["by"]})

    async def _settle_lost(self) -> None:
        """Runs of a process that ended and kept none of them."""
        for row in await self._store.run(partial(rows.unfinished, state="running")):
            if not await self.runs.goes_on(row["id"]):
                await self._end(row["id"], "failed", "the process it ran in ended, and nothing kept it; run it again")

    def _procedure(self, workflow: Workflow) -> Procedure:
        async def procedure(run: Run, *, given: Mapping[str, str], by: str) -> str:
            await self._write(partial(rows.begin, run_id=run.id, now=self._clock.now()))
            whole = WorkflowRun(run, self.response, f"{workflow.name} ({by})", heard=partial(self._heard, run.id))
            state, text = await outcome(workflow, {**given, "settings": self.settings, "http": self.http}, whole)
            if self._ends and state == "failed":
                raise asyncio.CancelledError  # this process is ending, and the next one takes the run up
            await self._end(run.id, state, text)
            return state

        procedure.__qualname__ = f"workflow.{workflow.name}"
        return procedure

    def _heard(self, run_id: str, text: str) -> None:
        log.info("workflow", run=run_id, text=text)
        for listener in self.on_say:
            listener(run_id, text)

    async def _end(self, run_id: str, state: str, text: str | None) -> None:
        ended = partial(rows.end, run_id=run_id, state=state, text=text, now=self._clock.now())
        body = f"{harmless(text or '', LONGEST_TEXT)}\nLook: gizzi workflow show {run_id}".strip()
        await patiently(self._clock, partial(self.tell, run_id, f"Workflow {run_id}: {state}", body, ended))
        self._store.version += 1
        log.info("workflow_ended", run=run_id, state=state, text=text or "")

    async def _write(self, work: Callable[..., None]) -> None:
        await patiently(self._clock, partial(self._store.run, work))


async def outcome(workflow: Workflow, given: Mapping[str, Any], run: Any) -> tuple[str, str | None]:
    """How a workflow ended: done with its last word, stopped with its reason, or failed by a fault of its own."""
    try:
        result, fault = await workflow.carry_out(run, given)
    except GizziError as error:
        return "stopped", one_line(str(error), LONGEST_TEXT)
    if fault is not None:
        return "failed", one_line(f"the workflow {workflow.name} in {workflow.where} failed: {fault}", LONGEST_TEXT)
    return "done", one_line(result, LONGEST_TEXT) if isinstance(result, str) else None
