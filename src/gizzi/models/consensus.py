"""`gizzi compare`: several models asked the same, side by side, and what they say together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gizzi.models import prompts
from gizzi.models.door import NoAnswer
from gizzi.models.presence import nobody
from gizzi.models.router import Router, answer_of
from gizzi.models.task import Answer, Route
from gizzi.models.votes import Vote, count, votes_of

MOST_MODELS = 12


@dataclass(frozen=True, slots=True)
class Comparison:
    """failures: why each model that did not answer did not. word: what the votes agree on; None where a person has to read them."""

    answers: tuple[Answer, ...]
    failures: Mapping[str, str]
    votes: tuple[Vote, ...]
    word: str | None
    summary: str

    def as_json(self) -> dict[str, Any]:
        votes = [{"model": vote.model, "provider": vote.provider, "vote": vote.word} for vote in self.votes]
        consensus = {"verdict": self.word, "summary": self.summary, "votes": votes}
        failures = [{"model": model, "why": why} for model, why in self.failures.items()]
        return {"answers": [answer.as_json() for answer in self.answers], "failures": failures, "consensus": consensus}


async def compare(router: Router, text: str, *, critical: bool = False, limit_s: float = 120.0) -> Comparison:
    """Ask every model that may answer, at once. Raises GizziError where none could."""
    task = router.task(text, critical=critical, limit_s=limit_s)
    names = (await router.reachable_models(task))[:MOST_MODELS]
    if not names:
        raise nobody((await router.route(task)).reason, True)
    statuses = await router.statuses() if prompts.about_fleet(task.text) else ()
    call = router.call_for(task, statuses, prompts.instructions(vote=True))

    async def one(name: str) -> Answer | NoAnswer:
        route = Route(router.catalogue.models[name].tier, (name,), "compare", "every reachable model is asked")
        try:
            return answer_of(await router.door.call(task, route, call), call)
        except NoAnswer as failure:
            return failure

    found = await asyncio.gather(*(one(name) for name in names))
    answers = tuple(answer for answer in found if isinstance(answer, Answer))
    failures = {model: why for failure in found if isinstance(failure, NoAnswer) for model, why in failure.failures.items()}
    if not answers:
        raise nobody("; ".join(failures.values()), True)
    votes = votes_of(answers)
    word, summary = count(votes)
    return Comparison(answers, failures, votes, word, summary)
