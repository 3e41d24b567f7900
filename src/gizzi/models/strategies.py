"""The strategies `cascade` and `consensus`: they say which models are asked, and how; `plans` carries it out."""

from __future__ import annotations

from collections.abc import Sequence

from gizzi.kinds import Opinion
from gizzi.marks import strategy
from gizzi.models.model import Model
from gizzi.models.rules import rules
from gizzi.models.task import TIERS, Task

VOTERS = 3


@strategy("cascade")
def cascade(task: Task, candidates: Sequence[Model]) -> Opinion | None:
    """The cheap answer first, the next tier where it does not hold; decisions go to the frontier tier at once."""
    decision = decided_by_words(task)
    if decision is not None:
        return decision
    first: dict[str, Model] = {}
    for model in candidates:
        first.setdefault(model.tier, model)
    if len(first) < 2:
        return Opinion(reason="only one tier may answer, so there is nothing to go up to")
    return Opinion(tuple(first.values()), reason="the cheap answer first, the next tier where it does not hold", plan="cascade")


@strategy("consensus")
def consensus(task: Task, candidates: Sequence[Model]) -> Opinion | None:
    """Decisions are voted on by models of different providers; where they disagree, a person decides."""
    if not task.critical and task.severity != "critical" and decided_by_words(task) is None:
        return None
    voters = voters_among(candidates)
    if len(voters) < 2:
        return Opinion(reason=f"a vote takes models of two providers, and {len(voters) or 'none'} may answer")
    return Opinion(voters, reason=f"a decision: {len(voters)} providers vote on it", plan="consensus")


def decided_by_words(task: Task) -> Opinion | None:
    """That the task is one for the frontier tier, by what it is for or by its words; no strategy answers such a one more cheaply."""
    said = rules(task)
    return said if said is not None and said.tier == "frontier" else None


def voters_among(candidates: Sequence[Model]) -> tuple[Model, ...]:
    """The best model of each provider, the highest tier first; the local tier votes only where it has to."""
    best: dict[str, Model] = {}
    for model in candidates:
        held = best.get(model.provider)
        if held is None or TIERS.index(model.tier) > TIERS.index(held.tier):
            best[model.provider] = model
    ranked = sorted(best.values(), key=lambda model: -TIERS.index(model.tier))
    able = [model for model in ranked if model.tier != "local"]
    return tuple((able if len(able) > 1 else ranked)[:VOTERS])
