"""Which model answers. Pure: hard rules, then the strategies that are configured, then the tier's order; each says why.

A critical task goes to the frontier tier before anything else is asked. Where nobody has an opinion the standard tier answers, never the
cheapest. A tier that has no model left gives way to the next: upwards, so that the answer is no worse, but downwards where money is what
lacks. Where no model at all is left, the reflex tier answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from gizzi.config import Settings
from gizzi.errors import ConfigError, GizziError, NotFound, UsageError
from gizzi.kinds import Strategy
from gizzi.models.budget import BudgetLeft
from gizzi.models.catalogue import MODEL_TIERS, Catalogue, Reachable
from gizzi.models.hard import Refusal, case_of, is_critical
from gizzi.models.model import Model
from gizzi.models.task import Considered, Plan, Route, Task, Tier
from gizzi.registry import Registry

DEFAULT_TIER: Tier = "standard"
ANY = "auto"
_NEWS = {"retired", "budget"}
NOTED = 3
"""How many models a reason names before it says "and N more"."""
_LADDERS: dict[Tier, tuple[Tier, ...]] = {
    "local": ("local", "standard", "frontier"),
    "standard": ("standard", "frontier", "local"),
    "frontier": ("frontier", "standard", "local"),
}
_CHEAPER: dict[Tier, tuple[Tier, ...]] = {**_LADDERS, "standard": ("standard", "local", "frontier")}


def choose(
    task: Task,
    catalogue: Catalogue,
    reachable: Reachable,
    budget_left: BudgetLeft,
    strategies: Sequence[Strategy],
    now: datetime,
    *,
    unknown_prices: bool = False,
) -> Route:
    """Raises UsageError for an empty question or a model that does not exist or is retired, GizziError where a hard rule forbids the model
    that was asked for by name."""
    if not task.text or task.text.isspace():
        raise UsageError("the question is empty")
    named, tier = _named(task, catalogue)
    if task.at is None:
        task = replace(task, at=now)
    case = case_of(task, catalogue, reachable, budget_left, now.date(), named.id if named else None, unknown_prices)
    refusals = {model.id: refusal for model in catalogue.models.values() if (refusal := case.refusal(model))}
    if named is not None and named.id in refusals:
        raise _forbidden(named, refusals[named.id], catalogue)
    left = {tier: [catalogue.models[name] for name in catalogue.tiers[tier] if name not in refusals] for tier in MODEL_TIERS}
    wish = _wish(task, named, tier, left, strategies, budget_left)
    return _route(wish, catalogue, left, refusals)


def strategies_of(settings: Settings, registry: Registry) -> tuple[Strategy, ...]:
    """Those of `[routing] strategies`, in order. Raises ConfigError for a name that nothing has."""
    try:
        return tuple(_with_settings(registry.strategies[name], settings) for name in settings.routing.strategies)
    except NotFound as error:
        raise ConfigError(f"{settings.file or 'the configuration'}: [routing] strategies: {error}") from None


def _with_settings(strategy: Strategy, settings: Settings) -> Strategy:
    if "settings" not in strategy.wants:
        return strategy
    others = tuple(name for name in strategy.wants if name != "settings")
    return replace(strategy, choose=partial(strategy.choose, settings=settings), wants=others)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is wanted before it is seen what is left. models: to be taken first, in this order; with a plan all of them are its steps."""

    tier: Tier
    strategy: str
    reason: str
    models: tuple[Model, ...] = ()
    notes: tuple[str, ...] = ()
    plan: Plan = "one"


def _named(task: Task, catalogue: Catalogue) -> tuple[Model | None, Tier | None]:
    """The model or the tier that a person asked for."""
    asked = (task.model or ANY).removeprefix("gizzi/")
    if asked == ANY:
        return None, None
    tier = next((tier for tier in MODEL_TIERS if tier == asked), None)
    return (None, tier) if tier else (catalogue.find(asked), None)


