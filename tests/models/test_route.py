from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gizzi import registry, strategy
from gizzi.config import parse
from gizzi.errors import ConfigError, GizziError, UsageError
from gizzi.kinds import Opinion, Strategy
from gizzi.models.hard import estimate_tokens
from gizzi.models.route import strategies_of
from gizzi.models.task import Task
from tools.catalogue import TODAY, catalogue_of, purse, route, settings_of, why_not

HEALTH = "Is validator 6 healthy?"
CODE = "Why does this function not compile?"
DECISION = "Should we restart validator 6? It has 2 peers and finalization lag of 150 blocks."
NOTHING = "Hello there"
CLOUD = ("openai", "anthropic", "google", "mistral")


def made(function: Callable[..., Any], name: str = "mine") -> Strategy:
    strategy(name)(function)
    marked: Strategy = function.__gizzi__  # type: ignore[attr-defined]
    return marked


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        (HEALTH, "local"),
        ("Analyze this Rust function for bugs: fn add(a: i32, b: i32) -> i32 { a + b }", "standard"),
        ("How should we vote on the governance proposal?", "frontier"),
        ("Calculate the sum of 3, 4 and 5", "standard"),
        (NOTHING, "standard"),
    ],
)
def test_where_questions_go(text: str, tier: str) -> None:
    found = route(text)
    assert found.tier == tier
    assert found.model == catalogue_of().tiers[found.tier][0]


def test_criticality_comes_before_the_words() -> None:
    for text in (DECISION, HEALTH, "peers", "hello", CODE):
        found = route(Task(text, critical=True))
        assert (found.tier, found.strategy) == ("frontier", "critical"), text
    assert route(Task(HEALTH, severity="critical")).tier == "frontier"
    assert route(Task(HEALTH, severity="high")).tier == "local"


def test_a_critical_task_asks_no_strategy() -> None:
    asked = []
    found = route(Task(HEALTH, critical=True), strategies=[made(lambda task: asked.append(task))])
    assert found.tier == "frontier" and not asked


def test_nothing_known_is_standard_never_the_cheapest() -> None:
    found = route(NOTHING)
    assert (found.tier, found.strategy) == ("standard", "default")
    assert "standard tier" in found.reason
    assert route(NOTHING, strategies=()).tier == "standard"


def test_every_model_is_considered_once() -> None:
    rows = catalogue_of()
    for task in (Task(HEALTH), Task(DECISION, critical=True), Task(HEALTH, private=True)):
        found = route(task, rows)
        assert sorted(why_not(found)) == sorted(rows.models) and len(found.considered) == len(rows.models)
        assert [name for name, why in why_not(found).items() if why is None] == [found.model]
        assert [c.model for c in found.considered[: len(found.models)]] == list(found.models)


def test_what_is_private_never_leaves_the_local_tier() -> None:
    for text in (HEALTH, CODE, DECISION):
        found = route(Task(text, private=True))
        assert found.models == ("ollama/llama3.1:8b",) and found.tier == "local"
    assert route(Task(DECISION, private=True, critical=True)).models == ("ollama/llama3.1:8b",)
    assert "private" in (why_not(route(Task(CODE, private=True)))["openai/gpt-6.1-terra"] or "")


def test_private_without_a_local_model_is_reflex() -> None:
    found = route(Task(HEALTH, private=True), away=["ollama"])
    assert (found.tier, found.models) == ("reflex", ())
    assert "private" in found.reason


def test_a_cloud_model_in_the_local_tier_does_not_get_what_is_private() -> None:
    rows = catalogue_of(tiers={"local": ["openai/gpt-6-luna", "ollama/gpt-oss:120b-cloud"]})
    found = route(Task(HEALTH, private=True), rows, unknown_prices=True)
    assert found.tier == "reflex"
    assert "local = true" in (why_not(found)["openai/gpt-6-luna"] or "")


def test_a_prompt_too_long_for_a_model_goes_further_up() -> None:
    found = route(HEALTH + " word" * 10_000)
    assert found.tier == "standard" and "too long" in (why_not(found)["ollama/llama3.1:8b"] or "")
    huge = route("word " * 2_000_000)
    assert huge.tier == "reflex" and "too long" in huge.reason
    history = route(Task(HEALTH, context_tokens=9000))
    assert history.tier == "standard"


