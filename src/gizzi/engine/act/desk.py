"""What people say about actions, from any face and any process: ask for one, approve, deny."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert

from gizzi.clock import Clock
from gizzi.config import Settings, nearest
from gizzi.engine.act import approvals, rows
from gizzi.engine.act.door import Suggestion
from gizzi.errors import NotFound, UsageError
from gizzi.registry import Registry
from gizzi.store import Store
from gizzi.store.action_schema import actions
from gizzi.store.schema import events

ANSWER_WITHIN_S = 30.0
LOOK_EVERY_S = 0.3
ONLY_PEOPLE = "approvals are for people: inside a coding agent's shell nobody can approve or deny; use a terminal of your own"
_ACTION = re.compile(r"(?:act-)?(\d{1,9})", re.IGNORECASE)


class ActionDesk:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def approvals(self, *, waiting: bool = True, limit: int = 200, offset: int = 0) -> list[dict[str, Any]]:
        """Newest first; those whose time is over no longer wait."""
        now = self._clock.now()

        def work(connection: Connection) -> list[dict[str, Any]]:
            rows.expire_approvals(connection, now)
            return rows.approval_rows(connection, waiting=waiting, limit=limit, offset=offset)

        return [rows.approval_json(row) for row in await self._store.run(work)]

    async def actions(self, limit: int = 200, offset: int = 0) -> list[dict[str, Any]]:
        """What was proposed and done, newest first."""
        return [rows.action_json(row) for row in await self._store.run(lambda c: rows.all_actions(c, limit, offset))]

    async def approval(self, name: str) -> dict[str, Any]:
        """Raises NotFound, UsageError."""
        number, now = approvals.approval_number(name), self._clock.now()

        def work(connection: Connection) -> dict[str, Any]:
            rows.expire_approvals(connection, now)
            return rows.approval(connection, number)

        return rows.approval_json(await self._store.run(work))

    async def decide(self, name: str, *, yes: bool, by: str, why: str = "") -> dict[str, Any]:
        """A person's yes or no, once. Raises NotFound, UsageError; AlreadyOver where it was answered or is no longer needed."""
        number = approvals.approval_number(name)
        now = self._clock.now()

        def work(connection: Connection) -> dict[str, Any]:
            row = approvals.decide(connection, number, yes=yes, by=by, why=why.strip()[:500], now=now)
            if row["incident"] is not None:
                text = f"ap-{number} is {row['state']} by {by}" + (f": {row['why']}" if row["why"] else "")
                connection.execute(insert(events).values(incident=row["incident"], at=now, kind=row["state"], text=text))
            return row

        decided = rows.approval_json(await self._store.run(work))
        self._store.version += 1
        return decided

    async def want(self, settings: Settings, registry: Registry, action: str, validator: int, why: str, by: str) -> int:
        """Ask the loop for an action; it goes through the guard like any other. Returns its number. Raises NotFound, UsageError."""
        if action not in registry.actions or not registry.actions[action].writes:
            known = [item.name for item in registry.actions if item.writes]
            raise NotFound(f"there is no action {action!r}{nearest(action, known)}")
        settings.validator(validator)
        if more := registry.actions[action].needs():
            raise UsageError(f"the action {action} also needs {', '.join(more)}; a workflow gives it that: `gizzi workflow list`")
        if not why.strip():
            raise UsageError("--why: say why, in a few words; it is remembered")
        wish = Suggestion(f"act-{uuid4().hex}", action, validator, why.strip()[:500], by)
        row = {
            "run": wish.run,
            "action": action,
            "validator": validator,
            "why": wish.why,
            "proposed_by": by,
            "evidence": "[]",
            "hash": wish.hash(),
            "state": "wanted",
            "reasons": "[]",
            "proposed_at": self._clock.now(),
        }

        def work(connection: Connection) -> int:
            return int(connection.execute(insert(actions).values(**row)).inserted_primary_key[0])  # type: ignore[index]

        number = await self._store.run(work)
        self._store.version += 1
        return number

    def number(self, name: str) -> int:
        """3 from "act-3" or "3". Raises UsageError."""
        match = _ACTION.fullmatch(name.strip())
        if match is None:
            raise UsageError(f"{name!r} is not an action; they are named like act-3")
        return int(match[1])

    async def action(self, number: int) -> dict[str, Any]:
        """An action as faces show it, with the approval that waits for it, if one does. Raises NotFound."""
        row = await self._store.run(lambda c: rows.action(c, number))
        asked = await self._store.run(lambda c: rows.latest_approval(c, number))
        shown = rows.action_json(row)
        shown["approval"] = f"ap-{asked['id']}" if asked and asked["state"] == "waiting" else None
        return shown

    async def answered(self, number: int, within_s: float = ANSWER_WITHIN_S) -> dict[str, Any] | None:
        """What became of a wish, once it is done, refused or waits for a person; None where nobody took it up in time. Raises NotFound."""
        give_up_at = self._clock.now() + within_s
        while True:
            shown = await self.action(number)
            if shown["outcome"] is not None or shown["state"] == "closed" or shown["approval"] is not None:
                return shown
            if shown["state"] == "wanted" and self._clock.now() > give_up_at:
                return None
            await self._clock.sleep(LOOK_EVERY_S)

    async def of_action(self, name: str) -> list[str]:
        """The ids of all approvals that were asked for it."""
        number = self.number(name)
        found = await self._store.run(lambda c: rows.approvals_of(c, number))
        return [f"ap-{row}" for row in found]

    async def put_back(self, number: int) -> bool:
        """Leave a wish that waits to whoever runs the loop next. False where it is under way, or over."""
        return await self._store.run(lambda c: rows.change_action(c, number, "proposed", state="wanted"))

    async def withdraw(self, number: int) -> bool:
        """Take back a wish that nobody has taken up. False where somebody has."""
        return await self._store.run(lambda c: rows.change_action(c, number, "wanted", state="closed", detail="nobody took it up"))
