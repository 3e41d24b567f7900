"""Roles that run by the clock: each of their tasks, every so often, also across restarts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from sqlalchemy import Connection, and_, func, select

from gizzi.clock import Clock
from gizzi.engine.roles.report import Report
from gizzi.engine.roles.runner import RoleRunner
from gizzi.errors import GizziError, UsageError
from gizzi.roles.load import Role
from gizzi.store import Store
from gizzi.store.memory_schema import entries

log = structlog.get_logger("gizzi.roles")

LOOK_EVERY_S = 30.0
FIRST_AFTER_S = 120.0
"""After a start, so that there is something to look at."""


async def run_scheduled(runner: RoleRunner, store: Store, clock: Clock, read: Callable[[Report], Awaitable[None]]) -> None:
    """Without end: tasks that gather facts by code. One that fails is logged and tried again when it is due next; one that needs to be told
    more, such as a referendum's number, is a person's to run.

    read: gets each report.
    """
    started_at = clock.now()
    tried: dict[tuple[str, str], float] = {}
    while True:
        await clock.sleep(LOOK_EVERY_S)
        for role in [role for role in runner.roles.values() if role.every_s]:
            for task in [task for task in role.tasks if task in runner.registry.tasks]:
                try:
                    if clock.now() >= await _due_at(store, role, task, tried, started_at):
                        tried[role.name, task] = clock.now()
                        with suppress(UsageError):
                            await read(await runner.run(role.name, task))
                except GizziError as error:
                    log.error("role_failed", role=role.name, task=task, error=str(error))


async def _due_at(store: Store, role: Role, task: str, tried: dict[tuple[str, str], float], started_at: float) -> float:
    every_s = role.every_s or 0.0
    last_at = tried.get((role.name, task)) or await store.run(lambda c: _reported_at(c, role.name, task))
    return max(started_at + FIRST_AFTER_S, (last_at or 0.0) + every_s)


def _reported_at(connection: Connection, role: str, task: str) -> float | None:
    of_it = and_(entries.c.author == role, entries.c.kind == "report", entries.c.tags.contains(f'"{task}"', autoescape=True))
    found = connection.execute(select(func.max(entries.c.at_ms)).where(of_it)).scalar()
    return None if found is None else float(found) / 1000
