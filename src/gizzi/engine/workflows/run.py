"""What a workflow works with: steps that survive, and the one door to a write."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any

from gizzi.clock import beside
from gizzi.engine import durable
from gizzi.engine.act.response import Response
from gizzi.engine.patience import patiently
from gizzi.engine.workflows import rows
from gizzi.errors import GizziError
from gizzi.readers.text import one_line

LONGEST_TEXT = 500
_in_step: ContextVar[bool] = ContextVar("in_step", default=False)


class WorkflowRun:
    """`gizzi.Run` over a durable run. Plain functions run in threads. heard: told each line that the run says."""

    def __init__(self, inner: durable.Run, response: Response, by: str, *, heard: Callable[[str], None] = lambda text: None) -> None:
        self.id = inner.id
        self._inner = inner
        self._response = response
        self._by = by
        self._heard = heard
        self._store = response.door.store
        self._clock = response.door.clock
        self._count = 0
        self._acts = 0
        self._now = 0
        """The step that is under way."""
        self._told = ""

    async def step(self, name: str, function: Callable[..., Any], *given: Any) -> Any:
        return await self._step(name, function, *given)

    async def sleep(self, duration_s: float) -> None:
        if _in_step.get():
            await self._clock.sleep(duration_s)
        else:
            await self._inner.sleep(duration_s)

    async def look(self, validator: int) -> Mapping[str, Any] | None:
        if _in_step.get():
            return await self._look(validator)
        found: Mapping[str, Any] | None = await self._step(f"look at validator {validator}", self._look, validator)
        return found

    async def _look(self, validator: int) -> Mapping[str, Any] | None:
        seen = await self._response.door.world.look(validator)
        return None if seen is None else seen.as_json()

    async def act(self, action: str, validator: int, why: str, **given: str) -> Mapping[str, Any]:
        if _in_step.get():
            raise GizziError("an action is made of steps of its own: call run.act outside of run.step")
        self._acts += 1
        part = _Part(self, f"{self.id}/act{self._acts}", f"{action} of validator {validator}")
        return await self._response.respond(part, action=action, validator=validator, why=why, by=self._by, given=given)

    async def say(self, text: str) -> None:
        shown = one_line(text, LONGEST_TEXT)
        if not _in_step.get():
            await self._step("say", self._said, shown, ends="said")
            return
        if shown != self._told:
            self._told = shown
            self._heard(shown)
            await self._write(partial(rows.tell_step, run_id=self.id, number=self._now, text=shown))

    async def _said(self, text: str) -> str:
        self._heard(text)
        return text

    async def _step(self, name: str, function: Callable[..., Any], *given: Any, ends: str = "done") -> Any:
        if _in_step.get():
            raise GizziError(f"the step {name!r} is begun inside another one; call it after that has ended")
        self._count += 1
        return await self._inner.step(name, partial(self._kept, self._count, name, ends, function, given))

    async def _kept(self, number: int, name: str, ends: str, function: Callable[..., Any], given: tuple[Any, ...]) -> Any:
        """The function's call, with its row before and after it."""
        await self._write(partial(rows.begin_step, run_id=self.id, number=number, name=one_line(name), now=self._clock.now()))
        self._now, self._told = number, ""
        mark = _in_step.set(True)
        try:
            result = await self._call(function, given)
        except GizziError as error:
            await self._end(number, "failed", str(error))
            raise
        finally:
            _in_step.reset(mark)
        await self._end(number, ends, _short(result))
        return result

    async def _call(self, function: Callable[..., Any], given: tuple[Any, ...]) -> Any:
        if not inspect.iscoroutinefunction(function) and not isinstance(function, partial):
            result = await beside(partial(function, *given))
        else:
            result = function(*given)
        return await result if inspect.isawaitable(result) else result

    async def _end(self, number: int, state: str, text: str | None) -> None:
        shown = None if text is None else one_line(text, LONGEST_TEXT)
        await self._write(partial(rows.end_step, run_id=self.id, number=number, state=state, text=shown, now=self._clock.now()))

    async def _write(self, work: Callable[..., None]) -> None:
        await patiently(self._clock, partial(self._store.run, work), run=self.id)


class _Part:
    """A part of a run, for one action: its steps are the run's, with the action's name before theirs."""

    def __init__(self, whole: WorkflowRun, part_id: str, name: str) -> None:
        self.id = part_id
        self._whole = whole
        self._name = name

    async def step(self, name: str, function: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        return await self._whole._step(f"{self._name}: {name}", function, *given)

    async def sleep(self, duration_s: float) -> None:
        await self._whole.sleep(duration_s)


def _short(result: Any) -> str | None:
    """A result in one line; None where there is nothing to say."""
    if result is None or isinstance(result, str):
        return result
    if isinstance(result, Mapping) and "detail" in result:
        told = (result.get("outcome"), result.get("verdict"), result.get("detail"))
        return ", ".join(str(part) for part in told if part) or None
    return json.dumps(result, default=str, ensure_ascii=False)[: LONGEST_TEXT * 2]