def _forbidden(model: Model, refusal: Refusal, catalogue: Catalogue) -> GizziError:
    if refusal.rule != "retired":
        return GizziError(f"{model.id} may not answer this: {refusal.text}")
    others = [name for name in catalogue.tiers[model.tier] if name != model.id]
    return UsageError(f"{model.id} was {refusal.text}; take {' or '.join(others[:NOTED]) or 'another'}")


def _wish(
    task: Task,
    named: Model | None,
    tier: Tier | None,
    left: Mapping[Tier, Sequence[Model]],
    strategies: Sequence[Strategy],
    budget_left: BudgetLeft,
) -> _Wish:
    if is_critical(task):
        first = (named,) if named is not None and named.id in {model.id for model in left["frontier"]} else ()
        set_aside = () if first else _set_aside(named, tier, left)
        critical = _Wish("frontier", "critical", "critical work goes to the frontier tier", first, set_aside)
        return critical if first or not task.several_calls else _put_to_a_vote(critical, task, left["frontier"], strategies, budget_left)
    if named is not None:
        return _Wish(named.tier, "named", f"{named.id} was asked for", (named,))
    if tier is not None:
        return _Wish(tier, "named", f"the {tier} tier was asked for")
    candidates = list({model.id: model for tier in MODEL_TIERS for model in left[tier]}.values())
    notes: list[str] = []
    for strategy in strategies:
        wish, trouble = _opinion(strategy, task, candidates, budget_left)
        if wish is not None:
            return replace(wish, notes=tuple(notes))
        notes += [trouble] if trouble else []
    return _Wish(DEFAULT_TIER, "default", "nothing in it says what it needs: the standard tier", notes=tuple(notes))


def _put_to_a_vote(wish: _Wish, task: Task, frontier: Sequence[Model], strategies: Sequence[Strategy], budget_left: BudgetLeft) -> _Wish:
    """Critical work never leaves the frontier tier for a strategy, but the models of that tier may vote on it."""
    for strategy in strategies:
        said, _ = _opinion(strategy, task, frontier, budget_left)
        if said is not None and said.plan == "consensus":
            return replace(said, tier="frontier", reason=_join(wish.reason, said.reason), notes=wish.notes)
    return wish


def _set_aside(named: Model | None, tier: Tier | None, left: Mapping[Tier, Sequence[Model]]) -> tuple[str, ...]:
    """What to say to a person who asked for something cheaper."""
    asked = named.id if named else f"the {tier} tier" if tier else None
    if asked is None or tier == "frontier" or not left["frontier"]:
        return ()
    return (f"{asked} was asked for, but criticality comes first",)


def _opinion(strategy: Strategy, task: Task, candidates: Sequence[Model], budget_left: BudgetLeft) -> tuple[_Wish | None, str | None]:
    """What a strategy wants, or what was wrong with its answer; neither where it has no opinion."""
    said, failure = strategy.ask(task, candidates, budget_left)
    if failure is not None:
        return None, f"the strategy {strategy.name} failed ({failure})"
    if said is None:
        return None, None
    known = {model.id: model for model in candidates}
    wanted = [item if isinstance(item, str) else getattr(item, "id", None) for item in said.models]
    models = tuple(known[name] for name in dict.fromkeys(wanted) if name in known)
    if said.plan is not None:
        return _planned(strategy, said.plan, said.reason, models, task)
    if models:
        return _Wish(models[0].tier, strategy.name, said.reason or f"{strategy.name} chose it", models), None
    tier = next((tier for tier in MODEL_TIERS if tier == said.tier), None)
    if tier is not None:
        return _Wish(tier, strategy.name, said.reason or f"{strategy.name} wants the {tier} tier"), None
    if said.tier is None:
        return None, f"{strategy.name}: {said.reason}" if said.reason else None
    return None, f"the strategy {strategy.name} wants the tier {said.tier!r}, which there is not"


