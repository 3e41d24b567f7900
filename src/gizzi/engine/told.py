"""What faces tell of money and of roles, from what several parts know."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from gizzi.clock import Clock
from gizzi.config import Settings
from gizzi.engine.watcher.rows import record
from gizzi.memory.memory import Memory
from gizzi.models.report import By, costs_by, frontier_of
from gizzi.models.router import Router
from gizzi.roles.load import WATCHER, Role, load_roles
from gizzi.store import Store

REPORT = "report"
LOOK_BACK = 200


async def costs(settings: Settings, router: Router, store: Store, clock: Clock, by: By) -> dict[str, Any]:
    """This month's costs, beside what the frontier model alone would have cost."""
    now = clock.now()
    catalogue = await asyncio.to_thread(lambda: router.catalogue)
    frontier = frontier_of(catalogue, datetime.fromtimestamp(now, UTC).date())
    return await costs_by(store, by, now=now, budget=settings.budget, frontier=frontier)


async def roles(settings: Settings, memory: Memory, store: Store) -> list[dict[str, Any]]:
    """Every role with its last report; None where it has written none lately. Raises ConfigError where a role's file is wrong.

    findings: of the watcher, how often it was right to open an incident; None of the others.
    """
    found = await asyncio.to_thread(load_roles, settings)
    reports = {stored.entry.author: stored.as_json() for stored in reversed(await memory.latest(LOOK_BACK, kind=REPORT))}
    judged = asdict(await store.run(record))
    return [
        {**_role_json(role), "findings": judged if role.name == WATCHER else None, "last_report": reports.get(role.name)}
        for role in found.values()
    ]


def _role_json(role: Role) -> dict[str, Any]:
    return {
        "name": role.name,
        "description": role.description,
        "tier": role.tier,
        "tools": list(role.tools),
        "validators": None if role.validators is None else list(role.validators),
        "schedule": role.schedule or None,
        "budget_usd": None if role.budget_usd is None else format(role.budget_usd, "f"),
        "tasks": dict(role.tasks),
        "where": role.where,
    }
