"""A person's yes: bound to one action by its hash, with an end, used once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from gizzi.engine.act import rows
from gizzi.errors import AlreadyOver, UsageError
from gizzi.guard import Answer

_APPROVAL = re.compile(r"(?:ap-)?(\d{1,9})", re.IGNORECASE)
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")


def ask(connection: Connection, row: Mapping[str, Any], answer: Answer, now: float, until: float) -> dict[str, Any]:
    """The approval that stands for this action and these reasons.

    One that a person has given or refused stands; where the reasons have changed since, it is asked for anew. One that nobody answered in
    time is over, whatever the reasons are by now.
    """
    last = rows.latest_approval(connection, row["id"])
    if last is not None and last["state"] in ("waiting", "approved") and not covers(json.loads(last["reasons"]), answer.reasons):
        rows.change_approval(connection, last["id"], last["state"], state="withdrawn", decided_at=now, why="the reasons have changed")
    elif last is not None and last["state"] in ("waiting", "approved", "denied", "expired"):
        return last
    new = {
        "action": row["id"],
        "hash": row["hash"],
        "reasons": json.dumps(list(answer.reasons)),
        "state": "waiting",
        "asked_at": now,
        "expires_at": until,
    }
    return {**new, "id": rows.add_approval(connection, new), "decided_by": None, "why": None}


def covers(seen: Sequence[str], reasons: Sequence[str]) -> bool:
    """Whether a person who saw those reasons saw these: figures in them may have changed, nothing else."""
    known = {_NUMBERS.sub("#", reason) for reason in seen}
    return all(_NUMBERS.sub("#", reason) in known for reason in reasons)


def use(connection: Connection, row: Mapping[str, Any], answer: Answer, now: float) -> str | None:
    """Use the approval given for this action. Returns who gave it; None where there is none that is valid now and covers the reasons."""
    given = rows.latest_approval(connection, row["id"])
    if given is None or given["state"] != "approved" or given["expires_at"] <= now or given["hash"] != row["hash"]:
        return None
    if not covers(json.loads(given["reasons"]), answer.reasons):
        return None
    if not rows.change_approval(connection, given["id"], "approved", state="used"):
        return None
    return str(given["decided_by"])


def decide(connection: Connection, number: int, *, yes: bool, by: str, why: str, now: float) -> dict[str, Any]:
    """A person's answer, once. Raises NotFound, AlreadyOver."""
    found = rows.approval(connection, number)
    stands = "expired" if found["state"] == "waiting" and found["expires_at"] <= now else found["state"]
    state = "approved" if yes else "denied"
    if stands != "waiting" or not rows.change_approval(
        connection, number, "waiting", state=state, decided_at=now, decided_by=by, why=why or None
    ):
        raise AlreadyOver(f"ap-{number} is {stands} already" + (f" (by {found['decided_by']})" if found["decided_by"] else ""))
    return {**found, "state": state, "decided_at": now, "decided_by": by, "why": why or None}


def withdraw(connection: Connection, action: int, now: float) -> None:
    """Nobody needs to answer any more."""
    last = rows.latest_approval(connection, action)
    if last is not None and last["state"] in ("waiting", "approved"):
        rows.change_approval(connection, last["id"], last["state"], state="withdrawn", decided_at=now)


def approval_number(name: str) -> int:
    """3 from "ap-3" or "3". Raises UsageError."""
    match = _APPROVAL.fullmatch(name.strip())
    if match is None:
        raise UsageError(f"{name!r} is not an approval; they are named like ap-3, and `gizzi approvals` lists them")
    return int(match[1])
