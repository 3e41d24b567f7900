"""What people ask and say, from any face and any process: incidents, acknowledgements, silences, maintenance; all kept in the store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gizzi.alerts.external import is_external
from gizzi.alerts.incident import alert_json
from gizzi.clock import Clock, iso, seconds
from gizzi.config import Settings, nearest
from gizzi.engine import records
from gizzi.engine.act import rows as act_rows
from gizzi.engine.watcher.rows import say_false_alarm
from gizzi.errors import NotFound, UsageError
from gizzi.registry import Registry
from gizzi.store import Store

_INCIDENT = re.compile(r"(?:inc-)?(\d{1,9})", re.IGNORECASE)


class Desk:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def incidents(self, *, open_only: bool = False, limit: int = 200, offset: int = 0) -> list[dict[str, Any]]:
        """Incidents as every face shows them, newest first."""
        rows = await self._store.incident_rows(open_only=open_only, limit=limit, offset=offset)
        alerts = await self._store.alert_rows(incidents=[row["id"] for row in rows])
        of_incident: dict[int, list[Any]] = {row["id"]: [] for row in rows}
        for alert in alerts:
            of_incident[alert["incident"]].append(records.alert_of(alert))
        done = await self._actions([row["id"] for row in rows])
        return [records.shown(row, of_incident[row["id"]], done[row["id"]]) for row in rows]

    async def _actions(self, incidents: list[int]) -> dict[int, list[dict[str, Any]]]:
        found: dict[int, list[dict[str, Any]]] = {incident: [] for incident in incidents}
        for row in await self._store.run(lambda c: act_rows.of_incidents(c, incidents)):
            found[row["incident"]].append(act_rows.action_json(row))
        return found

    async def incident(self, name: str) -> dict[str, Any]:
        """One incident with its `timeline`. Raises NotFound."""
        number = incident_number(name)
        row = await self._store.incident_row(number)
        alerts = await self._store.alert_rows(incidents=[number])
        events = await self._store.event_rows(number)
        timeline = [{"at": iso(event["at"]), "kind": event["kind"], "text": event["text"]} for event in events]
        done = await self._actions([number])
        return {**records.shown(row, [records.alert_of(alert) for alert in alerts], done[number]), "timeline": timeline}

    async def firing(self) -> list[dict[str, Any]]:
        """Every alert that fires, muted ones too."""
        return [alert_json(records.alert_of(row)) for row in await self._store.alert_rows(firing=True)]

    async def acknowledge(self, name: str, by: str) -> None:
        await self._store.acknowledge(incident_number(name), by, self._clock.now())

    async def false_alarm(self, name: str, by: str) -> None:
        """Say that a model was wrong to open this incident: it is counted, and closed. Raises NotFound, UsageError."""
        number, now = incident_number(name), self._clock.now()
        await self._store.run(lambda c: say_false_alarm(c, number, by, now))
        self._store.version += 1

    async def silence(
        self, registry: Registry, settings: Settings, rule: str, validator: int | None, span: str, why: str, by: str
    ) -> float:
        """Mute one rule, on one validator or everywhere; returns until when (epoch seconds). Raises NotFound, UsageError."""
        if not is_external(rule):
            registry.rules[rule]
        if validator is not None:
            settings.validator(validator)
        until = self._until(span)
        now = self._clock.now()
        row = {"rule": rule, "validator": validator, "until": until, "why": _reason(why), "by": by, "created_at": now}
        await self._store.add_silence(row)
        return until

    async def maintain(self, settings: Settings, chains: Sequence[str], whom: str, span: str, why: str, by: str) -> float:
        """Say that somebody works on a validator (a number) or on a chain (its id); returns until when. Raises NotFound, UsageError."""
        validator = int(whom) if whom.isdigit() else None
        if validator is None and whom not in chains:
            raise NotFound(f"there is no validator and no chain {whom!r}{nearest(whom, list(chains))}")
        if validator is not None:
            settings.validator(validator)
        until = self._until(span)
        now = self._clock.now()
        chain = whom if validator is None else None
        row = {"validator": validator, "chain": chain, "until": until, "why": _reason(why), "by": by, "created_at": now}
        await self._store.add_maintenance(row)
        return until

    def _until(self, span: str) -> float:
        try:
            return self._clock.now() + seconds(span)
        except ValueError as error:
            raise UsageError(f"--for: {error}") from None


def incident_number(name: str) -> int:
    """3 from "inc-3" or "3". Raises UsageError."""
    match = _INCIDENT.fullmatch(name.strip())
    if match is None:
        raise UsageError(f"{name!r} is not an incident; they are named like inc-3, and `gizzi incidents` lists them")
    return int(match[1])


def _reason(why: str) -> str:
    if not why.strip():
        raise UsageError("--why: say why, in a few words; others will read it at night")
    return why.strip()[:500]
