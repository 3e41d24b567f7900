"""The workflow `incident_response`: permission, action, settling, verdict; then a person where anything is left to do."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, TypeVar

import structlog

from gizzi.clock import duration_text
from gizzi.engine.act import approvals, rows
from gizzi.engine.act.door import Door, Suggestion
from gizzi.engine.act.verdict import Look, judge
from gizzi.engine.durable import Run
from gizzi.errors import InDoubt, NotFound, StoreError

log = structlog.get_logger("gizzi.act")

NAME = "incident_response"
ENDS = ("verdict", "not_done", "needs_person")
"""News after which nothing follows of an action."""


_Step = TypeVar("_Step", bound=Callable[..., Awaitable[Any]])
STORE_AGAIN_S = 5.0


def patient(step: _Step) -> _Step:
    """The step again and again while the store fails: each may run twice without harm."""

    @wraps(step)
    async def again(self: Response, *given: Any) -> Any:
        while True:
            try:
                return await step(self, *given)
            except StoreError as error:
                log.error("store_failed", step=step.__name__, error=str(error))
                await self.door.clock.sleep(STORE_AGAIN_S)

    return again  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class News:
    """What people are told of an action: a line of its incident's timeline, and whether one of them is needed now."""

    at: float
    kind: str
    text: str
    action: Mapping[str, Any]
    needs_person: bool = False
    approval: Mapping[str, Any] | None = None


