"""Panels about what may be done, and what was."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gizzi import FleetNow, Settings, StoreNow, panel

DAY_S = 86_400
UNKNOWN_NUMBER = "unknown"


@panel("quorum", title="Quorum and restarts left")
def quorum(fleet: FleetNow, settings: Settings) -> list[dict[str, Any]]:
    """How many authorities of each chain do not vote, how many may be missing, and how many restarts that leaves."""
    rows = []
    for chain in fleet.chains:
        missing = len(chain.missing)
        left = None if chain.can_lose is None else max(0, chain.can_lose - settings.policy.reserve - missing)
        rows.append(
            {
                "chain": chain.id,
                "authorities": UNKNOWN_NUMBER if chain.authorities is None else chain.authorities,
                "missing": missing,
                "may be missing": UNKNOWN_NUMBER if chain.can_lose is None else chain.can_lose,
                "restarts left": UNKNOWN_NUMBER if left is None else left,
            }
        )
    return rows


@panel("actions_today", title="Actions of the last 24 hours")
def actions_today(fleet: FleetNow, store: StoreNow) -> list[dict[str, Any]]:
    """What was proposed in the last 24 hours and what came of it, newest first."""
    return [
        {
            "id": action["id"],
            "at": action["proposed_at"][11:16],
            "action": action["action"],
            "validator": action["validator"],
            "guard": action["permission"] or "not asked",
            "outcome": (action["outcome"] or action["state"]).replace("_", " "),
            "verdict": (action["verdict"] or "none").replace("_", " "),
        }
        for action in store.actions
        if fleet.at - datetime.fromisoformat(action["proposed_at"]).timestamp() < DAY_S
    ]
