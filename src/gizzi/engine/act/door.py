"""The one door to a write: the guard decides on facts of this moment, in the same transaction that writes the intent.

A row of `actions` goes proposed -> intent -> ended -> closed. Whoever finds an intent without an outcome and did not write it just now
finds it in doubt: it is never repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import Connection

from gizzi.clock import Clock
from gizzi.config import Settings, Validator
from gizzi.engine.act import approvals, rows
from gizzi.engine.act.verdict import Look
from gizzi.engine.act.world import World
from gizzi.errors import GizziError, InDoubt, OutcomeUnknown, StoreError
from gizzi.guard import Answer, Limits, Proposal, Situation, permit, permit_all
from gizzi.reach import Reach
from gizzi.registry import Registry
from gizzi.store import Store
from gizzi.store.switch import stopped

log = structlog.get_logger("gizzi.act")

REJOIN_WITHIN_S = 1800.0
"""A restarted validator is waited for so long; after that it simply counts as missing."""
RESTARTS = frozenset({"restart", "start", "upgrade"})
"""Actions after which a validator is waited for."""
STORE_AGAIN_S = 2.0
UNKNOWN: Mapping[str, bool | None] = dict.fromkeys(("up", "db_lost", "twin_running", "unclean_stop", "in_session_change", "maintenance"))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A proposed write. evidence: (observation, quote) pairs; by: who proposes it; given: what the action gets besides its validator."""

    run: str
    action: str
    validator: int
    why: str
    by: str
    incident: int | None = None
    evidence: Sequence[tuple[str, str]] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    def hash(self) -> str:
        """What an approval is bound to: action, target, reason, evidence, and what the action is given."""
        bound = [self.action, self.validator, self.incident, self.why, [list(pair) for pair in self.evidence]]
        bound += [dict(sorted(self.given.items()))] if self.given else []
        return hashlib.sha256(json.dumps(bound, ensure_ascii=False).encode()).hexdigest()


