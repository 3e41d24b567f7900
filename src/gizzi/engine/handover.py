"""Hands what is complex to a person: writes the diagnostic file that Claude Code follows, and says how it is run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import insert
from sqlalchemy.engine import make_url

from gizzi.alerts.alert import Alert
from gizzi.alerts.correlate import Change
from gizzi.alerts.external import is_model
from gizzi.alerts.incident import Decision, Incident
from gizzi.clock import Clock
from gizzi.config import Settings, state_folder
from gizzi.engine import records
from gizzi.engine.act.response import ENDS, News
from gizzi.engine.files.write import Files, Written
from gizzi.engine.patience import patiently
from gizzi.engine.tell.teller import Say
from gizzi.errors import GizziError
from gizzi.kinds import Rule
from gizzi.readers.text import harmless
from gizzi.store import Store, schema

log = structlog.get_logger("gizzi.handover")

KIND = "handed_over"
"""Of the line in the incident's timeline."""
LOW_CONFIDENCE = 0.5


class HandOver:
    """`hear` is given every stored change, `hear_news` all that actions do; `keep` runs beside the loop. tell: tells people of it."""

    def __init__(self, settings: Settings, rules: Mapping[str, Rule], store: Store, clock: Clock, tell: Say) -> None:
        self._files = Files(settings, folder_of(settings), named=True)
        self._rules = rules
        self._store = store
        self._clock = clock
        self._tell = tell
        self._wanted: asyncio.Queue[tuple[int, str | None]] = asyncio.Queue()

    def hear(self, change: Change) -> None:
        incident = change.incident
        if change.kind == "decided" and incident.decision is not None and incident.decision.action != "wait":
            self._wanted.put_nowait((incident.id, complex_because(list(incident.alerts.values()), incident.decision, self._rules)))

    async def hear_news(self, news: News) -> None:
        action = news.action
        helped = action["outcome"] is None or (action["outcome"] == "done" and action["verdict"] in ("resolved", "unknown", None))
        if news.kind in ENDS and action["incident"] and not helped:
            ended = action["verdict"] or action["outcome"]
            self._wanted.put_nowait(
                (int(str(action["incident"])[4:]), f"the first try ({action['action']}) ended as {ended.replace('_', ' ')}")
            )

    async def keep(self) -> None:
        """Hand over what is wanted, without end."""
        while True:
            number, why = await self._wanted.get()
            try:
                await patiently(self._clock, partial(self.hand_over, number, why))
            except GizziError as error:  # the incident stays with people as it is
                log.error("not_handed_over", incident=f"inc-{number}", error=str(error))

    async def hand_over(self, number: int, why: str | None) -> Written | None:
        """Write the file, link it on the incident, tell people. why: None where it is only complex if its validator has other trouble too.

        None where that has been done before, the incident is over, of Gizzi itself or a model's, or not complex.
        """
        row = await self._store.incident_row(number)
        events = await self._store.event_rows(number)
        why = why or _other_trouble(row, await self._store.incident_rows(open_only=True))
        of_us = (row["chain"] is None and row["validators"] == "[]") or is_model(row["rule"])
        if why is None or of_us or row["state"] == "resolved" or any(event["kind"] == KIND for event in events):
            return None
        (incident,) = records.incidents_of([row], await self._store.alert_rows(incidents=[number]))
        written = self._write(incident, why)
        text = f"{why}; Claude Code looks into it with: {written.command}"
        line = insert(schema.events).values(incident=number, at=self._clock.now(), kind=KIND, text=text)
        title, body = f"inc-{number} is handed over: {harmless(why)}", f"{harmless(incident.summary)}\nRun: {written.command}"
        await self._tell(f"handover-inc-{number}", title, body, lambda connection: connection.execute(line))
        self._store.version += 1
        log.info(KIND, incident=f"inc-{number}", why=why, path=str(written.path))
        return written

    def _write(self, incident: Incident, why: str) -> Written:
        decision = incident.decision
        said = [f"inc-{incident.id}: {incident.summary}", f"Why a person is needed: {why}"]
        said += [f"Decided so far: {decision.action}, {decision.reasoning}"] if decision else []
        known = [f"{alert.severity} {alert.rule} ({alert.state}): {alert.text}" for alert in incident.alerts.values()]
        if len(incident.validators) == 1 or (incident.validators and not self._files.settings.validators):
            return self._files.diagnostic(str(incident.validators[0]), "\n".join(said), known)
        return self._files.diagnostic_of_chain(incident.chain or "", "\n".join(said), known)


def complex_because(alerts: list[Alert], decision: Decision, rules: Mapping[str, Rule]) -> str | None:
    """Why an incident is too much for one decision, as it shows by itself; None where it is not."""
    if decision.tier != "reflex" and decision.confidence < LOW_CONFIDENCE:
        return f"the decision is unsure (confidence {decision.confidence:.2f})"
    firing = {alert.rule for alert in alerts if alert.state == "firing"}
    explained = {symptom for rule in firing & rules.keys() for symptom in rules[rule].explains if symptom != rule}
    causes = sorted(firing - explained)
    return f"it has {len(causes)} causes: {', '.join(causes)}" if len(causes) > 1 else None


def _other_trouble(row: Mapping[str, Any], open_rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Other open incidents of its one validator, by another rule; not those of low severity."""
    numbers = json.loads(row["validators"])
    grave = [other for other in open_rows if "low" not in (other["severity"], row["severity"]) and not is_model(other["rule"])]
    same = [other for other in grave if other["id"] != row["id"] and json.loads(other["validators"]) == numbers]
    rules = sorted({row["rule"], *(str(other["rule"]) for other in same)})
    return f"validator {numbers[0]} has {len(rules)} causes: {', '.join(rules)}" if len(numbers) == 1 and len(rules) > 1 else None


def folder_of(settings: Settings) -> Path:
    """Where the daemon may write: `workflows` beside the store's file; without one, where the account's state lies."""
    url = make_url(settings.store.url)
    own = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return (Path(url.database or "").resolve().parent if own else state_folder()) / "workflows"
