"""What a running daemon knows that a single look cannot see: stalls, missing votes, and whatever else takes time to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gizzi.alerts.external import is_model
from gizzi.analysis.forecast import Outlook, coming
from gizzi.clock import Clock
from gizzi.engine.desk import Desk
from gizzi.engine.foresight.foresight import SOON_S
from gizzi.engine.foresight.rows import latest
from gizzi.errors import StoreError
from gizzi.store import Store, open_store
from gizzi.store.store import LEASE_S


@dataclass(frozen=True, slots=True)
class Known:
    """watching: a daemon runs on the store. alerts: what fires, only where one does. incidents: the open ones, as they were left. soon:
    what surely breaks within a week, the next first, by forecasts of the last hours."""

    watching: bool = False
    alerts: Sequence[dict[str, Any]] = ()
    incidents: Sequence[dict[str, Any]] = field(default=())
    soon: Sequence[Outlook] = ()
    trouble: str | None = None
    """Why the store could not be read."""


def store_exists(url: str) -> bool:
    """Whether there is a store to open; a look must not create one. A server's is taken to exist."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return True
    if parsed.get_backend_name() != "sqlite":
        return True
    return parsed.database not in (None, "", ":memory:") and Path(parsed.database or "").is_file()


async def known(url: str, clock: Clock) -> Known:
    """Ask the store. Never raises: what cannot be read is `trouble`."""
    if not store_exists(url):
        return Known()
    try:
        store = open_store(url)
    except StoreError as error:
        return Known(trouble=str(error))
    try:
        return await _read(store, clock)
    except StoreError as error:
        return Known(trouble=str(error))
    finally:
        store.close()


async def _read(store: Store, clock: Clock) -> Known:
    desk = Desk(store, clock)
    lease = await store.lease()
    watching = lease is not None and clock.now() - lease[1] < LEASE_S
    incidents = await desk.incidents(open_only=True)
    now = clock.now()
    soon = coming(await store.run(lambda c: latest(c, now)), now, SOON_S)
    return Known(watching, await desk.firing() if watching else (), incidents, soon)


def with_known(statuses: Sequence[dict[str, Any]], alerts: Sequence[dict[str, Any]], seen: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """The statuses with a daemon's firing alerts as reasons, health raised by them. seen: (subject, rule) of what the look found itself."""
    more: dict[int, list[dict[str, Any]]] = {}
    for alert in alerts:
        for number in alert["validators"] if (alert["subject"], alert["rule"]) not in seen and not is_model(alert["rule"]) else ():
            more.setdefault(number, []).append(alert)
    return [_raised(status, more.get(status["number"], [])) for status in statuses]


def _raised(status: dict[str, Any], alerts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if not alerts:
        return status
    health = status["health"]
    if any(alert["severity"] in ("high", "critical") for alert in alerts):
        health = "critical"
    elif health == "healthy":
        health = "warning"
    return {**status, "health": health, "reasons": [*(alert["text"] for alert in alerts), *status["reasons"]]}
