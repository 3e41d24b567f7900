"""What a model opened, and what became of it, in the store. Each function is one read or write within a transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from gizzi.alerts.external import MODEL, PREFIX, is_model
from gizzi.engine.watcher.bounds import Earlier
from gizzi.engine.watcher.outcome import Opened, Outcome, OwnIncident
from gizzi.errors import NotFound, UsageError
from gizzi.store.finding_schema import findings
from gizzi.store.schema import alerts, events, incidents


@dataclass(frozen=True, slots=True)
class Record:
    """How often a model was right to open an incident. open: those of which nobody knows yet."""

    open: int = 0
    hits: int = 0
    false_alarms: int = 0


def record(connection: Connection) -> Record:
    counted = select(findings.c.outcome, func.count()).group_by(findings.c.outcome)
    outcomes: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    waiting = connection.execute(select(func.count()).select_from(incidents).where(_undecided())).scalar()
    return Record(waiting or 0, outcomes.get("hit", 0), outcomes.get("false_alarm", 0))


def undecided(connection: Connection) -> list[Opened]:
    found = connection.execute(select(incidents).where(_undecided()).order_by(incidents.c.id))
    return [Opened(row.id, frozenset(json.loads(row.validators)), row.opened_at, row.resolved_at, row.acknowledged_by) for row in found]


def own_incidents(connection: Connection, since: float) -> list[OwnIncident]:
    """Those that rules of ours opened since then, oldest first."""
    ours = and_(incidents.c.opened_at >= since, ~incidents.c.rule.startswith(MODEL), ~incidents.c.rule.startswith(PREFIX))
    found = connection.execute(select(incidents).where(ours).order_by(incidents.c.opened_at, incidents.c.id))
    return [OwnIncident(row.id, row.rule, frozenset(json.loads(row.validators)), row.opened_at) for row in found]


def earlier(connection: Connection, since: float) -> list[Earlier]:
    """What models said since then, and what still fires of it."""
    of_models = and_(alerts.c.rule.startswith(MODEL), (alerts.c.since >= since) | (alerts.c.state == "firing"))
    query = select(alerts.c.subject, alerts.c.rule, alerts.c.since, alerts.c.resolved_at, alerts.c.state, findings.c.outcome)
    joined = query.select_from(alerts.outerjoin(findings, findings.c.incident == alerts.c.incident)).where(of_models)
    return [
        Earlier((row.subject, row.rule), row.since, None if row.state == "firing" else row.resolved_at or row.since, row.outcome)
        for row in connection.execute(joined)
    ]


def to_close(connection: Connection) -> set[int]:
    """Open incidents of models of which it is known what they were; where one was right, those that nobody looks after."""
    is_known = and_(findings.c.incident == incidents.c.id, incidents.c.state != "resolved")
    done = (findings.c.outcome == "false_alarm") | (incidents.c.state == "triggered")
    return set(connection.execute(select(incidents.c.id).where(and_(is_known, done))).scalars())


def decide(connection: Connection, incident: int, outcome: Outcome, now: float) -> None:
    """A person's word stands; otherwise the first that is known."""
    if connection.execute(select(findings.c.incident).where(findings.c.incident == incident)).scalar() is None:
        _write(connection, incident, outcome, now)


def say_false_alarm(connection: Connection, incident: int, by: str, now: float) -> None:
    """A person's word on it. Raises NotFound, UsageError."""
    rule = connection.execute(select(incidents.c.rule).where(incidents.c.id == incident)).scalar()
    if rule is None:
        raise NotFound(f"there is no incident inc-{incident}; `gizzi incidents` lists them")
    if not is_model(rule):
        raise UsageError(f"inc-{incident} was opened by {rule}, and not by a model; to mute a rule, use `gizzi silence {rule}`")
    connection.execute(delete(findings).where(findings.c.incident == incident))
    _write(connection, incident, Outcome("false_alarm", f"{by} says that it is a false alarm"), now, by)


def _write(connection: Connection, incident: int, outcome: Outcome, now: float, by: str | None = None) -> None:
    connection.execute(insert(findings).values(incident=incident, at=now, outcome=outcome.name, why=outcome.why, by=by))
    connection.execute(insert(events).values(incident=incident, at=now, kind=outcome.name, text=outcome.why))


def _undecided() -> ColumnElement[bool]:
    known = select(findings.c.incident).where(findings.c.incident == incidents.c.id).exists()
    return and_(incidents.c.rule.startswith(MODEL), incidents.c.merged_into.is_(None), ~known)
