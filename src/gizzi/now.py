"""What a panel is given: the fleet and the store as they are at one moment. Values alone: nothing in them can be changed or awaited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ChainNow:
    """One chain. validators: how many of it are watched. authorities: how many vote, None where nobody knows. missing: those that do not,
    ours by number and others by id. can_lose: how many may be missing before finality stops, floor((authorities - 1) / 3)."""

    id: str
    validators: int
    authorities: int | None
    missing: tuple[int | str, ...]
    can_lose: int | None


@dataclass(frozen=True, slots=True)
class FleetNow:
    """The fleet. at: epoch seconds. validators: the status of each, in order of number, as `/api/network/status` has it."""

    network: str
    at: float
    validators: tuple[Mapping[str, Any], ...]
    chains: tuple[ChainNow, ...]


@dataclass(frozen=True, slots=True)
class StoreNow:
    """What is kept. incidents, actions: the newest 200, newest first, as every face shows them. approvals: those that wait.

    spend: `day_usd`, `day_budget_usd`, `month_usd` and `month_budget_usd`, each a Decimal. memory: `entries`, `ok`, `fault` (what was
    changed, in one line, or None) and `checked_at` (epoch seconds); it is checked every ten minutes.
    """

    incidents: tuple[Mapping[str, Any], ...]
    actions: tuple[Mapping[str, Any], ...]
    approvals: tuple[Mapping[str, Any], ...]
    spend: Mapping[str, Any]
    memory: Mapping[str, Any]
