"""How a model does with our question set: whether it answers, how fast, at what cost. Whether it is right, the set does not say."""

from __future__ import annotations

from decimal import Decimal
from statistics import median
from typing import Any

from gizzi.config import Settings
from gizzi.errors import GizziError
from gizzi.models.catalogue import Reachable
from gizzi.models.facts import admits_ignorance
from gizzi.models.model import Model
from gizzi.models.questions import HALVES, questions
from gizzi.models.router import Router
from gizzi.models.task import Answer
from gizzi.readers.text import one_line
from gizzi.registry import Registry

MOST_FAILURES = 5
"""After so many without one answer nobody goes on asking."""
NOT_EVALUATED = "not evaluated"
NOTE = "whether an answer is right is not judged: the questions say which tier they need, not what to answer"


async def examine(settings: Settings, registry: Registry, model: Model, reachable: Reachable) -> dict[str, Any] | str:
    """What it did with our questions, within the budget, kept answers left aside; in words why nobody knows.

    registry: with the rows that the model needs. The object holds whole numbers and texts alone, so that it can be signed.
    """
    why_not = reachable(model)
    if why_not is not None:
        return f"{NOT_EVALUATED}: {why_not}"
    asked = [question.text for half in HALVES for question in questions(half)]
    fresh = settings.model_copy(update={"cache": settings.cache.model_copy(update={"ttl_s": 0.0})})
    found, failures = list[Answer](), list[str]()
    async with Router(fresh, registry=registry) as router:
        for text in asked:
            try:
                answer = await router.ask(text, model=model.id, kind="evaluation")
            except GizziError as error:
                failures.append(one_line(str(error)))
            else:
                if answer.model == model.id:
                    found.append(answer)
                else:  # live status answered in its place
                    failures.append(one_line(answer.route.reason))
            if len(failures) == MOST_FAILURES and not found:
                return f"{NOT_EVALUATED}: {failures[0]}"
    return {"questions": len(asked), "answered": len(found), "failed": len(failures), **_of(found), "note": NOTE}


def _of(found: list[Answer]) -> dict[str, Any]:
    known = [answer.cost_usd for answer in found if answer.cost_usd is not None]
    return {
        "does_not_know": sum(admits_ignorance(answer.response) for answer in found),
        "median_s": f"{median(answer.time_s for answer in found):.2f}",
        "tokens_in": sum(answer.usage.input_tokens for answer in found),
        "tokens_out": sum(answer.usage.output_tokens for answer in found),
        "cost_usd": format(sum(known, Decimal(0)), "f") if len(known) == len(found) else "unknown",
    }
