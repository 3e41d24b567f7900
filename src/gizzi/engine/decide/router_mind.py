"""The live mind: a pydantic-ai agent over our router, so that every request of it is routed, reserved for, settled and redacted.

pydantic-ai is loaded with the first question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any, Literal

from pydantic import BaseModel, Field

from gizzi.engine.decide.mind import DecisionTier, NoReply, Question, Reply
from gizzi.engine.decide.tools import MOST_CALLS
from gizzi.errors import GizziError
from gizzi.models.router import Router

CORRECTIONS = 2
"""How often an answer that breaks its schema may be corrected within one conversation."""


class Citation(BaseModel):
    observation: str = Field(description="An id that you were shown, such as 6/peers.")
    quote: str = Field(description="Words copied exactly from what stood under that id.")


class Said(BaseModel):
    """The form of an answer. It is checked again, and harder, by `parse`."""

    action: Literal["restart", "wait", "investigate", "escalate"]
    reasoning: str = Field(description="Two or three plain sentences for a person who was just woken.")
    confidence: float = Field(ge=0, le=1)
    evidence: list[Citation]
    estimated_downtime_min: float | None = None
    escalate_to: str | None = None


class Finding(BaseModel):
    observation: str = Field(description="An id that you were shown, such as 6/peers.")
    quote: str = Field(description="Words copied exactly from what stood under that id.")
    severity: Literal["low", "medium"]
    text: str = Field(description="One plain sentence.")


class Findings(BaseModel):
    """The form of the watcher's answer. It is checked again, and harder, by `findings_of`."""

    findings: list[Finding]


# The form of a brief answer; `parse` checks it. Without docstrings and descriptions, because a model is sent those too.
class _Cited(BaseModel):
    observation: str
    quote: str


class Briefly(BaseModel):
    action: Literal["restart", "wait", "investigate", "escalate"]
    reasoning: str
    confidence: float
    evidence: list[_Cited]
    estimated_downtime_min: float | None = None


_FORMS: Mapping[str, type[BaseModel]] = {"decision": Said, "brief": Briefly, "findings": Findings}


class RouterMind:
    """Asks within one tier only; where no model of it answers, the reflex tier decides."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._reachable: Mapping[str, Sequence[str]] | None = None

    def reaches(self, tier: DecisionTier) -> bool:
        """Whether a model of it needs no key or has one, as found at the first question."""
        try:
            return bool(self._models_of(tier))
        except GizziError:
            return True  # the question will say what is wrong

    def _models_of(self, tier: DecisionTier) -> Sequence[str]:
        if self._reachable is None:
            rows = self._router.catalogue
            why_not = rows.reachability(self._router.settings)
            self._reachable = {tier: [name for name in names if why_not(rows.models[name]) is None] for tier, names in rows.tiers.items()}
        return self._reachable.get(tier, ())

    async def think(self, question: Question) -> Reply:
        try:
            await self._router.ready(self._models_of(question.tier))
        except GizziError as error:
            raise NoReply(str(error)) from None
        from pydantic_ai import Agent, NativeOutput, UsageLimits
        from pydantic_ai.exceptions import AgentRunError, UsageLimitExceeded, UserError

        decides = question.form != "findings"
        model = _models().RouterModel(
            self._router,
            within=question.tier,
            role=question.role,
            kind="decision" if decides else "report",
            severity=question.severity,
            critical=question.tier == "frontier" and question.severity == "critical",
            decides_write=decides,
            limit_s=question.limit_s,
        )
        agent: Any = Agent(
            model,
            output_type=NativeOutput(_FORMS[question.form]),
            instructions=question.instructions,
            retries=CORRECTIONS,
            tools=list(question.tools),
        )
        limits = UsageLimits(request_limit=MOST_CALLS + CORRECTIONS + 2)
        try:
            async with asyncio.timeout(question.limit_s):
                run = await agent.run(question.prompt, usage_limits=limits)
        except TimeoutError:
            raise NoReply(f"the {question.tier} tier gave no answer in {question.limit_s:.0f} s", _cost(model.bills)) from None
        except UsageLimitExceeded:
            why = f"{_names(model.bills)}: it went on looking things up and did not decide"
            raise NoReply(why, _cost(model.bills)) from None
        except (AgentRunError, UserError):
            why = f"{_names(model.bills) or question.tier}: its answer broke the form asked for {CORRECTIONS + 1} times"
            raise NoReply(why, _cost(model.bills)) from None
        except GizziError as error:
            raise NoReply(str(error), _cost(model.bills)) from None
        usages = [bill.usage for bill in model.bills if bill.usage is not None]
        last = model.bills[-1].model
        return Reply(
            run.output.model_dump_json(),
            question.tier,
            last.id,
            _cost(model.bills),
            sum(usage.input_tokens for usage in usages),
            sum(usage.output_tokens for usage in usages),
            _route(model.routes[-1]),
        )


def _models() -> Any:
    """gizzi.models.agent_model, which loads pydantic-ai: seconds that only a process which asks a model spends."""
    return import_module("gizzi.models.agent_model")


def _cost(bills: Iterable[Any]) -> Decimal:
    """What is known of it: a model without a price adds nothing, and the ledger says so."""
    return sum((bill.cost_usd for bill in bills if bill.cost_usd is not None), Decimal(0))


def _names(bills: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(bill.model.id for bill in bills))


def _route(route: Any) -> dict[str, Any]:
    considered = [{"model": c.model, "why_not": c.why_not} for c in route.considered]
    return {"strategy": route.strategy, "reason": route.reason, "considered": considered}
