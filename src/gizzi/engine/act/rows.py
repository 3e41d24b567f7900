"""Actions and approvals in the store. Each function works inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gizzi.clock import iso
from gizzi.errors import NotFound
from gizzi.store.action_schema import actions, approvals
from gizzi.store.schema import incidents, meta

Row = Mapping[str, Any]
DAY_S = 86_400.0
_TURN = "action_turn"
_OF_ITS_ACTION = (actions.c.action.label("what"), actions.c.validator, actions.c.incident, actions.c.why.label("because"))
_WITH_ACTION = select(approvals, *_OF_ITS_ACTION).join(actions, actions.c.id == approvals.c.action)


def _all(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(query)]


def take_turn(connection: Connection) -> None:
    """Only one process at a time goes on from here until its transaction ends: permission and intent belong together."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(meta).values(key=_TURN, value="1")
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": "1"}))


def add_action(connection: Connection, row: Row) -> int:
    """The action of that run: the one that is there already, or a new one."""
    found = connection.execute(select(actions.c.id).where(actions.c.run == row["run"])).scalar()
    if found is not None:
        change_action(connection, found, "wanted", state=row["state"])
        return int(found)
    key = connection.execute(insert(actions).values(**row)).inserted_primary_key
    return int(key[0])  # type: ignore[index]


def action(connection: Connection, number: int) -> dict[str, Any]:
    """Raises NotFound."""
    row = connection.execute(select(actions).where(actions.c.id == number)).first()
    if row is None:
        raise NotFound(f"there is no action act-{number}")
    return dict(row._mapping)


def change_action(connection: Connection, number: int, in_state: str, /, **values: Any) -> bool:
    """Change it if it is in that state. False where it is not."""
    changed = connection.execute(update(actions).where(and_(actions.c.id == number, actions.c.state == in_state)).values(**values))
    return changed.rowcount == 1


def under_way(connection: Connection) -> list[dict[str, Any]]:
    """Actions with an intent and no outcome."""
    return _all(connection, select(actions).where(actions.c.state == "intent"))


def lately(connection: Connection, now: float, span_s: float = DAY_S) -> list[dict[str, Any]]:
    """Actions begun within the span, whatever came of them, without their texts: the guard counts them at every poll."""
    a = actions.c
    query = select(a.id, a.action, a.validator, a.intent_at, a.outcome, a.ended_at).where(a.intent_at > now - span_s).order_by(a.intent_at)
    return _all(connection, query)


def restarted(connection: Connection, now: float, span_s: float) -> dict[int, float]:
    """When each validator was last started or restarted by us, within the span; also where it failed."""
    return {row["validator"]: row["intent_at"] for row in lately(connection, now, span_s) if row["action"] in ("restart", "start")}


def unhelped(connection: Connection, now: float, span_s: float) -> list[tuple[str | None, str, int]]:
    """(chain, the incident's rule, validator) of each action within the span that was seen not to help."""
    query = select(incidents.c.chain, incidents.c.rule, actions.c.validator).join(incidents, incidents.c.id == actions.c.incident)
    query = query.where(and_(actions.c.verdict.in_(("not_resolved", "worse")), actions.c.verdict_at > now - span_s))
    return [(row.chain, row.rule, row.validator) for row in connection.execute(query)]


def made_worse(connection: Connection, now: float) -> list[dict[str, Any]]:
    """Actions of the last day with the verdict worse whose incident nobody has acknowledged; those of no incident too."""
    unseen = (
        select(actions)
        .outerjoin(incidents, incidents.c.id == actions.c.incident)
        .where(and_(actions.c.verdict == "worse", actions.c.verdict_at > now - DAY_S, incidents.c.acknowledged_by.is_(None)))
    )
    return _all(connection, unseen)


def tried(connection: Connection, resolved_since: float) -> dict[int, str]:
    """Incidents for which something was done that did not help, and how that ended: the verdict, or the outcome without one.

    Those that are open, and those that have resolved since then: they may come back. Not those for which more is under way.
    """
    near = or_(incidents.c.state != "resolved", incidents.c.resolved_at >= resolved_since)
    query = select(actions.c.incident, actions.c.verdict, actions.c.outcome).join(incidents, incidents.c.id == actions.c.incident)
    more = select(actions.c.incident).where(and_(actions.c.state != "closed", actions.c.incident.is_not(None)))
    over = and_(actions.c.state == "closed", actions.c.outcome.is_not(None), near)
    query = query.where(and_(over, actions.c.incident.not_in(more)))
    ended = {row.incident: row.verdict or row.outcome for row in connection.execute(query.order_by(actions.c.id))}
    return {incident: how for incident, how in ended.items() if how != "resolved"}