class Door:
    """worker: the name of this process in intent rows."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, registry: Registry, reach: Reach, world: World, worker: str) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self.world = world
        self._registry = registry
        self._reach = reach
        self._worker = worker
        policy = settings.policy
        self.limits = Limits(policy.reserve, policy.cooldown_s, policy.mode, policy.attempts_per_day)

    async def propose(self, suggestion: Suggestion) -> int:
        """The number of its row; the same one for the same run. What the action is given stands in the reason, for whoever is asked."""
        more = "".join(f", {name} {value}" for name, value in sorted(suggestion.given.items()))
        row = {
            "run": suggestion.run,
            "incident": suggestion.incident,
            "action": suggestion.action,
            "validator": suggestion.validator,
            "why": suggestion.why[: 2000 - len(more)] + more,
            "proposed_by": suggestion.by,
            "evidence": json.dumps([list(pair) for pair in suggestion.evidence]),
            "given": json.dumps(dict(suggestion.given)),
            "hash": suggestion.hash(),
            "state": "proposed",
            "reasons": "[]",
            "proposed_at": self.clock.now(),
        }
        return await self.store.run(lambda c: rows.add_action(c, row))

    async def ask_guard(self, number: int) -> Answer:
        """What the guard says of it now; it is kept in the row. Writes nothing else."""
        looks = await self._looks(number)

        def work(connection: Connection) -> Answer:
            row = rows.action(connection, number)
            answer = self._permit(connection, row, looks)
            rows.change_action(connection, number, "proposed", permission=answer.permission, reasons=json.dumps(list(answer.reasons)))
            return answer

        return await self.store.run(work)

    async def begin(self, number: int) -> Answer | None:
        """Write the intent, if guard and approval allow it at this moment; None where it may go ahead, else what the guard says.

        Raises InDoubt where an earlier attempt got as far as this.
        """
        await self.world.freshen((await self.row(number))["validator"])
        looks = await self._looks(number)
        before = looks.get("target")
        now = self.clock.now()

        def work(connection: Connection) -> Answer | None:
            rows.take_turn(connection)
            row = rows.action(connection, number)
            seen = json.dumps(before.as_json()) if before else None
            if not rows.change_action(connection, number, "proposed", state="intent", intent_at=now, worker=self._worker, before=seen):
                raise InDoubt(f"act-{number} was under way when its process ended")
            answer = self._permit(connection, row, looks)  # the intent is written first: whoever stops everything meanwhile is seen here
            by = approvals.use(connection, row, answer, now) if answer.permission == "ask" else None
            refused = answer.permission == "deny" or (answer.permission == "ask" and by is None)
            back = {"state": "proposed", "intent_at": None, "worker": None} if refused else {"approved_by": by}
            rows.change_action(connection, number, "intent", permission=answer.permission, reasons=json.dumps(list(answer.reasons)), **back)
            if not refused:
                approvals.withdraw(connection, number, now)
            return answer if refused else None

        return await self.store.run(work)

    async def carry_out(self, row: Mapping[str, Any]) -> str:
        """Do it, once, and write the outcome, which is returned: "done", "failed" or "in_doubt". Call it only after `begin` let you."""
        number = row["id"]
        longest_s = self._registry.actions[row["action"]].longest_s
        try:
            async with asyncio.timeout(longest_s):
                detail = await self._call(row)
            outcome = "done"
        except OutcomeUnknown as error:
            outcome, detail = "in_doubt", str(error)
        except GizziError as error:
            outcome, detail = "failed", str(error)
        except TimeoutError:
            outcome, detail = "in_doubt", f"it took longer than {longest_s:.0f} s; whether it happened is not known"
        while True:
            try:
                return await self.end(number, outcome, detail)
            except StoreError as error:  # what was done must not be forgotten
                log.error("outcome_not_stored", action=number, outcome=outcome, error=str(error))
                await self.clock.sleep(STORE_AGAIN_S)

    async def end(self, number: int, outcome: str, detail: str | None) -> str:
        """The outcome row of an intent. Returns the outcome that stands: another's, where somebody else was quicker."""
        values = {"state": "ended", "outcome": outcome, "detail": (detail or "")[:2000] or None, "ended_at": self.clock.now()}

        def work(connection: Connection) -> str:
            rows.change_action(connection, number, "intent", **values)
            return str(rows.action(connection, number)["outcome"] or "in_doubt")

        stands = await self.store.run(work)
        self.store.version += 1
        return stands

    async def close(self, number: int, verdict: str | None = None, detail: str | None = None) -> None:
        """Nothing follows any more. A verdict, where something was done."""
        now = self.clock.now()

        def work(connection: Connection) -> None:
            row = rows.action(connection, number)
            values: dict[str, Any] = {"state": "closed"}
            if verdict is not None:
                values |= {"verdict": verdict, "verdict_at": now}
            if detail and not row["detail"]:
                values["detail"] = detail[:2000]
            rows.change_action(connection, number, row["state"], **values)
            approvals.withdraw(connection, number, now)

        await self.store.run(work)
        self.store.version += 1

    async def row(self, number: int) -> dict[str, Any]:
        return await self.store.run(lambda c: rows.action(c, number))

    async def shown(self, limit: int = 10_000) -> list[dict[str, Any]]:
        """Every action as faces show it, oldest first."""
        found = await self.store.run(lambda c: rows.all_actions(c, limit))
        return [rows.action_json(row) for row in reversed(found)]

    async def _looks(self, number: int) -> dict[str, Look]:
        """At its target, at what else its host serves, and at every validator that something is under way for or lately was."""
        row, others = await self.store.run(lambda c: (rows.action(c, number), rows.lately(c, self.clock.now(), REJOIN_WITHIN_S)))
        looks: dict[str, Look] = {}
        target = await self.world.look(row["validator"])
        if target is not None:
            looks["target"] = target
        beside = {validator.number for validator in self._beside(row["validator"])}
        for other in ({other["validator"] for other in others} | beside) - {row["validator"]}:
            seen = await self.world.look(other)
            if seen is not None:
                looks[str(other)] = seen
        return looks

    def _permit(self, connection: Connection, row: Mapping[str, Any], looks: Mapping[str, Look]) -> Answer:
        situation = self._situation(connection, row, looks)
        answer = self._on_every_chain(Proposal(row["action"], row["validator"]), situation, looks)
        target = looks.get("target")
        if answer.permission != "deny" and target is not None and target.settles:
            early = "it is watched, or down, so lately that who is missing or a second signer may not have shown yet"
            return Answer("ask", answer.reasons if answer.permission == "ask" else (early,), for_now=True)
        if answer.permission == "allow" and target is not None and row["incident"] in target.recovering:
            return Answer("ask", ("it seems to be well again: what fired on it was just seen not to hold",), for_now=True)
        held = self._held(connection, row["validator"]) if answer.permission != "deny" and not answer.for_now else None
        if held is None:
            return answer
        return Answer("ask", (*(answer.reasons if answer.permission == "ask" else ()), held), for_now=False)

    def _on_every_chain(self, proposal: Proposal, situation: Situation, looks: Mapping[str, Look]) -> Answer:
        """The guard's answer for the target's chain and, where its host serves authorities of others, for each of those too."""
        own = permit(proposal, situation, self.limits)
        number = proposal.validator
        beside = self._beside(number) if number is not None else []
        if not beside:
            return own
        others = [_as_if(situation, validator.number, number, looks.get(str(validator.number))) for validator in beside]
        answer = permit_all(proposal, [situation, *others], self.limits)
        if answer.permission == own.permission:
            return answer
        chains = ", ".join(dict.fromkeys(validator.chain for validator in beside))
        return Answer(answer.permission, (*answer.reasons, f"its host also serves {chains}, where it counts as well"), answer.for_now)

    def _beside(self, number: int) -> list[Validator]:
        """Authorities of other chains on its host."""
        target = next((v for v in self.settings.validators if v.number == number), None)
        if target is None or target.host is None:
            return []
        return [v for v in self.settings.validators if v.host == target.host and v.chain != target.chain and v.authority]

    def _held(self, connection: Connection, number: int) -> str | None:
        """Why nothing is done to its chain by itself: an action made something worse there, and no person has said they saw it."""
        chains = {v.number: v.chain for v in self.settings.validators}
        for row in rows.made_worse(connection, self.clock.now()):
            if chains.get(row["validator"]) == chains.get(number):
                return f"act-{row['id']} on validator {row['validator']} made things worse, and nobody has acknowledged its incident"
        return None

    def _situation(self, connection: Connection, row: Mapping[str, Any], looks: Mapping[str, Look]) -> Situation:
        now = self.clock.now()
        target = looks.get("target")
        recent = [r for r in rows.lately(connection, now) if r["action"] in RESTARTS and r["id"] != row["id"]]
        ages: dict[int, float] = {}
        for other in recent:
            ages[other["validator"]] = now - other["intent_at"]
        awaited = {
            r["validator"]
            for r in recent
            if r["outcome"] == "done"
            and now - r["ended_at"] < REJOIN_WITHIN_S
            and r["validator"] != row["validator"]
            and ((seen := looks.get(str(r["validator"]))) is None or seen.rejoined is not True)
        }
        return Situation(
            authorities=target.authorities if target else None,
            missing=frozenset(target.missing) if target else frozenset(),
            in_flight=frozenset(r["validator"] for r in rows.under_way(connection) if r["id"] != row["id"]),
            rejoin_awaited=frozenset(awaited),
            recent_restarts=ages,
            attempts_today=sum(r["validator"] == row["validator"] for r in recent),
            facts=target.facts if target else UNKNOWN,
            stopped=stopped(connection) is not None,
            actions=frozenset(a.name for a in self._registry.actions if a.writes),
        )

    async def _call(self, row: Mapping[str, Any]) -> str | None:
        """The action's own words for what it did. Raises GizziError."""
        action = self._registry.actions[row["action"]]
        given: dict[str, Any] = {"validator": self._validator(row["validator"]), "ssh": self._reach.ssh, "settings": self.settings}
        given = {**json.loads(row["given"]), **given}
        if "ssh" in action.wants and self._reach.ssh is None:
            raise GizziError("nothing can be done over SSH: [ssh] user is not set")
        return await action.carry_out(given)

    def _validator(self, number: int) -> Validator:
        found = next((v for v in self.settings.validators if v.number == number), None)
        if found is None:
            raise GizziError(f"there is no validator {number} in the configuration")
        return found


def _as_if(situation: Situation, beside: int, target: int | None, seen: Look | None) -> Situation:
    """The other chain's, as if the target were the validator beside it: what its host loses is lost there too. Unseen is unknown."""
    if seen is None:
        return replace(situation, authorities=None, missing=None)
    missing = frozenset(target if one == beside and target is not None else one for one in seen.missing)
    facts = {**situation.facts, "in_session_change": seen.facts.get("in_session_change")}
    return replace(situation, authorities=seen.authorities, missing=missing, facts=facts)
