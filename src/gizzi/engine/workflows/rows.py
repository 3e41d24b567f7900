"""Runs and their steps in the store. Each function works inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from gizzi.clock import iso
from gizzi.errors import NotFound
from gizzi.store.action_schema import actions, approvals
from gizzi.store.workflow_schema import runs, steps

Row = Mapping[str, Any]
UNFINISHED = ("wanted", "running")


def add_run(connection: Connection, row: Row) -> str:
    """The run of that workflow with the same words that has not ended, or this new one. Returns its id."""
    same = and_(runs.c.workflow == row["workflow"], runs.c.given == row["given"], runs.c.state.in_(UNFINISHED))
    found = connection.execute(select(runs.c.id).where(same).order_by(runs.c.wanted_at).limit(1)).scalar()
    if found is None:
        connection.execute(insert(runs).values(**row))
    return str(found or row["id"])


def run(connection: Connection, run_id: str) -> dict[str, Any]:
    """Raises NotFound."""
    row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
    if row is None:
        raise NotFound(f"there is no run {run_id}; `gizzi workflow show` lists them")
    return dict(row._mapping)


def all_runs(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Newest first."""
    return [dict(row._mapping) for row in connection.execute(select(runs).order_by(runs.c.wanted_at.desc(), runs.c.id).limit(limit))]


# Asked every second: made once.
_IN_STATE = select(runs).where(runs.c.state == bindparam("state")).order_by(runs.c.wanted_at)


def unfinished(connection: Connection, state: str) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(_IN_STATE, {"state": state})]


def begin(connection: Connection, run_id: str, now: float) -> None:
    """It runs, or goes on."""
    row = run(connection, run_id)
    values = {"state": "running", "started_at": row["started_at"] or now, "ended_at": None, "text": None}
    connection.execute(update(runs).where(runs.c.id == run_id).values(**values))


def end(connection: Connection, run_id: str, state: str, text: str | None, now: float) -> None:
    """And whatever step was under way has failed."""
    connection.execute(update(runs).where(runs.c.id == run_id).values(state=state, text=text, ended_at=now))
    under_way = and_(steps.c.run == run_id, steps.c.state == "running")
    connection.execute(update(steps).where(under_way).values(state="failed", ended_at=now))


def withdraw(connection: Connection, run_id: str, now: float) -> bool:
    """Take back what nobody has taken up. False where somebody has."""
    waits = and_(runs.c.id == run_id, runs.c.state == "wanted")
    return connection.execute(update(runs).where(waits).values(state="stopped", text="nobody took it up", ended_at=now)).rowcount == 1


def begin_step(connection: Connection, run_id: str, number: int, name: str, now: float) -> None:
    at = and_(steps.c.run == run_id, steps.c.number == number)
    again = update(steps).where(at).values(name=name, state="running", times=steps.c.times + 1, ended_at=None, text=None)
    if connection.execute(again).rowcount == 0:
        connection.execute(insert(steps).values(run=run_id, number=number, name=name, state="running", times=1, began_at=now))


def tell_step(connection: Connection, run_id: str, number: int, text: str) -> None:
    """What a step that is under way says."""
    connection.execute(update(steps).where(and_(steps.c.run == run_id, steps.c.number == number)).values(text=text))


def end_step(connection: Connection, run_id: str, number: int, state: str, text: str | None, now: float) -> None:
    at = and_(steps.c.run == run_id, steps.c.number == number)
    connection.execute(update(steps).where(at).values(state=state, text=text, ended_at=now))


def steps_of(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(steps).where(steps.c.run == run_id).order_by(steps.c.number))]


def waits_for(connection: Connection, run_id: str) -> list[str]:
    """The approvals that its actions wait for."""
    query = select(approvals.c.id).join(actions, actions.c.id == approvals.c.action)
    query = query.where(and_(approvals.c.state == "waiting", actions.c.run.startswith(f"{run_id}/", autoescape=True)))
    return [f"ap-{number}" for number in connection.execute(query.order_by(approvals.c.id)).scalars()]


def run_json(row: Row) -> dict[str, Any]:
    """A run as every face shows it."""
    times = {name: iso(row[name]) for name in ("wanted_at", "started_at", "ended_at")}
    return {**{name: row[name] for name in ("id", "workflow", "state", "by", "text")}, "given": json.loads(row["given"]), **times}


def step_json(row: Row) -> dict[str, Any]:
    times = {name: iso(row[name]) for name in ("began_at", "ended_at")}
    return {**{name: row[name] for name in ("number", "name", "state", "times", "text")}, **times}
