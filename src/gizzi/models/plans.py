"""How a route that implies more than one call is carried out. Each single call goes through the one door, by `ask`.

cascade: the models of `route.steps` in turn, until an answer holds. consensus: all of them at once, and their votes are counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from gizzi.models.catalogue import Catalogue
from gizzi.models.door import NoAnswer
from gizzi.models.task import Answer, Considered, Route, Task, Tier, Usage
from gizzi.models.votes import Vote, count, votes_of

CONSENSUS = "gizzi/consensus"
Doubt = Callable[[Answer], str | None]
"""Why an answer does not hold, in a few words; None where it does."""


class Ask(Protocol):
    """One call: the first model of the route that answers. vote: it shall begin with a word that can be counted. Raises NoAnswer."""

    def __call__(self, task: Task, route: Route, *, vote: bool = False) -> Awaitable[Answer]: ...


async def carry_out(task: Task, route: Route, catalogue: Catalogue, ask: Ask, doubt: Doubt) -> Answer:
    """The answer, with the cost of every call made for it. Raises NoAnswer where none came."""
    match route.plan:
        case "cascade":
            return await _cascade(task, route, catalogue, ask, doubt)
        case "consensus":
            return await _consensus(task, route, catalogue, ask)
        case _:
            return await ask(task, route)


async def _cascade(task: Task, route: Route, catalogue: Catalogue, ask: Ask, doubt: Doubt) -> Answer:
    """Each step may fall back within its tier. What the last one says is the answer, and a doubt of it is told."""
    began = time.perf_counter()
    answers: list[Answer] = []
    told: list[str] = []
    failures: dict[str, str] = {}
    for place, name in enumerate(route.steps):
        last = place == len(route.steps) - 1
        left_s = task.limit_s - (time.perf_counter() - began)
        tier = catalogue.models[name].tier
        own = tuple(other for other in route.models if other == name or (catalogue.models[other].tier == tier and other not in route.steps))
        step = replace(route, tier=tier, models=(name, *(other for other in own if other != name)), plan="one", steps=())
        try:
            answer = await ask(replace(task, limit_s=left_s if last else left_s / 2), step)
        except NoAnswer as failure:
            failures |= failure.failures
            told += failure.failures.values()
            continue
        answers.append(answer)
        found = doubt(answer)
        if found is None:
            return _together(answers, route, [*told, f"{answer.model}: its answer holds"], failures, began)
        told.append(f"{answer.model}: {found}")
        failures[answer.model] = found
    if not answers:
        raise NoAnswer(f"no model answered: {'; '.join(told)}", failures)
    told.append(f"nothing above {answers[-1].model} answered, so this is to be read with care")
    return _together(answers, route, told, failures, began)


async def _consensus(task: Task, route: Route, catalogue: Catalogue, ask: Ask) -> Answer:
    began = time.perf_counter()

    async def one(name: str) -> Answer | NoAnswer:
        try:
            tier = catalogue.models[name].tier
            return await ask(task, replace(route, tier=tier, models=(name,), plan="one", steps=()), vote=True)
        except NoAnswer as failure:
            return failure

    found = await asyncio.gather(*(one(name) for name in route.steps))
    answers = [answer for answer in found if isinstance(answer, Answer)]
    failures = {model: why for failure in found if isinstance(failure, NoAnswer) for model, why in failure.failures.items()}
    if not answers:
        raise NoAnswer(f"no model answered: {'; '.join(failures.values())}", failures)
    votes = votes_of(answers)
    word, summary = count(votes)
    whole = _together(answers, route, [*failures.values(), summary], failures, began)
    shown = tuple({"model": vote.model, "provider": vote.provider, "vote": vote.word} for vote in votes)
    model, tier, response = _said(word, summary, votes, answers, route.tier)
    return replace(whole, model=model, tier=tier, response=response, votes=shown)


def _said(word: str | None, summary: str, votes: Sequence[Vote], answers: Sequence[Answer], tier: Tier) -> tuple[str, Tier, str]:
    """What the vote answers: the best of those who agree, or every answer, for a person. The model, the tier, the words."""
    title = f"{summary[:1].upper()}{summary[1:]}."
    if word is not None:
        agreed = {vote.model for vote in votes if vote.word == word}
        best = next(answer for answer in answers if answer.model in agreed)
        return best.model, best.tier, f"{title}\n\n{best.response}"
    every = "\n\n".join(f"{answer.model}:\n{answer.response}" for answer in answers)
    return CONSENSUS, tier, f"{title}\n\n{every}"


def _together(answers: Sequence[Answer], route: Route, told: Sequence[str], failures: dict[str, str], began: float) -> Answer:
    """The last answer, with what all of them cost."""
    last = answers[-1]
    costs = [answer.cost_usd for answer in answers]
    cost = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    why = {**failures, last.model: None} if last.model not in failures else failures
    considered = tuple(Considered(c.model, why.get(c.model, c.why_not)) for c in route.considered)
    found = replace(route, tier=last.tier, reason="; ".join([route.reason, *told]), considered=considered)
    return replace(last, cost_usd=cost, time_s=time.perf_counter() - began, usage=_sum([a.usage for a in answers]), route=found)


def _sum(usages: Sequence[Usage]) -> Usage:
    return Usage(
        sum(usage.input_tokens for usage in usages),
        sum(usage.output_tokens for usage in usages),
        sum(usage.cached_input_tokens for usage in usages),
        sum(usage.cache_write_tokens for usage in usages),
        sum(usage.reasoning_tokens for usage in usages),
        any(usage.estimated for usage in usages),
    )
