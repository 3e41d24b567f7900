"""Typed answers, the cheap model first: the next tier is asked where an answer breaks its schema or contradicts what is known.

Import it where it is used: it loads pydantic-ai.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import AgentRunError

from gizzi.errors import GizziError
from gizzi.models import prompts
from gizzi.models.agent_model import RouterModel
from gizzi.models.catalogue import MODEL_TIERS
from gizzi.models.door import Bill
from gizzi.models.router import Router
from gizzi.models.task import TIERS, Answer, Considered, Route, Tier, Usage

T = TypeVar("T", bound=BaseModel)
CORRECTIONS = 2
"""How often a model may correct an answer that breaks its schema before the next tier is asked: three answers in all."""


async def cascade(
    router: Router,
    text: str,
    output: type[T],
    *,
    contradicts: Callable[[T], str | None] = lambda _: None,
    tiers: Sequence[Tier] = MODEL_TIERS,
    instructions: str = prompts.ABOUT,
    role: str | None = None,
    kind: str | None = None,
    critical: bool = False,
    private: bool = False,
) -> Answer:
    """`Answer.output` is an `output`. contradicts: in a few words what of an answer live facts contradict, None where nothing does.

    Critical work goes to the frontier tier at once. Raises GizziError where no tier gave an answer that holds, with what each lacked.
    """
    began = time.perf_counter()
    bills: list[Bill] = []
    doubts: dict[str, str] = {}
    wanted: Sequence[Tier] = ("frontier",) if critical else tiers
    doubt: str | None
    for tier in wanted:
        model = RouterModel(router, within=None if critical else tier, role=role, kind=kind, critical=critical, private=private)
        try:
            run = await Agent(model, output_type=NativeOutput(output), instructions=instructions, retries=CORRECTIONS).run(text)
        except AgentRunError:
            doubt = f"its answer broke the schema {CORRECTIONS + 1} times"
            if model.bills:
                router.outcomes.note(router.task(text, private=private), model.bills[-1].model.id, "", good=False, said_by="schema")
        except GizziError as error:
            doubt = str(error)
        else:
            contradiction = contradicts(run.output)
            if contradiction is None:
                return _answer(run.output, [*bills, *model.bills], doubts, time.perf_counter() - began)
            doubt = f"live facts contradict it: {contradiction}"
        bills += model.bills
        doubts[model.bills[-1].model.id if model.bills else tier] = doubt
    raise GizziError(f"no tier gave an answer that holds: {'; '.join(f'{name}: {doubt}' for name, doubt in doubts.items())}")


def _answer(output: BaseModel, bills: Sequence[Bill], doubts: dict[str, str], time_s: float) -> Answer:
    last = bills[-1]
    costs = [bill.cost_usd for bill in bills]
    cost = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    reason = "; ".join([*(f"{name}: {doubt}, so the next tier" for name, doubt in doubts.items()), f"{last.model.id}: its answer holds"])
    considered = (*(Considered(name, doubt) for name, doubt in doubts.items() if name not in TIERS), Considered(last.model.id, None))
    route = Route(last.model.tier, (last.model.id,), "cascade", reason, considered)
    usages = [bill.usage or Usage(estimated=True) for bill in bills]
    usage = Usage(
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        estimated=any(usage.estimated for usage in usages),
    )
    return Answer(last.model.id, last.model.tier, output.model_dump_json(), cost, time_s, usage, route, output=output)