def test_capabilities_are_needed() -> None:
    models = {"ollama/llama3.1:8b": {"capabilities": ["stream"]}}
    found = route(Task(HEALTH, needs=frozenset({"tools", "json"})), catalogue_of(models=models))
    assert found.tier == "standard" and why_not(found)["ollama/llama3.1:8b"] == "it cannot do json, tools"


def test_a_retired_model_is_passed_over_and_it_says_so() -> None:
    rows = catalogue_of(tiers={"standard": ["openai/gpt-4-turbo", "openai/gpt-4", "openai/gpt-6.1-terra"]})
    found = route(CODE, rows)
    assert found.model == "openai/gpt-6.1-terra"
    assert "openai/gpt-4-turbo: retired on 2026-10-23" in found.reason
    assert why_not(found)["openai/gpt-4-turbo"] == "retired on 2026-10-23"


def test_a_model_is_retired_from_its_day_on() -> None:
    models = {"openai/gpt-6.1-terra": {"retired": TODAY}, "openai/gpt-6-luna": {"retired": datetime(2026, 11, 21, tzinfo=UTC).date()}}
    rows = catalogue_of(models=models, tiers={"standard": ["openai/gpt-6.1-terra", "openai/gpt-6-luna"]})
    assert route(CODE, rows).model == "openai/gpt-6-luna"


def test_what_cannot_be_reached_gives_way_upwards() -> None:
    assert route(HEALTH, away=["ollama"]).tier == "standard"
    found = route(CODE, away=["openai/gpt-6.1-terra"])
    assert found.tier == "standard" and found.model == catalogue_of().tiers["standard"][1]
    rows = catalogue_of(tiers={"standard": ["openai/gpt-6-luna"]})
    up = route(CODE, rows, away=["openai/gpt-6-luna"])
    assert up.tier == "frontier" and "not possible in the standard tier (openai/gpt-6-luna: not reachable)" in up.reason
    assert route(CODE, rows, away=CLOUD).tier == "local", "the local tier where nothing above is left"


def test_critical_work_falls_no_further_than_it_must() -> None:
    rows = catalogue_of()
    frontier = rows.tiers["frontier"]
    found = route(Task(DECISION, critical=True), away=frontier)
    assert found.tier == "standard" and "not possible in the frontier tier" in found.reason
    assert route(Task(DECISION, critical=True), away=CLOUD).tier == "local"


def test_nothing_reachable_is_reflex() -> None:
    found = route(HEALTH, away=[*CLOUD, "ollama"])
    assert (found.tier, found.models, found.model) == ("reflex", (), None)
    assert "no model is left" in found.reason and all(why for why in why_not(found).values())


def test_fallbacks_follow_in_order() -> None:
    found = route(HEALTH)
    rows = catalogue_of()
    assert found.models == (*rows.tiers["local"], *rows.tiers["standard"], *rows.tiers["frontier"])
    assert why_not(found)[found.models[1]] == "fallback 1"


def test_a_budget_that_is_met_falls_to_the_next_cheaper_tier_and_says_so() -> None:
    rows = catalogue_of()
    tight = route(CODE, rows, left=purse("0.0021"))
    assert tight.tier == "standard" and "openai/gpt-6.1-terra: the budget of the day is met" in tight.reason
    assert tight.model == "anthropic/claude-haiku-5-5", "the tier's next, where that one is cheap enough"
    spent = route(CODE, rows, left=purse("0"))
    assert spent.tier == "local" and "the budget of the day is met" in spent.reason
    decision = route("How should we vote on the proposal?", rows, left=purse("0.012"))
    assert decision.tier == "frontier" and decision.model == "openai/gpt-6.1-sol"
    cheaper = route("How should we vote on the proposal?", rows, left=purse("0.006"))
    assert cheaper.tier == "standard" and "so the standard tier" in cheaper.reason


