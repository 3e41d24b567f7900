"""What goes into memory: each decision, each action with its verdict, and each closed incident as a case."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, func, select

from gizzi.alerts.correlate import Change
from gizzi.alerts.incident import Incident
from gizzi.clock import Clock
from gizzi.engine.act import rows
from gizzi.engine.act.response import ENDS, News
from gizzi.engine.decide import recall
from gizzi.engine.patience import patiently
from gizzi.memory.case import Case, Situation, case_of, entry_of
from gizzi.memory.entry import Entry, Priority, Status
from gizzi.memory.memory import Memory
from gizzi.store import Store
from gizzi.store.memory_schema import entries

T = TypeVar("T")
AUTHOR = "on-call"
LOOK_BACK = 200
STATUS_OF: Mapping[str, Status] = {"restart": "IN_PROGRESS", "wait": "PENDING", "investigate": "PENDING", "escalate": "ESCALATED"}
PRIORITY_OF: Mapping[str, Priority] = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "critical": "CRITICAL"}


class Remembering:
    """`hear` is given every stored change, `hear_news` all that actions do; `keep` runs beside the loop."""

    def __init__(self, memory: Memory, store: Store, clock: Clock) -> None:
        self.memory = memory
        self._store = store
        self._clock = clock
        self._wanted: asyncio.Queue[int | Entry] = asyncio.Queue()

    def hear(self, change: Change) -> None:
        incident = change.incident
        if change.kind == "decided" and incident.decision is not None:
            self._wanted.put_nowait(_decision_entry(change))
        elif change.kind == "resolved":
            self._wanted.put_nowait(incident.id)

    async def hear_news(self, news: News) -> None:
        if news.kind not in ENDS:
            return
        self._wanted.put_nowait(_action_entry(news))
        if news.action["incident"]:
            self._wanted.put_nowait(int(str(news.action["incident"]).removeprefix("inc-")))

    async def keep(self) -> None:
        """Write what is wanted, without end; first the cases that an earlier process did not come to."""
        for row in reversed(await self._patiently(partial(self._store.incident_rows, limit=LOOK_BACK))):
            if row["state"] == "resolved":
                await self._patiently(partial(self._close, row["id"]))
        while True:
            wanted = await self._wanted.get()
            await self._patiently(partial(self.memory.add, wanted) if isinstance(wanted, Entry) else partial(self._close, wanted))

    async def _close(self, incident: int) -> None:
        """The case of a closed incident, once for each time it was closed, when none of its actions is under way any more."""
        row = await self._store.incident_row(incident)
        if row["state"] != "resolved" or row["merged_into"]:
            return
        actions = await self._store.run(lambda c: rows.of_incidents(c, [incident]))
        remembered_at = await self._store.run(lambda c: _remembered_at(c, incident))
        if any(action["state"] != "closed" for action in actions) or (remembered_at or 0.0) >= row["resolved_at"]:
            return
        alerts = await self._store.alert_rows(incidents=[incident])
        at = max([row["resolved_at"], *(action["verdict_at"] or 0.0 for action in actions)])
        case = _case(row, tuple(sorted({alert["rule"] for alert in alerts})), actions)
        await self.memory.add(entry_of(case, at + 0.001, AUTHOR))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        return await patiently(self._clock, work, "memory_failed")


async def similar(memory: Memory, incident: Incident) -> list[recall.Case]:
    """Similar closed incidents, as a decision is shown them."""
    rules = tuple(sorted({alert.rule for alert in incident.alerts.values()}))
    situation = Situation(incident.rule, incident.severity, incident.chain, incident.validators, incident.summary, rules)
    return [_shown(case) for case in await memory.similar(situation)]


async def similar_to(memory: Memory, store: Store, incident: int) -> list[recall.Case]:
    """The same for an incident of the store. Raises NotFound."""
    row = await store.incident_row(incident)
    rules = tuple(sorted({alert["rule"] for alert in await store.alert_rows(incidents=[incident])}))
    found = await memory.similar(_situation(row, rules), k=4)
    return [_shown(case) for case in found if case.incident != incident][:3]


async def search(memory: Memory, text: str) -> list[recall.Case]:
    """Cases whose text holds these words."""
    found = [case_of(stored) for stored in await memory.search(text)]
    return [_shown(case) for case in found if case is not None]


def _shown(case: Case) -> recall.Case:
    situation = case.situation
    return recall.Case(
        f"inc-{case.incident}",
        case.closed_at,
        situation.rule,
        situation.validators,
        situation.summary,
        case.decision,
        case.verdict,
        case.reasoning,
    )


def _situation(row: Mapping[str, Any], rules: tuple[str, ...]) -> Situation:
    return Situation(row["rule"], row["severity"], row["chain"], tuple(json.loads(row["validators"])), row["summary"], rules)


def _case(row: Mapping[str, Any], rules: tuple[str, ...], actions: list[dict[str, Any]]) -> Case:
    decision = json.loads(row["decision"]) if row["decision"] else {}
    done = next((action for action in reversed(actions) if action["outcome"] is not None), None)
    decided = done["action"] if done is not None and done["action"] in STATUS_OF else decision.get("action", "none")
    return Case(
        situation=_situation(row, rules),
        decision=decided,
        reasoning=str(decision.get("reasoning", "")),
        action=f"{done['action']} {done['validator']}" if done else None,
        verdict=done["verdict"] if done else None,
        evidence=tuple((item["observation"], item["quote"]) for item in decision.get("evidence", ())),
        tier=decision.get("tier"),
        model=decision.get("model"),
        cost_usd=row["cost_usd"],
        lasted_s=row["resolved_at"] - row["opened_at"],
        incident=row["id"],
    )


def _remembered_at(connection: Connection, incident: int) -> float | None:
    latest = select(func.max(entries.c.at_ms)).where(and_(entries.c.incident == incident, entries.c.kind == "case"))
    found = connection.execute(latest).scalar()
    return None if found is None else float(found) / 1000


def _decision_entry(change: Change) -> Entry:
    incident = change.incident
    assert incident.decision is not None
    decision = incident.decision
    return Entry(
        at=change.at,
        author=AUTHOR,
        kind="decision",
        event=incident.summary,
        action=f"{decision.action}: {decision.reasoning}",
        status=STATUS_OF[decision.action],
        priority=PRIORITY_OF[incident.severity],
        tags=(incident.rule, *((incident.chain,) if incident.chain else ()), decision.tier),
        validators=incident.validators,
        incident=incident.id,
    )


def _action_entry(news: News) -> Entry:
    action = news.action
    resolved = action["verdict"] == "resolved"
    incident = int(str(action["incident"]).removeprefix("inc-")) if action["incident"] else None
    return Entry(
        at=news.at,
        author=AUTHOR,
        kind="action",
        event=f"{action['action']} of validator {action['validator']}: {news.text}",
        action=f"{action['id']} {action['action']} {action['validator']}, {action['outcome'] or 'not done'}",
        status="RESOLVED" if resolved else "ESCALATED" if news.needs_person else "COMPLETED",
        priority="MEDIUM" if resolved else "HIGH",
        tags=("action", str(action["verdict"] or action["outcome"] or "not_done")),
        validators=(action["validator"],),
        incident=incident,
    )
