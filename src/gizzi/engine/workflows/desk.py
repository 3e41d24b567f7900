"""What people ask of workflows, from any face and any process: which there are, run one, how it goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from gizzi.clock import Clock
from gizzi.config import nearest
from gizzi.engine.act import response
from gizzi.engine.workflows import rows
from gizzi.errors import NotFound, UsageError
from gizzi.kinds import Workflow
from gizzi.registry import Registry
from gizzi.store import Store

LONGEST_VALUE = 1000
BY_ITSELF = {
    "name": response.NAME,
    "summary": "Have a decision permitted, carried out once, and its effect judged; it starts by itself with each decision to act.",
    "options": {},
    "here": False,
}
"""The workflow that nobody starts by hand."""


class WorkflowDesk:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def want(self, registry: Registry, name: str, given: Mapping[str, str], by: str) -> str:
        """Ask whoever watches to run it. Returns the run's id: of the one with the same words that has not ended, where there is one.

        Raises NotFound, UsageError.
        """
        workflow = checked(registry, name, given)
        row = {
            "id": f"{workflow.name}-{uuid4().hex[:8]}",
            "workflow": workflow.name,
            "given": json.dumps(dict(sorted(given.items())), ensure_ascii=False),
            "state": "wanted",
            "by": by,
            "wanted_at": self._clock.now(),
        }
        run_id = await self._store.run(partial(rows.add_run, row=row))
        self._store.version += 1
        return run_id

    async def withdraw(self, run_id: str) -> bool:
        """Take back what nobody has taken up. False where somebody has."""
        return await self._store.run(partial(rows.withdraw, run_id=run_id, now=self._clock.now()))

    async def runs(self, limit: int = 50) -> list[dict[str, Any]]:
        """Newest first."""
        return [rows.run_json(row) for row in await self._store.run(partial(rows.all_runs, limit=limit))]

    async def run(self, run_id: str) -> dict[str, Any]:
        """A run with its `steps`, and the approvals it `waits_for`. Raises NotFound."""
        row = await self._store.run(partial(rows.run, run_id=run_id))
        steps = await self._store.run(partial(rows.steps_of, run_id=run_id))
        waits = await self._store.run(partial(rows.waits_for, run_id=run_id))
        return {**rows.run_json(row), "waits_for": waits, "steps": [rows.step_json(step) for step in steps]}


def listed(registry: Registry) -> list[dict[str, Any]]:
    """Every workflow as faces show it, by name. options: what it is started with; true where it must be given."""
    shown = [
        {"name": item.name, "summary": item.summary, "options": item.options(), "here": item.here, "where": item.where}
        for item in registry.workflows
    ]
    return sorted([*shown, {**BY_ITSELF, "where": response.__name__}], key=lambda item: str(item["name"]))


def checked(registry: Registry, name: str, given: Mapping[str, str]) -> Workflow:
    """The workflow, if it may be started with these words. Raises NotFound, UsageError."""
    if name == response.NAME:
        raise UsageError(f"{name} starts by itself with each decision to act; `gizzi act` goes through the same door")
    if name not in registry.workflows:
        raise NotFound(f"there is no workflow {name!r}{nearest(name, [item.name for item in registry.workflows])}")
    workflow = registry.workflows[name]
    options = workflow.options()
    for word, value in given.items():
        if word not in options:
            known = [_option(option) for option in options]
            raise UsageError(f"the workflow {name} has no option {_option(word)}{nearest(_option(word), known)}")
        if len(value) > LONGEST_VALUE:
            raise UsageError(f"{_option(word)}: it is longer than {LONGEST_VALUE} characters")
    missing = next((option for option, needed in options.items() if needed and option not in given), None)
    if missing is not None:
        raise UsageError(f"the workflow {name} needs {_option(missing)}")
    return workflow


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
