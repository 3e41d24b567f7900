"""Asking one tier: the question, its answer read and checked, asked again where it was refused."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from gizzi.alerts.incident import Decision
from gizzi.clock import within
from gizzi.engine.decide.mind import DecisionTier, Mind, NoReply, Question, Reply
from gizzi.engine.decide.parse import Refused, checked, parse
from gizzi.engine.decide.prompt import Prompt, build, instructions
from gizzi.engine.decide.recall import Case, Search, precedent
from gizzi.engine.decide.tools import Sight, Toolbox
from gizzi.engine.reflex import Situation
from gizzi.models.budget import shown_usd
from gizzi.roles.load import Role

THINK_S = 60.0
"""All attempts of one tier together, look-ups included."""
ATTEMPTS = 3


@dataclass
class Work:
    """One incident while it is thought about. reflex: what the rule says. notes: how it went, for the timeline."""

    situation: Situation
    reflex: Decision
    cases: Sequence[Case] = ()
    cost_usd: Decimal = Decimal(0)
    notes: tuple[str, ...] = ()

    def note(self, text: str) -> None:
        self.notes = (*self.notes, text)


@dataclass(frozen=True, slots=True)
class Asking:
    sight: Sight
    role: Role
    mind: Mind
    search: Search | None = None

    async def ask(self, work: Work, tier: DecisionTier) -> tuple[Decision, Reply] | None:
        """A tier's checked decision; None where it has none, and the last note says why.

        Where the same has happened before, it is asked briefly first; to investigate then means to be asked again with everything.
        """
        if not self.mind.reaches(tier):
            work.note(f"no model of the {tier} tier is reachable")
            return None
        nonce, until = secrets.token_hex(6), self.sight.clock.now() + THINK_S
        known = None if work.situation.incident.cause().of_chain else precedent(work.situation.incident, work.cases)
        if known is not None:
            answer = await self._attempts(work, tier, build(work.situation, work.cases, nonce, known=known), None, until)
            if answer is not None and answer[0].action != "investigate":
                work.note(f"the same happened in {known.incident}, so it was asked briefly")
                return answer
            if not self.mind.reaches(tier):
                return answer
        prompt = build(work.situation, work.cases, nonce)
        toolbox = Toolbox(self.sight, self.role, prompt.evidence, nonce, self.search)
        return await self._attempts(work, tier, prompt, toolbox, until)

    async def _attempts(
        self, work: Work, tier: DecisionTier, prompt: Prompt, toolbox: Toolbox | None, until: float
    ) -> tuple[Decision, Reply] | None:
        incident = work.situation.incident
        question = Question(
            role=self.role.name,
            tier=tier,
            instructions=instructions(self.role.persona, brief=toolbox is None),
            prompt=prompt.text,
            incident=f"inc-{incident.id}",
            severity=incident.severity,
            tools=toolbox.tools() if toolbox is not None else (),
            limit_s=THINK_S,
            form="brief" if toolbox is None else "decision",
        )
        for _ in range(1 if toolbox is None else ATTEMPTS):
            reply = await self._reply(work, question, until)
            if reply is None:
                return None
            said = parse(reply.text, incident, tier, reply.model)
            if not isinstance(said, Refused):
                decision, doubt = checked(said, prompt.evidence, incident)
                if doubt:
                    work.note(f"{reply.model} proposed to {said.action}, but {doubt}: to investigate")
                return decision, reply
            work.note(f"{reply.model}: refused, for the answer {said.reason}")
            question = replace(question, prompt=f"{prompt.text}\n\nYour last answer was refused, for it {said.reason}. Answer again.")
        if toolbox is not None:
            work.note(f"{work.notes[-1]}; {ATTEMPTS} times in all")
        return None

    async def _reply(self, work: Work, question: Question, until: float) -> Reply | None:
        left_s = until - self.sight.clock.now()
        if left_s <= 0:
            work.note(f"the {question.tier} tier gave no answer that holds in {THINK_S:.0f} s")
            return None
        try:
            reply = await within(left_s + 1.0, self.mind.think(replace(question, limit_s=left_s)))
        except NoReply as failure:
            work.cost_usd += failure.cost_usd
            work.note(str(failure))
            return None
        except TimeoutError:
            work.note(f"the {question.tier} tier gave no answer in {THINK_S:.0f} s")
            return None
        work.cost_usd += reply.cost_usd
        counts = f"{reply.tokens_in} tokens in, {reply.tokens_out} out, {shown_usd(reply.cost_usd)}"
        work.note(f"{reply.model} was asked ({question.tier} tier): {counts}")
        return reply