@dataclass
class Response:
    """The steps, and the order they come in. on_news: who hears of each thing that happens, after it was stored."""

    door: Door
    on_news: list[Callable[[News], Awaitable[None]]] = field(default_factory=list)

    async def respond(
        self,
        run: Run,
        *,
        action: str,
        validator: int,
        why: str,
        by: str,
        incident: int | None = None,
        evidence: tuple[tuple[str, str], ...] | list[list[str]] = (),
        given: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Returns the action's row as plain data: its outcome and verdict, or why nothing was done."""
        pairs = [list(pair) for pair in evidence]
        number = await run.step("propose", self.propose, run.id, action, validator, why, by, incident, pairs, dict(given or {}))
        outcome = "refused"
        while outcome == "refused":
            refusal = await run.step("permission", self.permission, number)
            if refusal is not None:
                return await run.step("close", self.refuse, number, refusal)  # type: ignore[no-any-return]
            outcome = await run.step("act", self.act, number)
        if outcome != "done":
            return await run.step("close", self.give_up, number, outcome)  # type: ignore[no-any-return]
        await run.sleep(self.door.settings.policy.verify_after_s)
        verdict = await run.step("verify", self.verify, number)
        closed: dict[str, Any] = await run.step("close", self.conclude, number, *verdict)
        if verdict[0] == "not_resolved" and self.door.settings.policy.second_try and not run.id.endswith("/2"):
            return await self.respond(
                _Second(run),
                action=action,
                validator=validator,
                why=f"{why} (second try)",
                by=by,
                incident=incident,
                evidence=evidence,
                given=given,
            )
        return closed

    @patient
    async def propose(
        self,
        run: str,
        action: str,
        validator: int,
        why: str,
        by: str,
        incident: int | None,
        evidence: list[list[str]],
        given: Mapping[str, str],
    ) -> int:
        pairs = [(observation, quote) for observation, quote in evidence]
        number = await self.door.propose(Suggestion(run, action, validator, why, by, incident, pairs, given))
        await self._tell(number, "proposed", f"{action} of validator {validator} is proposed by {by}: {why}")
        return number

    @patient
    async def permission(self, number: int) -> dict[str, Any] | None:
        """Wait until guard or a person lets it go ahead: None. Else why not, and whether a person is needed."""
        row = await self.door.row(number)
        policy = self.door.settings.policy
        deadline = row["proposed_at"] + policy.approval_ttl_s
        told: tuple[str, ...] = ()
        while True:
            over = await self._is_over(row)
            if over is not None:
                return {"why": over, "person": False}
            answer = await self.door.ask_guard(number)
            if answer.permission == "allow":
                return None
            if answer.permission == "deny":
                return {"why": f"the guard denies it: {'; '.join(answer.reasons)}", "person": True}
            now = self.door.clock.now()
            if not answer.for_now:
                state = await self._ask_person(row, answer, now, deadline)
                if state["state"] == "approved":
                    return None
                if state["state"] == "denied":
                    return {"why": f"{state['decided_by']} said no: {state['why'] or 'no reason given'}", "person": False}
            elif not approvals.covers(told, answer.reasons):
                told = answer.reasons
                await self._tell(number, "waiting", f"not yet: {'; '.join(answer.reasons)}")
            if now >= deadline:
                await self.door.store.run(partial(approvals.expire, now=now))
                what = "what stood against it has not passed" if answer.for_now else "nobody answered"
                return {"why": f"{what} within {duration_text(policy.approval_ttl_s)}: {'; '.join(answer.reasons)}", "person": True}
            await self.door.clock.sleep(min(self.door.settings.collect.every_s, max(0.1, deadline - now)))

    @patient
    async def act(self, number: int) -> str:
        """ "done", "failed", "in_doubt", or "refused" where the guard has changed its mind."""
        try:
            answer = await self.door.begin(number)
        except InDoubt as error:
            row = await self.door.row(number)
            if row["state"] == "intent":
                await self.door.end(number, "in_doubt", str(error))
                return "in_doubt"
            return str(row["outcome"] or "in_doubt")
        if answer is not None:
            return "refused"
        row = await self.door.row(number)
        by = f", approved by {row['approved_by']}" if row["approved_by"] else ""
        await self._tell(number, "acting", f"{row['action']} of validator {row['validator']} begins{by}")
        outcome = await self.door.carry_out(number)
        row = await self.door.row(number)
        await self._tell(number, "acted", f"{row['action']} of validator {row['validator']}: {outcome}{_detail(row)}")
        return outcome

    @patient
    async def verify(self, number: int) -> tuple[str, str]:
        """The verdict on fresh observations, and why."""
        row = await self.door.row(number)
        after = await self.door.world.look(row["validator"])
        before = Look(**json.loads(row["before"])) if row["before"] else None
        return judge(before, after, await self._rules(row), row["ended_at"])

    @patient
    async def refuse(self, number: int, refusal: Mapping[str, Any]) -> dict[str, Any]:
        await self.door.close(number, detail=refusal["why"])
        return await self._tell(number, "not_done", refusal["why"], needs_person=bool(refusal["person"]))

    @patient
    async def give_up(self, number: int, outcome: str) -> dict[str, Any]:
        await self.door.close(number)
        row = await self.door.row(number)
        said = {"failed": "it could not be done", "in_doubt": "whether it was done is not known, and it is not repeated"}
        return await self._tell(number, "needs_person", f"{said.get(outcome, outcome)}{_detail(row)}; a person has to look", True)

    @patient
    async def conclude(self, number: int, verdict: str, because: str) -> dict[str, Any]:
        await self.door.close(number, verdict)
        text = f"{verdict.replace('_', ' ')}: {because}"
        if verdict == "worse":
            text += "; nothing more is done to this chain until the incident is acknowledged"
        return await self._tell(number, "verdict", text, needs_person=verdict != "resolved")

    async def settle_stray(self, row: Mapping[str, Any]) -> None:
        """An action whose process ended and whose run nobody carries on."""
        number = row["id"]
        if row["state"] == "intent":
            await self.door.end(number, "in_doubt", f"its process ({row['worker']}) ended while it was under way")
            await self.give_up(number, "in_doubt")
        elif row["state"] == "ended":
            await self.conclude(number, "unknown", "its process ended before the effect was looked at")
        else:
            await self.refuse(number, {"why": "its process ended before it was begun", "person": True})

    async def _ask_person(self, row: Mapping[str, Any], answer: Any, now: float, deadline: float) -> dict[str, Any]:
        number, is_new = await self.door.store.run(lambda c: approvals.ask(c, row, answer, now, deadline))
        found = await self.door.store.run(lambda c: rows.waiting_approval(c, row["id"]))
        if is_new:
            shown = {"id": f"ap-{number}", "expires_at": deadline, "reasons": list(answer.reasons)}
            text = f"a person is asked (gizzi approve ap-{number}): {'; '.join(answer.reasons)}"
            await self._tell(row["id"], "asked", text, needs_person=True, approval=shown)
        return found or {"state": "waiting"}

    async def _is_over(self, row: Mapping[str, Any]) -> str | None:
        """Why nothing needs to be done any more; None where it still does."""
        if row["incident"] is None:
            return None
        try:
            incident = await self.door.store.incident_row(row["incident"])
        except NotFound:
            return "its incident is not there any more"
        decision = json.loads(incident["decision"]) if incident["decision"] else {}
        if incident["state"] == "resolved":
            return "the incident resolved by itself"
        if decision.get("action") != row["action"]:
            return f"the decision is {decision.get('action', 'open')} now"
        return None

    async def _rules(self, row: Mapping[str, Any]) -> list[str]:
        if row["incident"] is None:
            return []
        alerts = await self.door.store.alert_rows(incidents=[row["incident"]])
        return sorted({alert["rule"] for alert in alerts})

    async def _tell(
        self, number: int, kind: str, text: str, needs_person: bool = False, approval: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        row = await self.door.row(number)
        now = self.door.clock.now()
        if row["incident"] is not None:
            await self.door.store.record((), (), [{"incident": row["incident"], "at": now, "kind": kind, "text": text}])
        shown = rows.action_json(row)
        for listener in self.on_news:
            await listener(News(now, kind, text, shown, needs_person, approval))
        return shown


def _detail(row: Mapping[str, Any]) -> str:
    return f" ({row['detail']})" if row["detail"] else ""


class _Second:
    """The same run, for its second try: with an action row of its own."""

    def __init__(self, run: Run) -> None:
        self.id = f"{run.id}/2"
        self.step = run.step
        self.sleep = run.sleep
