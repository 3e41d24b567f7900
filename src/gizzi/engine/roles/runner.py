"""Runs a role's task: facts by code, words by a model where one may be asked, the report into memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gizzi.analysis.forecast import Outlook, coming
from gizzi.config import Validator
from gizzi.engine.foresight.foresight import DAY_S, SOON_S
from gizzi.engine.roles.report import Report, adds_nothing, entry_of, facts_text
from gizzi.engine.roles.scene import Scene
from gizzi.errors import GizziError, NotFound, SourceError, UsageError
from gizzi.kinds import SEVERITIES, ReportItem, RoleTask
from gizzi.memory.memory import Memory
from gizzi.models.router import Router
from gizzi.readers.text import one_line
from gizzi.registry import Registry
from gizzi.roles.load import Role, role_named

LONGEST_WORDS = 1200
TASK_S = 600.0
PHRASE_S = 60.0


@dataclass
class RoleRunner:
    """scene_of: what the role may look at, for these validators. router: None where no model may be asked. memory: None keeps nothing."""

    registry: Registry
    roles: Mapping[str, Role]
    scene_of: Callable[[Sequence[Validator], Mapping[str, str]], Scene]
    validators: Sequence[Validator]
    router: Router | None
    memory: Memory | None

    async def run(self, name: str, task: str, *, validator: int | None = None, options: Mapping[str, str] | None = None) -> Report:
        """Raises NotFound, UsageError; what cannot be read is an item of the report."""
        role = role_named(self.roles, name)
        if task not in role.tasks:
            known = ", ".join(role.tasks) or "none"
            raise NotFound(f"the role {name} has no task {task!r}; it has: {known}")
        mine = self._validators(role, validator)
        scene = self.scene_of(mine, options or {})
        found = await self._facts(task, scene)
        items = tuple(sorted(found, key=lambda item: -SEVERITIES.index(item.severity)))
        following = what_breaks_next(await scene.foreseen(), scene.now)
        words, model, cost_usd, note = await self._phrase(role, task, items, following)
        report = Report(role.name, task, scene.now, items, tuple(v.number for v in mine), words, model, cost_usd, note, following)
        if self.memory is not None:
            await self.memory.add(entry_of(report))
        return report

    def _validators(self, role: Role, validator: int | None) -> Sequence[Validator]:
        mine = [v for v in self.validators if role.validators is None or v.number in role.validators]
        if validator is None:
            return mine
        chosen = [v for v in mine if v.number == validator]
        if not chosen:
            raise NotFound(f"there is no validator {validator} that the role {role.name} looks after")
        return chosen

    async def _facts(self, task: str, scene: Scene) -> list[ReportItem]:
        if task not in self.registry.tasks:
            return _overview(scene)
        item = self.registry.tasks[task]
        given = _given(item, scene)
        try:
            async with asyncio.timeout(TASK_S):
                said = await item.gather(given)
        except TimeoutError:
            return [
                ReportItem(f"{task} took longer than {TASK_S / 60:.0f} min and was ended; what it would have found is unknown", "medium")
            ]
        except SourceError as error:
            return [ReportItem(one_line(f"{task} could not be done: {error}", 500), "medium")]
        return [ReportItem(one_line(said, 2000))] if isinstance(said, str) else said

    async def _phrase(
        self, role: Role, task: str, items: Sequence[ReportItem], following: Sequence[ReportItem]
    ) -> tuple[str, str | None, Decimal, str]:
        """A summary by a model, checked; and why there is none."""
        if self.router is None or not items:
            return "", None, Decimal(0), "" if items else "nothing to put into words"
        items = [*items, *following]
        question = (
            f"{role.persona}\n\nYour task was {task}: {role.tasks[task]}\nSum up for the operator in at most five sentences what follows, "
            f"the gravest first. Use only these facts and numbers.\n<data>\n{facts_text(items)}\n</data>"
        )
        try:
            answer = await self.router.ask(question, role=role.name, kind="report", limit_s=PHRASE_S)
        except GizziError as error:
            return "", None, Decimal(0), f"in plain words, since no model answered: {error}"
        words = one_line(answer.response, LONGEST_WORDS)
        cost_usd = answer.cost_usd or Decimal(0)
        if not adds_nothing(words, items):
            return "", answer.model, cost_usd, f"in plain words: {answer.model} added a figure that nobody observed"
        return words, answer.model, cost_usd, ""


def what_breaks_next(outlooks: Sequence[Outlook], now: float) -> tuple[ReportItem, ...]:
    """What surely breaks within a week, the next first; where nothing does, that, and how much is unknown."""
    soon = coming(outlooks, now, SOON_S)
    if soon:
        return tuple(
            ReportItem(f.text(), "medium" if (left_s := f.left_s(now) or 0.0) < DAY_S else "low", f.subject, next_at=now + left_s)
            for f in soon
        )
    if not outlooks:
        return (ReportItem("what will break next is not known: no forecast was made lately; `gizzi watch` makes them every hour"),)
    unknown = sum(bool(found.unknown) for found in outlooks)
    rest = f"; {unknown} of {len(outlooks)} forecasts are unknown, for too little history" if unknown else ""
    return (ReportItem(f"nothing is foreseen to break within 7 days{rest}"),)


def _given(item: RoleTask, scene: Scene) -> dict[str, Any]:
    parts = {
        "scene": scene,
        "validators": scene.validators,
        "settings": scene.settings,
        "store": scene.store,
        "clock": scene.clock,
    }
    unknown = [name for name in scene.options if name not in item.wants or name in parts]
    if unknown:
        wants = ", ".join(f"--with {name}=…" for name in item.wants if name not in parts) or "none"
        raise UsageError(f"{item.name} has no option {unknown[0]}; it has: {wants}")
    return {name: parts[name] if name in parts else scene.options.get(name) for name in item.wants}


def _overview(scene: Scene) -> list[ReportItem]:
    """Of a task without code of its own: how its validators do now."""
    return [
        ReportItem(
            f"up: {_word(view.up)}, {view.peers if view.peers is not None else 'unknown'} peers, height {view.block_height or 'unknown'}",
            "low" if view.up else "medium",
            f"validator {validator.number}",
            scene.evidence(validator, "block_height", "peers", "finalized_height"),
        )
        for validator in scene.validators
        for view in [scene.view(validator)]
    ]


def _word(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"
