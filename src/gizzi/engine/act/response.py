"""The workflow `incident_response`: permission, action, settling, verdict; then a person where anything is left to do."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, TypeVar

from gizzi.clock import duration_text
from gizzi.engine.act import approvals, rows
from gizzi.engine.act.door import Door, Suggestion
from gizzi.engine.act.verdict import Look, judge
from gizzi.engine.durable import Run
from gizzi.engine.patience import patiently
from gizzi.errors import InDoubt, NotFound, StoreError
from gizzi.guard import Answer

NAME = "incident_response"
ENDS = ("verdict", "not_done", "needs_person")
"""News after which nothing follows of an action."""


_Step = TypeVar("_Step", bound=Callable[..., Awaitable[Any]])
FRESH_WITHIN_S = 60.0
"""So long a verdict waits for a fresh sight of the validator, as after a restart of ours."""


def patient(step: _Step) -> _Step:
    """The step again and again while the store fails: each may run twice without harm."""

    @wraps(step)
    async def again(self: Response, *given: Any) -> Any:
        return await patiently(self.door.clock, partial(step, self, *given), step=step.__name__)

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
    _told: set[int] = field(default_factory=set)
    """Approvals that people have been told of."""

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
        told = (incident, [list(pair) for pair in evidence], dict(given or {}))
        number: int = await run.step("propose", self.propose, run.id, action, validator, why, by, *told)
        close, how = await self._attempt(run, number)
        if how[0] == "not_resolved" and self.door.settings.policy.second_try:
            # Proposed before the first is closed, so that nobody decides anew meanwhile.
            second: int = await run.step("propose", self.propose, f"{run.id}/2", action, validator, f"{why} (second try)", by, *told)
            await run.step("close", self.conclude, number, *how, f"; it is tried a second time, act-{second}")
            number = second
            close, how = await self._attempt(run, number)
        return await run.step("close", close, number, *how)  # type: ignore[no-any-return]

    async def _attempt(self, run: Run, number: int) -> tuple[Callable[..., Awaitable[dict[str, Any]]], Sequence[Any]]:
        """How it is to be closed, and with what."""
        outcome = "refused"
        while outcome == "refused":
            refusal = await run.step("permission", self.permission, number)
            if refusal is not None:
                return self.refuse, (refusal,)
            outcome = await run.step("act", self.act, number)
        if outcome != "done":
            return self.give_up, (outcome,)
        await run.sleep(self.door.settings.policy.verify_after_s)
        return self.conclude, await run.step("verify", self.verify, number)

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
        """Wait until guard or a person lets it go ahead: None. Else why not, and whether a person is needed.

        What passes by itself is waited for until `approval_ttl` after the proposal, a person for as long after the question.
        """
        row = await self.door.row(number)
        ttl_s = self.door.settings.policy.approval_ttl_s
        until = row["proposed_at"] + ttl_s
        told: tuple[str, ...] = ()
        while True:
            over = await self._is_over(row)
            if over is not None:
                return {"why": over, "person": False}
            answer = await self.door.ask_guard(number)
            now = self.door.clock.now()
            asked = None
            if answer.permission == "deny":
                return {"why": f"the guard denies it: {'; '.join(answer.reasons)}", "person": True}
            if answer.permission == "ask" and not answer.for_now:
                asked = await self._ask_person(row, answer, now, now + ttl_s)
                until = max(until, asked["expires_at"])
            elif answer.permission == "ask" and not approvals.covers(told, answer.reasons):
                told = answer.reasons
                await self._tell(number, "waiting", f"not yet: {'; '.join(answer.reasons)}")
            if asked is not None and asked["state"] == "denied":
                return {"why": f"{asked['decided_by']} said no: {asked['why'] or 'no reason given'}", "person": False}
            if now >= until:
                return await self._too_late(answer, asked, now)
            if answer.permission == "allow" or (asked is not None and asked["state"] == "approved"):
                return None
            await self.door.clock.sleep(min(self.door.settings.collect.every_s, max(0.1, until - now)))

    async def _too_late(self, answer: Answer, asked: Mapping[str, Any] | None, now: float) -> dict[str, Any]:
        await self.door.store.run(partial(rows.expire_approvals, now=now))
        within = f"within {duration_text(self.door.settings.policy.approval_ttl_s)}"
        if asked is not None:
            yes = asked["state"] == "approved"
            what = f"{asked['decided_by']} said yes too late to be used" if yes else f"nobody answered {within}"
        else:
            what = f"it could not be begun {within}" if answer.permission == "allow" else f"what stood against it has not passed {within}"
        return {"why": f"{what}: {'; '.join(answer.reasons)}", "person": True}

    @patient
    async def act(self, number: int) -> str:
        """ "done", "failed", "in_doubt", or "refused" where the guard has changed its mind."""
        row = await self.door.row(number)
        what = f"{row['action']} of validator {row['validator']}"
        try:
            answer = await self.door.begin(number)
        except InDoubt as error:
            return await self.door.end(number, "in_doubt", str(error))
        if answer is not None:
            return "refused"
        with suppress(StoreError):  # a line that is missing is no reason to leave the action in doubt
            by = (await self.door.row(number))["approved_by"]
            await self._tell(number, "acting", f"{what} begins{f', approved by {by}' if by else ''}")
        outcome = await self.door.carry_out(row)
        await self._tell(number, "acted", f"{what}: {outcome}{_detail(await self.door.row(number))}")
        return outcome

    @patient
    async def verify(self, number: int) -> tuple[str, str]:
        """The verdict on fresh observations, and why."""
        row = await self.door.row(number)
        before = Look(**json.loads(row["before"])) if row["before"] else None
        give_up_at = self.door.clock.now() + FRESH_WITHIN_S
        while True:
            after = await self.door.world.look(row["validator"])
            verdict = judge(before, after, await self._rules(row), row["ended_at"])
            if verdict[0] != "unknown" or self.door.clock.now() >= give_up_at:
                return verdict
            await self.door.clock.sleep(self.door.settings.collect.every_s)

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
    async def conclude(self, number: int, verdict: str, because: str, what_follows: str = "") -> dict[str, Any]:
        await self.door.close(number, verdict)
        text = f"{verdict.replace('_', ' ')}: {because}{what_follows}"
        if verdict == "worse":
            text += "; nothing more is done to this chain until the incident is acknowledged"
        return await self._tell(number, "verdict", text, needs_person=verdict != "resolved" and not what_follows)

    async def settle_stray(self, number: int) -> None:
        """An action whose process ended and whose run nobody carries on; what its run closed meanwhile stays as it is."""
        row = await self.door.row(number)
        if row["state"] == "closed":
            return
        if row["state"] == "intent":
            await self.door.end(number, "in_doubt", f"its run broke off while it was under way on {row['worker']}")
            await self.give_up(number, "in_doubt")
        elif row["state"] == "ended":
            if row["outcome"] == "done":
                await self.conclude(number, "unknown", "its run broke off before the effect was looked at")
            else:
                await self.give_up(number, row["outcome"])
        else:
            await self.refuse(number, {"why": "its run broke off before it was begun", "person": True})

    async def _ask_person(self, row: Mapping[str, Any], answer: Answer, now: float, until: float) -> Mapping[str, Any]:
        """The approval as it stands. Whoever is to be told may be told twice where this process dies meanwhile, never not at all."""
        asked = await self.door.store.run(lambda c: approvals.ask(c, row, answer, now, until))
        if asked["state"] == "waiting" and asked["id"] not in self._told:
            shown = {"id": f"ap-{asked['id']}", "expires_at": asked["expires_at"], "reasons": list(answer.reasons)}
            text = f"a person is asked (gizzi approve ap-{asked['id']}): {'; '.join(answer.reasons)}"
            await self._tell(row["id"], "asked", text, needs_person=True, approval=shown)
            self._told.add(asked["id"])
        return asked

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
