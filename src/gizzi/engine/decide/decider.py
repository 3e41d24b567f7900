"""One incident in, one decision out: by a model where one can answer and its answer holds, by rule everywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from gizzi.alerts.incident import Decision, Incident
from gizzi.engine import reflex
from gizzi.engine.decide import hard
from gizzi.engine.decide.asking import Asking, Work
from gizzi.engine.decide.calibrate import Outcome, calibrate
from gizzi.engine.decide.mind import DecisionTier, Mind
from gizzi.engine.decide.recall import Case, Recall, Search
from gizzi.engine.decide.tools import Sight
from gizzi.engine.decide.votes import Vote, agreed
from gizzi.errors import GizziError
from gizzi.readers.text import one_line
from gizzi.roles.load import Role

TIERS_OF_SEVERITY: Mapping[str, DecisionTier] = {"low": "standard", "medium": "standard", "high": "frontier", "critical": "frontier"}


@dataclass(frozen=True, slots=True)
class Thought:
    """notes: what the timeline should say of how it was reached. cost_usd: of all attempts, answered or not. route: of the model that
    decided, None where none did."""

    decision: Decision
    cost_usd: Decimal = Decimal(0)
    notes: tuple[str, ...] = ()
    route: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """The last thought on an incident, and until when it is given again while nothing changes."""

    about: tuple[object, ...]
    thought: Thought
    at: float
    until: float


@dataclass
class Decider:
    """recall: similar closed incidents. search: the memory's full text. outcomes: how past decisions of models turned out.

    mind: None where there are no models; then, and while the mind reaches no tier, a decision costs what reflex costs.
    """

    sight: Sight
    role: Role
    mind: Mind | None = None
    recall: Recall | None = None
    search: Search | None = None
    outcomes: Callable[[], Awaitable[Sequence[Outcome]]] | None = None

    AGAIN_S = (60.0, 900.0)
    """While nothing changes a decision is not paid for again: for a minute at first, then twice as long each time, up to the second.

    So long it stands, too, where no model can be asked again.
    """

    def __post_init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    async def decide(self, incident: Incident, situation: reflex.Situation) -> Thought:
        """Raises nothing that a model, a node or the memory could cause.

        It may take a minute and more: the caller looks whether the incident is still open and due, and the guard reads its facts anew.
        """
        by_rule = reflex.decide(situation)
        mind, kept = self.mind, self._kept.get(incident.id)
        reachable = mind is not None and any(mind.reaches(tier) for tier in self._tiers(incident))
        if not reachable and kept is None:
            return Thought(by_rule)
        why = self._why_not_asked(situation, by_rule)
        if why is not None:
            return Thought(by_rule, notes=(f"no model was asked: {why}",))
        about = _about(situation, by_rule)
        same = kept if kept is not None and kept.about == about else None
        if same is not None and situation.now < (same.until if reachable else same.at + self.AGAIN_S[1]):
            return replace(same.thought, cost_usd=Decimal(0), notes=())
        if mind is None or not reachable:
            return Thought(by_rule)
        asking = Asking(self.sight, self.role, mind, self.search)
        thought = await self._think(asking, Work(situation, by_rule, await self._recalled(incident)))
        for_s = min((same.until - same.at) * 2, self.AGAIN_S[1]) if same is not None else self.AGAIN_S[0]
        self._kept = {number: old for number, old in self._kept.items() if situation.now < old.at + 2 * self.AGAIN_S[1]}
        self._kept[incident.id] = _Kept(about, thought, situation.now, situation.now + for_s)
        return thought

    def _tiers(self, incident: Incident) -> tuple[DecisionTier, ...]:
        if self.role.tier != "auto":
            return (self.role.tier,)
        if incident.cause().of_chain:
            return ("standard", "frontier")
        return (TIERS_OF_SEVERITY[incident.severity],)

    def _why_not_asked(self, situation: reflex.Situation, by_rule: Decision) -> str | None:
        incident = situation.incident
        if situation.fleet is None or not incident.validators:
            return "it is about no validator"
        if self.role.validators is not None and not set(incident.validators) <= set(self.role.validators):
            return f"the role {self.role.name} does not look after all of its validators"
        why = hard.kept_by_rule(situation, by_rule)
        return None if why is None else f"{why}, and there the rule stands"

    async def _think(self, asking: Asking, work: Work) -> Thought:
        incident = work.situation.incident
        found = await asyncio.gather(*(asking.ask(work, tier) for tier in self._tiers(incident)))
        answers = [answer for answer in found if answer is not None]
        if not answers:
            return self._by_rule(work)
        decision, reply = answers[-1]
        if incident.cause().of_chain:
            said = [Vote("reflex", work.reflex.action), *(Vote(f"{d.tier} ({d.model})", d.action) for d, _ in answers)]
            word, summary = agreed(said)
            work.note(summary)
            if word is None:
                return Thought(_to_a_person(work.reflex, summary), work.cost_usd, work.notes)
        if decision.action == "restart" and hard.has_no_room(work.situation):
            work.note(f"{reply.model} would restart it, but then more authorities would be missing than the quorum can spare")
            return self._by_rule(work)
        return Thought(await self._calibrated(decision), work.cost_usd, work.notes, reply.route)

    def _by_rule(self, work: Work) -> Thought:
        why = one_line(work.notes[-1], 300) if work.notes else "no model answered"
        decision = replace(work.reflex, reasoning=f"{work.reflex.reasoning} (Decided by rule: {why}.)")
        return Thought(decision, work.cost_usd, work.notes)

    async def _calibrated(self, decision: Decision) -> Decision:
        if self.outcomes is None or decision.model is None:
            return decision
        try:
            return replace(decision, confidence=round(calibrate(decision.model, decision.confidence, await self.outcomes()), 3))
        except GizziError:
            return decision

    async def _recalled(self, incident: Incident) -> Sequence[Case]:
        try:
            return await self.recall(incident) if self.recall is not None else ()
        except GizziError:
            return ()


def _to_a_person(by_rule: Decision, why: str) -> Decision:
    whom = by_rule.escalate_to or "the operator on call"
    return replace(by_rule, action="escalate", reasoning=f"{by_rule.reasoning} But {why}.", escalate_to=whom, estimated_downtime_min=None)


def _about(situation: reflex.Situation, by_rule: Decision) -> tuple[object, ...]:
    """All that, if it changes, is worth a new thought."""
    incident = situation.incident
    alerts = tuple(sorted((alert.key, alert.state) for alert in incident.alerts.values()))
    facts = tuple((number, situation.facts[number]) for number in sorted(situation.facts))
    return incident.rule, incident.severity, incident.validators, alerts, facts, by_rule.action, hard.has_no_room(situation)
