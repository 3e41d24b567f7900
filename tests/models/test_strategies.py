"""What the strategies `cascade`, `consensus` and `learned` want, as the route tells it. Nothing is called."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi import registry
from gizzi.errors import ConfigError
from gizzi.kinds import MARK, Opinion, Strategy
from gizzi.marks import strategy
from gizzi.models.features import BLOCKS, BUCKETS, SHAPE
from gizzi.models.learned import LearnedRouter, curve, make_head
from gizzi.models.learned_choice import Trained, choose_learned, with_priors
from gizzi.models.learned_file import save
from gizzi.models.questions import HALVES, questions
from gizzi.models.route import strategies_of
from gizzi.models.strategies import VOTERS, voters_among
from gizzi.models.task import TIERS, Route, Task
from tools.catalogue import catalogue_of, purse, route, settings_of, why_not

HEALTH = "Is validator 6 healthy?"
CODE = "Analyze this Rust function for bugs: fn add(a: i32, b: i32) -> i32 { a + b }"
DECISION = "Should we restart validator 6? It has 2 peers and finalization lag of 150 blocks."
LOCAL, FRONTIER = "ollama/llama3.1:8b", "anthropic/claude-opus-5-5"


def by(*names: str, **routing: Any) -> tuple[Strategy, ...]:
    settings = settings_of(routing={"strategies": list(names), **routing})
    return strategies_of(settings, registry.load(settings))


def several(text: str, **more: Any) -> Task:
    return Task(text, several_calls=True, **more)


def test_a_cascade_has_a_step_for_each_tier_and_the_others_to_fall_back_on() -> None:
    found = route(several(CODE), strategies=by("cascade"))
    rows = catalogue_of()
    assert found.plan == "cascade" and found.strategy == "cascade" and found.tier == "local"
    assert [rows.models[name].tier for name in found.steps] == ["local", "standard", "frontier"]
    assert found.models[: len(found.steps)] == found.steps and set(found.models) > set(found.steps)
    assert why_not(found)[found.steps[1]] == "asked next, where that answer does not hold"


def test_a_single_call_a_single_tier_and_a_model_by_name_are_no_cascade() -> None:
    assert "cascade: this is one call" in route(Task(CODE), strategies=by("cascade")).reason
    alone = route(several(CODE, private=True), strategies=by("cascade"))
    assert alone.plan == "one" and "only one tier may answer" in alone.reason
    assert route(several(CODE, model=LOCAL), strategies=by("cascade")).plan == "one"


@pytest.mark.parametrize("name", ["cascade", "learned"])
@pytest.mark.parametrize("half", HALVES)
def test_no_strategy_takes_a_decision_or_critical_work_down(name: str, half: Any) -> None:
    strategies, rows = by(name, "rules"), catalogue_of()
    for question in questions(half):
        if question.tier == "frontier":
            found = route(several(question.text, critical=question.critical), rows, strategies=strategies)
            assert found.tier == "frontier" and found.plan == "one", question.text


def test_a_vote_is_between_the_best_models_of_different_providers() -> None:
    found, rows = route(several(DECISION), strategies=by("consensus", "rules")), catalogue_of()
    assert found.plan == "consensus" and 2 <= len(found.steps) <= VOTERS and found.tier == "frontier"
    assert len({rows.models[name].provider for name in found.steps}) == len(found.steps)
    assert why_not(found)[found.steps[1]] == "votes too"
    assert route(several(HEALTH), strategies=by("consensus", "rules")).strategy == "rules", "only decisions are voted on"
    alone = route(several(DECISION), strategies=by("consensus", "rules"), away=("openai", "google", "mistral", "ollama"))
    assert alone.plan == "one" and "a vote takes models of two providers, and 1 may answer" in alone.reason


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(TIERS[1:])), max_size=12))
def test_voters(pairs: list[tuple[str, Any]]) -> None:
    rows = catalogue_of(
        providers={name: {"api": "openai", "url": "http://127.0.0.1:9"} for name in "abcd"},
        models={f"{name}/m{at}": {"tier": tier} for at, (name, tier) in enumerate(pairs)},
    )
    models = [rows.models[f"{name}/m{at}"] for at, (name, _) in enumerate(pairs)]
    voters = voters_among(models)
    assert len({model.provider for model in voters}) == len(voters) <= VOTERS
    ranks = [TIERS.index(model.tier) for model in voters]
    assert ranks == sorted(ranks, reverse=True)
    for voter in voters:
        assert all(TIERS.index(m.tier) <= TIERS.index(voter.tier) for m in models if m.provider == voter.provider)
    able = {model.provider for model in models if model.tier != "local"}
    assert len(able) < 2 or all(model.tier != "local" for model in voters)


def test_critical_work_is_voted_on_within_the_frontier_tier() -> None:
    found, rows = route(several(HEALTH, critical=True), strategies=by("consensus", "rules")), catalogue_of()
    assert found.strategy == "consensus" and set(found.steps) <= set(rows.tiers["frontier"])
    assert found.reason.startswith("critical work goes to the frontier tier; a decision: ")
    assert route(several(HEALTH, critical=True), strategies=by("cascade", "learned", "rules")).strategy == "critical"
    assert route(several(HEALTH, critical=True, model=FRONTIER), strategies=by("consensus")).models[0] == FRONTIER


@pytest.mark.parametrize("plan", ["cascade", "consensus", "lottery"])
def test_a_plugin_may_want_a_plan(plan: str) -> None:
    @strategy("both")
    def both(candidates: Any) -> Opinion:
        return Opinion((candidates[0], candidates[-1]), reason="both", plan=plan)

    found = route(several(HEALTH), strategies=[getattr(both, MARK)])
    assert found.plan == (plan if plan != "lottery" else "one")
    assert plan != "lottery" or "wants the plan 'lottery', which there is not" in found.reason
    critical = route(several(HEALTH, critical=True), strategies=[getattr(both, MARK)])
    assert critical.tier == "frontier" and critical.plan == ("consensus" if plan == "consensus" else "one")


# Learned


def head(tier: str, bias: float, puzzles: float = 0.0, labels: int = 100) -> Any:
    """A head that is right with the odds of its bias, and less often with longer prompts."""
    shape = [0.0] * len(SHAPE)
    shape[0] = puzzles
    return make_head(tier, labels, bias, 1.0, 0.0, shape, [[0.0] * BUCKETS for _ in BLOCKS])


def learned_router(**heads: Any) -> LearnedRouter:
    flat = (0.0,) * len(SHAPE)
    return LearnedRouter(flat, (1.0,) * len(SHAPE), heads)


@cache
def two() -> LearnedRouter:
    return learned_router(**{LOCAL: head("local", 5.0, -25.0), FRONTIER: head("frontier", 3.0)})


def test_nothing_trained_yet_is_said_and_is_no_opinion(tmp_path: Path) -> None:
    found = route(HEALTH, strategies=by("learned", learned=str(tmp_path / "none.json")))
    assert found.strategy == "default" and found.tier == "standard"
    assert "learned: no router has been trained yet; `gizzi learn train` does it" in found.reason
    assert route(HEALTH, strategies=by("learned", "rules", learned=str(tmp_path / "none.json"))).strategy == "rules"


def test_a_damaged_file_is_said_and_is_no_opinion(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}", encoding="utf-8")
    found = route(HEALTH, strategies=by("learned", "rules", learned=str(tmp_path / "r.json")))
    assert found.tier == "local" and "this is not a learned router" in found.reason


def test_a_trained_file_decides_and_a_new_one_is_read(tmp_path: Path) -> None:
    file = tmp_path / "router.json"
    save(two(), file)
    strategies = by("learned", learned=str(file))
    short, long = route("Hi", strategies=strategies), route("Explain, in detail and at length, " * 8, strategies=strategies)
    assert (short.model, short.strategy) == (LOCAL, "learned") and long.model == FRONTIER
    assert "answers such rightly with" in short.reason and "no cheaper model keeps 95%" in long.reason
    save(learned_router(**{LOCAL: head("local", -9.0), FRONTIER: head("frontier", 3.0)}), file)
    assert route("Hi", strategies=strategies).model == FRONTIER


def trained(router: LearnedRouter) -> Trained:
    return with_priors(router)


def candidates() -> list[Any]:
    rows = catalogue_of()
    return [rows.models[name] for tier in TIERS[1:] for name in rows.tiers[tier]]


def test_outcomes_of_one_tier_only_are_no_reason_to_go_cheap() -> None:
    said = choose_learned(trained(learned_router(**{LOCAL: head("local", 3.0)})), "Hi", candidates(), 0.95)
    assert said.models == () and said.tier is None and "one tier only" in said.reason


def test_a_model_without_outcomes_begins_as_its_tiers_prior() -> None:
    """And the threshold between its tiers' models stands for it."""
    known = trained(two().with_curve(LOCAL, FRONTIER, ["Hi", "Explain this at length, please, and more so"]))
    others = [model for model in candidates() if model.id != FRONTIER]
    said = choose_learned(known, "Hi", others, 0.95)
    assert [model.id for model in said.models] == [LOCAL]
    strong = next(model for model in others if model.tier == "frontier")
    assert known.head(strong) == known.priors["frontier"] and known.curve(others[0], strong) is not None


