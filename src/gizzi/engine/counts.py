"""What the store counts, for metrics: incidents, actions, approvals, notifications, spend. One read for all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select

from gizzi.engine.watcher.rows import Record, record
from gizzi.models.budget import Spent
from gizzi.models.ledger import day_of
from gizzi.models.ledger_rows import spent
from gizzi.store.action_schema import actions, approvals
from gizzi.store.schema import incidents
from gizzi.store.switch import stopped
from gizzi.store.tell_schema import outbox


@dataclass(frozen=True, slots=True)
class Counts:
    """incidents: by (state, severity). permissions: of actions, by the guard's last answer. actions: by (action, outcome, verdict), those
    that were begun. messages: of the notification queue, by state; failing: those of it that have failed and are tried again. findings: how
    often a model was right to open an incident."""

    incidents: Mapping[tuple[str, str], int]
    permissions: Mapping[str, int]
    actions: Mapping[tuple[str, str, str], int]
    approvals_waiting: int
    messages: Mapping[str, int]
    failing: int
    spent: Spent
    is_stopped: bool
    findings: Record


def read(connection: Connection, now: float) -> Counts:
    table = incidents
    open_or_not = select(table.c.state, table.c.severity, func.count()).where(table.c.merged_into.is_(None))
    begun = select(actions.c.action, actions.c.outcome, actions.c.verdict, func.count()).where(actions.c.intent_at.is_not(None))
    waiting = select(func.count()).select_from(approvals).where(and_(approvals.c.state == "waiting", approvals.c.expires_at > now))
    failing = select(func.count()).select_from(outbox).where(and_(outbox.c.state.in_(("waiting", "claimed")), outbox.c.tries > 0))
    return Counts(
        incidents={(row[0], row[1]): row[2] for row in connection.execute(open_or_not.group_by(table.c.state, table.c.severity))},
        permissions=_counted(connection, actions.c.permission),
        actions=_actions(connection, begun.group_by(actions.c.action, actions.c.outcome, actions.c.verdict)),
        approvals_waiting=connection.execute(waiting).scalar() or 0,
        messages=_counted(connection, outbox.c.state),
        failing=connection.execute(failing).scalar() or 0,
        spent=spent(connection, day_of(now)),
        is_stopped=stopped(connection) is not None,
        findings=record(connection),
    )


def _counted(connection: Connection, column: Any) -> dict[str, int]:
    return {word: count for word, count in connection.execute(select(column, func.count()).group_by(column)) if word is not None}


def _actions(connection: Connection, query: Any) -> dict[tuple[str, str, str], int]:
    found: Counter[tuple[str, str, str]] = Counter()
    for action, outcome, verdict, count in connection.execute(query):
        found[action, outcome or "under_way", verdict or "none"] += count
    return found