def of_incidents(connection: Connection, numbers: list[int]) -> list[dict[str, Any]]:
    query = select(actions).where(actions.c.incident.in_(numbers)).order_by(actions.c.id)
    return _all(connection, query)


def all_actions(connection: Connection, limit: int, offset: int = 0) -> list[dict[str, Any]]:
    """Newest first."""
    query = select(actions).order_by(actions.c.id.desc()).limit(limit).offset(offset)
    return _all(connection, query)


def unfinished(connection: Connection) -> list[dict[str, Any]]:
    """Actions whose run has more to do."""
    return _all(connection, select(actions).where(actions.c.state != "closed").order_by(actions.c.id))


# Asked every second: made once.
_WANTED = select(actions).where(actions.c.state == "wanted").order_by(actions.c.id)


def wanted(connection: Connection) -> list[dict[str, Any]]:
    """What people asked for and nobody has taken up."""
    return _all(connection, _WANTED)


def latest_approval(connection: Connection, number: int) -> dict[str, Any] | None:
    """The latest approval asked for this action."""
    query = select(approvals).where(approvals.c.action == number).order_by(approvals.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return dict(row._mapping) if row else None


def approvals_of(connection: Connection, number: int) -> list[int]:
    """The numbers of all approvals asked for this action."""
    return list(connection.execute(select(approvals.c.id).where(approvals.c.action == number)).scalars())


def add_approval(connection: Connection, row: Row) -> int:
    key = connection.execute(insert(approvals).values(**row)).inserted_primary_key
    return int(key[0])  # type: ignore[index]


def approval(connection: Connection, number: int) -> dict[str, Any]:
    """One, with its action. Raises NotFound."""
    found = _all(connection, _WITH_ACTION.where(approvals.c.id == number))
    if not found:
        raise NotFound(f"there is no approval ap-{number}; `gizzi approvals` lists those that wait")
    return found[0]


def approval_rows(connection: Connection, *, waiting: bool, limit: int = 200, offset: int = 0) -> list[dict[str, Any]]:
    """Approvals with their action, newest first."""
    query = _WITH_ACTION.order_by(approvals.c.id.desc()).limit(limit).offset(offset)
    return _all(connection, query.where(approvals.c.state == "waiting") if waiting else query)


def expire_approvals(connection: Connection, now: float) -> None:
    """Those whose time is over. Expired is not denied."""
    late = and_(approvals.c.state == "waiting", approvals.c.expires_at <= now)
    connection.execute(update(approvals).where(late).values(state="expired"))


def change_approval(connection: Connection, number: int, in_state: str, /, **values: Any) -> bool:
    """Change it if it is in that state: of two that try, one succeeds."""
    changed = connection.execute(update(approvals).where(and_(approvals.c.id == number, approvals.c.state == in_state)).values(**values))
    return changed.rowcount == 1


def action_json(row: Row) -> dict[str, Any]:
    """The action object that every face shows."""
    return {
        "id": f"act-{row['id']}",
        "incident": f"inc-{row['incident']}" if row["incident"] is not None else None,
        "action": row["action"],
        "validator": row["validator"],
        "permission": row["permission"],
        "reasons": json.loads(row["reasons"]),
        "why": row["why"],
        "proposed_by": row["proposed_by"],
        "approved_by": row["approved_by"],
        "state": row["state"],
        "outcome": row["outcome"],
        "verdict": row["verdict"],
        "detail": row["detail"],
        "proposed_at": iso(row["proposed_at"]),
        "begun_at": iso(row["intent_at"]),
        "ended_at": iso(row["ended_at"]),
        "verdict_at": iso(row["verdict_at"]),
    }


def approval_json(row: Row) -> dict[str, Any]:
    """The approval object that every face shows."""
    return {
        "id": f"ap-{row['id']}",
        "action": row["what"],
        "validator": row["validator"],
        "incident": f"inc-{row['incident']}" if row["incident"] is not None else None,
        "because": row["because"],
        "reasons": json.loads(row["reasons"]),
        "state": row["state"],
        "asked_at": iso(row["asked_at"]),
        "expires_at": iso(row["expires_at"]),
        "decided_at": iso(row["decided_at"]),
        "decided_by": row["decided_by"],
        "why": row["why"],
        "hash": row["hash"],
    }