@given(st.floats(0, 1), st.floats(0, 1), st.text(max_size=400))
def test_less_quality_is_never_dearer(one: float, other: float, prompt: str) -> None:
    rows, known = candidates(), trained(two())
    low, high = sorted((one, other))
    cheap, dear = (choose_learned(known, prompt, rows, quality).models[0].tier for quality in (low, high))
    assert TIERS.index(cheap) <= TIERS.index(dear)


def test_a_measured_curve_sets_the_threshold() -> None:
    router = two()
    prompts = ["Hi", "What?", "Explain this in detail", "Explain this at great length and in detail " * 3]
    seen = [router.see(prompt) for prompt in prompts]
    measured = curve([router.heads[LOCAL].look(s) for s in seen], [router.heads[FRONTIER].look(s) for s in seen])
    known = trained(LearnedRouter(router.centre, router.spread, router.heads, {(LOCAL, FRONTIER): measured}))
    assert choose_learned(known, prompts[-1], candidates(), 0.0).models[0].id == LOCAL
    assert choose_learned(known, prompts[-1], candidates(), 1.0).models[0].id == FRONTIER


# Critical work where the frontier tier cannot answer


def told(found: Route, name: str) -> str:
    return why_not(found)[name] or ""


def test_critical_work_below_the_frontier_says_why() -> None:
    rows = catalogue_of()
    away = tuple(rows.tiers["frontier"])
    found = route(Task(DECISION, critical=True), rows, away=away)
    assert found.tier == "standard" and found.strategy == "critical"
    assert "critical work goes to the frontier tier; not possible in the frontier tier (" in found.reason
    assert "so the standard tier" in found.reason and all(told(found, name) == "not reachable" for name in away)