def test_critical_work_keeps_its_reserve() -> None:
    left = purse("1", kept_usd="1")
    assert route(CODE, left=left).tier == "local"
    assert route(Task(CODE, critical=True), left=left).tier == "frontier"
    assert route(Task(CODE, critical=True), left=purse("0", kept_usd="1")).tier == "local"


def test_tiers_and_roles_have_budgets_of_their_own() -> None:
    poor = purse("100", tiers={"standard": purse("0").day_usd})
    assert route(CODE, left=poor).tier == "local"
    role = purse("100", roles={"security": purse("0").day_usd})
    assert route(Task(CODE, role="security"), left=role).tier == "local"
    assert route(Task(CODE, role="dev"), left=role).tier == "standard"


def test_a_price_that_nobody_knows_needs_a_persons_word() -> None:
    acme = {"acme": {"api": "openai", "url": "https://api.acme.example/v1"}}
    rows = catalogue_of(providers=acme, models={"acme/new": {"tier": "standard"}})
    assert rows.tiers["standard"][0] == "acme/new"
    found = route(CODE, rows)
    assert found.model == "openai/gpt-6.1-terra" and "nobody knows its price" in (why_not(found)["acme/new"] or "")
    assert route(Task(CODE, model="acme/new"), rows).model == "acme/new"
    assert route(CODE, rows, unknown_prices=True).model == "acme/new"
    assert route(CODE, rows, unknown_prices=True, left=purse("0")).model == "ollama/llama3.1:8b"


def test_a_named_model_wins() -> None:
    found = route(Task(HEALTH, model="anthropic/claude-sonnet-5-5"))
    assert (found.model, found.tier, found.strategy) == ("anthropic/claude-sonnet-5-5", "frontier", "named")
    assert route(Task(HEALTH, model="claude-sonnet-5-5")).model == "anthropic/claude-sonnet-5-5"
    assert route(Task(HEALTH, model="openai/gpt-4o")).model == "openai/gpt-4o", "also one that no tier's order names"


def test_a_named_tier_wins() -> None:
    assert route(Task(HEALTH, model="frontier")).tier == "frontier"
    assert route(Task(CODE, model="gizzi/local")).tier == "local"
    assert route(Task(HEALTH, model="gizzi/auto")).tier == "local"