def _planned(strategy: Strategy, wanted: str, reason: str, models: tuple[Model, ...], task: Task) -> tuple[_Wish | None, str | None]:
    plan: Plan | None = "cascade" if wanted == "cascade" else "consensus" if wanted == "consensus" else None
    if plan is None:
        return None, f"the strategy {strategy.name} wants the plan {wanted!r}, which there is not"
    if not task.several_calls:
        return None, f"{strategy.name}: this is one call"
    if len(models) < 2:
        return None, f"{strategy.name}: it takes two models, and {len(models)} may answer"
    return _Wish(models[0].tier, strategy.name, reason or f"{strategy.name} chose them", models, plan=plan), None


def _route(wish: _Wish, catalogue: Catalogue, left: Mapping[Tier, Sequence[Model]], refusals: Mapping[str, Refusal]) -> Route:
    short = any(refusals[name].rule == "budget" for name in catalogue.tiers[wish.tier] if name in refusals)
    ladder = (_CHEAPER if short else _LADDERS)[wish.tier]
    chain = list({model.id: model for model in (*wish.models, *(model for tier in ladder for model in left[tier]))}.values())
    steps = tuple(model.id for model in wish.models) if wish.plan != "one" else ()
    considered = _considered(catalogue, chain, refusals, wish.plan, steps)
    if not chain:
        why = _why(dict.fromkeys(name for tier in ladder for name in catalogue.tiers[tier]), refusals)
        reason = _join(wish.reason, *wish.notes, f"no model is left ({why}): answered by rule, without a model")
        return Route("reflex", (), "reflex", reason, considered)
    tier = wish.tier if wish.models else next(tier for tier in ladder if left[tier])
    reason = _join(wish.reason, *wish.notes, *_fell(wish, tier, catalogue, refusals), *_passed_over(chain[0], tier, catalogue, refusals))
    return Route(tier, tuple(model.id for model in chain), wish.strategy, reason, considered, wish.plan, steps)


def _fell(wish: _Wish, tier: Tier, catalogue: Catalogue, refusals: Mapping[str, Refusal]) -> list[str]:
    if tier == wish.tier:
        return []
    names = catalogue.tiers[wish.tier]
    why = _why(names, refusals) if names else "no model serves it"
    return [f"not possible in the {wish.tier} tier ({why}), so the {tier} tier"]


def _passed_over(chosen: Model, tier: Tier, catalogue: Catalogue, refusals: Mapping[str, Refusal]) -> list[str]:
    """What the tier's order has before the chosen one, and is retired or too dear. (That a key is missing is no news.)"""
    order = catalogue.tiers[tier]
    before = order[: order.index(chosen.id)] if chosen.id in order else ()
    return [f"{name}: {refusals[name].text}, so the next" for name in before if name in refusals and refusals[name].rule in _NEWS]


def _why(names: Iterable[str], refusals: Mapping[str, Refusal]) -> str:
    told = [f"{name}: {refusals[name].text}" for name in names if name in refusals]
    return "; ".join(told[:NOTED]) + (f"; and {len(told) - NOTED} more" if len(told) > NOTED else "")


def _considered(
    catalogue: Catalogue, chain: Sequence[Model], refusals: Mapping[str, Refusal], plan: Plan, steps: Sequence[str]
) -> tuple[Considered, ...]:
    """Every model: the chain first, in its order, then those that may not or do not serve."""
    later = "asked next, where that answer does not hold" if plan == "cascade" else "votes too"
    shown = [Considered(model.id, (later if model.id in steps else f"fallback {at}") if at else None) for at, model in enumerate(chain)]
    rest = catalogue.models.keys() - {model.id for model in chain}
    for name in catalogue.models:
        if name in rest:
            shown.append(Considered(name, refusals[name].text if name in refusals else "no tier's order names it"))
    return tuple(shown)


def _join(*parts: str) -> str:
    return "; ".join(parts)