def test_critical_work_may_spend_what_is_kept_for_it_and_other_work_may_not() -> None:
    left = purse("1", "1")
    critical, plain = route(Task(DECISION, critical=True), left=left), route(Task(DECISION), left=left)
    assert critical.tier == "frontier" and plain.tier == "local"
    assert "not possible in the frontier tier" in plain.reason and "the budget of the day is met" in plain.reason
    broke = route(Task(DECISION, critical=True), left=purse("0", "0"))
    assert broke.tier == "local" and "the budget of the day is met" in broke.reason and "budget" in told(broke, FRONTIER)


ROWS = catalogue_of()
NAMES = sorted({name for names in ROWS.tiers.values() for name in names})
ORDERS = {names: by(*names) for names in (("cascade",), ("consensus", "cascade", "rules"), ("learned", "rules"), ("rules",), ())}


@given(
    st.sets(st.sampled_from(NAMES)),
    st.sampled_from(list(ORDERS)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([HEALTH, CODE, DECISION, "Well?"]),
    st.sampled_from(["1000", "0.01", "0"]),
)
def test_whatever_is_left_a_route_keeps_the_rules(
    away: set[str], order: tuple[str, ...], critical: bool, private: bool, text: str, left_usd: str
) -> None:
    task = several(text, critical=critical, private=private)
    found = route(task, ROWS, away=tuple(away), left=purse(left_usd), strategies=ORDERS[order])
    assert not set(found.models) & away and set(found.steps) <= set(found.models)
    assert found.plan == "one" or (len(found.steps) > 1 and found.steps == found.models[: len(found.steps)])
    ranks = [TIERS.index(ROWS.models[name].tier) for name in found.steps]
    assert found.plan != "cascade" or (ranks == sorted(set(ranks)) and not critical and text != DECISION)
    able = set(found.models) & set(ROWS.tiers["frontier"])
    if (critical or (text == DECISION and order)) and found.tier != "frontier":
        assert not able and ("not possible in the frontier tier" in found.reason or found.tier == "reflex" or found.steps)
    assert not private or all(ROWS.providers[ROWS.models[name].provider].local for name in found.models)
    assert {considered.model for considered in found.considered} == set(ROWS.models)


def test_settings_reach_a_strategy_and_an_unknown_name_is_an_error() -> None:
    assert by("learned")[0].wants == ("task", "candidates")
    with pytest.raises(ConfigError, match="did you mean 'cascade'"):
        by("cascad")