@pytest.mark.parametrize(
    ("task", "error", "says"),
    [
        (Task(HEALTH, model="openai/gpt-4"), UsageError, "openai/gpt-4 was retired on 2026-10-23; take openai/gpt-6.1-terra"),
        (Task(HEALTH, model="gpt-6.1-tera"), UsageError, "did you mean openai/gpt-6.1-terra"),
        (Task(HEALTH, model="google/gemini-3.8-flash"), GizziError, "google/gemini-3.8-flash may not answer this: not reachable"),
        (Task(HEALTH, model="openai/gpt-6.1-sol", private=True), GizziError, "private"),
        (Task(HEALTH, model="ollama/llama3.1:8b", context_tokens=9000), GizziError, "too long"),
        (Task(""), UsageError, "empty"),
        (Task(" \n\t"), UsageError, "empty"),
    ],
)
def test_what_cannot_be_is_one_plain_error(task: Task, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        route(task, away=["google"])
    assert says in str(caught.value)


def test_criticality_comes_before_a_named_cheaper_model() -> None:
    found = route(Task(HEALTH, model="ollama/llama3.1:8b", critical=True))
    assert found.tier == "frontier" and "ollama/llama3.1:8b was asked for, but criticality comes first" in found.reason
    assert route(Task(HEALTH, model="openai/gpt-6.1-sol", critical=True)).tier == "frontier"
    alone = route(Task(HEALTH, model="ollama/llama3.1:8b", critical=True), away=CLOUD)
    assert alone.model == "ollama/llama3.1:8b" and "criticality comes first" not in alone.reason


def test_a_critical_task_prefers_the_frontier_model_that_was_named() -> None:
    assert route(Task(HEALTH, model="openai/gpt-6.1-sol", critical=True)).model == "openai/gpt-6.1-sol"


def night_watch(task: Any, candidates: Any, spend: Any) -> Any:
    if task.severity == "low" and task.at.hour < 6:
        return [m for m in candidates if m.tier == "local"]
    return None


def test_a_strategy_of_a_plugin() -> None:
    at_night = Task(CODE, severity="low", at=datetime(2026, 11, 20, 3, tzinfo=UTC))
    watch = made(night_watch, "night_watch")
    found = route(at_night, strategies=[watch])
    assert (found.tier, found.strategy, found.model) == ("local", "night_watch", "ollama/llama3.1:8b")
    assert route(replace(at_night, at=None), strategies=[watch]).tier == "standard", "without a time it is now"
    assert route(replace(at_night, severity="high"), strategies=[watch]).strategy == "default"
    assert route(at_night, strategies=[watch], away=["ollama"]).strategy == "default", "an empty list is no opinion"


@pytest.mark.parametrize(
    ("answer", "tier", "strategy_name"),
    [
        (None, "standard", "default"),
        ([], "standard", "default"),
        (["openai/gpt-6.1-sol", "openai/gpt-6.1-sol"], "frontier", "mine"),
        (["openai/gpt-4"], "standard", "default"),
        (["no/such"], "standard", "default"),
        ([3, None, object()], "standard", "default"),
        (Opinion(tier="local", reason="because"), "local", "mine"),
        (Opinion(tier="reflex"), "standard", "default"),
        (Opinion(tier="nonsense"), "standard", "default"),
        (7, "standard", "default"),
    ],
)
def test_what_a_strategy_may_say(answer: Any, tier: str, strategy_name: str) -> None:
    found = route(NOTHING, strategies=[made(lambda: answer)])
    assert (found.tier, found.strategy) == (tier, strategy_name)


def test_a_strategy_cannot_bring_back_what_a_hard_rule_forbids() -> None:
    grab = made(lambda candidates: [m.id for m in catalogue_of().models.values()])
    found = route(Task(CODE, private=True), strategies=[grab])
    assert found.models == ("ollama/llama3.1:8b",)


def test_a_strategy_that_fails_is_passed_over_and_named() -> None:
    def broken(task: Any) -> Any:
        raise ValueError("oh")

    said = made(lambda: Opinion(tier="local", reason="second"), "second")
    found = route(NOTHING, strategies=[made(broken, "broken"), said])
    assert found.strategy == "second" and "the strategy broken failed (ValueError: oh)" in found.reason
    assert "asks nothing" not in route(NOTHING, strategies=[made(lambda candidates: candidates.clear(), "clears")]).reason


def test_the_first_strategy_with_an_opinion_wins() -> None:
    first, second = made(lambda: None, "first"), made(lambda: Opinion(tier="local"), "second")
    assert route(CODE, strategies=[first, second, made(lambda: Opinion(tier="frontier"), "third")]).strategy == "second"


def test_strategies_come_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "night.py").write_text(
        "from gizzi import strategy\n\n@strategy('night_watch')\ndef night_watch(task, candidates, spend):\n    return None\n"
    )
    settings = parse({"plugins": {"folder": str(tmp_path)}, "routing": {"strategies": ["night_watch", "rules"]}}, "gizzi.toml")
    assert [s.name for s in strategies_of(settings, registry.load(settings))] == ["night_watch", "rules"]
    wrong = settings_of(routing={"strategies": ["rulse"]})
    with pytest.raises(ConfigError, match=r"\[routing\] strategies.*'rulse'.*did you mean 'rules'"):
        strategies_of(wrong, registry.load(wrong))


def test_a_strategy_that_asks_for_something_unknown_or_is_async_is_refused() -> None:
    async def waits(task: Any) -> None: ...

    with pytest.raises(ConfigError, match="asks for 'teapot'"):
        strategy("odd")(lambda task, teapot: None)
    with pytest.raises(ConfigError, match="is async"):
        strategy("waits")(waits)


def test_tokens_are_estimated_rather_too_high() -> None:
    assert estimate_tokens("word " * 1000) >= 1000
    assert estimate_tokens("") < 20
    assert estimate_tokens("验证人" * 100) >= 200
    assert estimate_tokens("\udcff") > 0
