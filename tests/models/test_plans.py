"""Answers that take several calls: the cascade and the vote, each call through the one door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.errors import GizziError
from gizzi.models import learned_choice
from gizzi.models.outcomes import Outcomes
from gizzi.models.plans import CONSENSUS
from gizzi.models.report import costs_by
from gizzi.models.router import Router
from gizzi.models.task import Answer
from gizzi.store import open_store
from tools.models import settings_for
from tools.providers import FakeProvider, chat, fault, provider

STATUS = {
    "number": 6,
    "health": "critical",
    "up": True,
    "peers": 2,
    "block_height": 10,
    "finalization_lag": 150,
    "syncing": False,
    "reasons": [],
}
WHY = "Why does validator 6 lag behind?"
DECISION = "Should we restart validator 6?"
ONE_CALL = Decimal("0.000018")
"""12 tokens in and 3 out, at 1 and 2 US$ a million."""


async def fleet() -> list[dict[str, Any]]:
    return [STATUS]


def three(urls: dict[str, str], folder: Path, *strategies: str, **more: Any) -> Settings:
    """A model for each tier, each of its own provider."""
    raw = {
        "providers": {
            **{name: {"api": "openai", "url": url, "local": name == "cheap"} for name, url in urls.items()},
            "ollama": {"url": "http://127.0.0.1:9"},
        },
        "models": {
            f"{name}/m": {"tier": tier, "price": {"input": 1, "output": 2}}
            for name, tier in zip(urls, ("local", "standard", "frontier"), strict=True)
        },
        "tiers": {tier: [f"{name}/m"] for name, tier in zip(urls, ("local", "standard", "frontier"), strict=True)},
        "routing": {"strategies": list(strategies), "learned": str(folder / "router.json")},
        **more,
    }
    return settings_for("http://127.0.0.1:9", folder, **raw)


class Three:
    def __init__(self, router: Router, fakes: list[FakeProvider], settings: Settings) -> None:
        self.router, self.settings = router, settings
        self.cheap, self.middle, self.best = fakes

    @property
    def calls(self) -> tuple[int, int, int]:
        return self.cheap.calls, self.middle.calls, self.best.calls

    async def outcomes(self) -> dict[str, int]:
        """How many entries of the ledger each model has, by what came of them."""
        await self.router.outcomes.finish()
        store = open_store(self.settings.store.url)
        try:
            report = await costs_by(store, "model", now=LiveClock().now(), budget=self.settings.budget, frontier=None)
            return {row["model"]: row["calls"] for row in report["rows"]}
        finally:
            store.close()


@asynccontextmanager
async def asked(folder: Path, *strategies: str, replies: tuple[Any, Any, Any], **more: Any) -> AsyncIterator[Three]:
    async with provider(replies[0]) as cheap, provider(replies[1]) as middle, provider(replies[2]) as best:
        settings = three({"cheap": cheap.url, "middle": middle.url, "best": best.url}, folder, *strategies, **more)
        async with Router(settings, statuses=fleet) as router:
            yield Three(router, [cheap, middle, best], settings)


def why_not(answer: Answer) -> dict[str, str | None]:
    return {considered.model: considered.why_not for considered in answer.route.considered}


async def test_the_cheap_answer_holds(tmp_path: Path) -> None:
    async with asked(tmp_path, "cascade", replies=(chat("It has 2 peers."), chat("no"), chat("no"))) as it:
        answer = await it.router.ask(WHY)
        assert it.calls == (1, 0, 0) and (answer.model, answer.tier, answer.route.strategy) == ("cheap/m", "local", "cascade")
        assert answer.cost_usd == ONE_CALL and "its answer holds" in answer.route.reason and answer.id is not None
        again = await it.router.ask(WHY)
        assert again.cached and it.calls == (1, 0, 0)


async def test_what_facts_contradict_goes_up_and_is_a_bad_answer(tmp_path: Path) -> None:
    replies = (chat("Validator 6 is healthy, with 40 peers."), chat("I do not know."), chat("It has 2 peers, too few."))
    async with asked(tmp_path, "cascade", replies=replies) as it:
        answer = await it.router.ask(WHY)
        assert it.calls == (1, 1, 1) and (answer.model, answer.tier) == ("best/m", "frontier")
        assert answer.cost_usd == 3 * ONE_CALL and answer.usage.input_tokens == 36
        assert "says that validator 6 is healthy" in answer.route.reason and "says itself that it does not know" in answer.route.reason
        found = why_not(answer)
        assert found["best/m"] is None and "live facts contradict it" in (found["cheap/m"] or "")
        assert await it.outcomes() == {"cheap/m": 1, "middle/m": 1, "best/m": 1}
        judged = await it.router.outcomes.judged()
        assert [(outcome.model, outcome.right) for outcome in judged] == [("cheap/m", False)]
        assert (await it.router.ask(WHY)).cached and it.calls == (1, 1, 1)


async def test_a_tier_that_fails_is_passed_by(tmp_path: Path) -> None:
    async with asked(tmp_path, "cascade", replies=(fault("401 Unauthorized", "no"), chat("Two peers."), chat("no"))) as it:
        answer = await it.router.ask(WHY)
        assert answer.model == "middle/m" and it.best.calls == 0 and "refuses the key" in answer.route.reason
        assert "refuses the key" in (why_not(answer)["cheap/m"] or "")


async def test_a_doubtful_answer_is_better_than_none_and_says_so(tmp_path: Path) -> None:
    refused = fault("401 Unauthorized", "no")
    async with asked(tmp_path, "cascade", replies=(chat("I cannot tell."), refused, refused)) as it:
        answer = await it.router.ask(WHY)
        assert answer.model == "cheap/m" and "nothing above cheap/m answered, so this is to be read with care" in answer.route.reason


async def test_no_answer_at_all_is_one_error(tmp_path: Path) -> None:
    refused = fault("401 Unauthorized", "no")
    async with asked(tmp_path, "cascade", replies=(refused, refused, refused)) as it:
        with pytest.raises(GizziError, match=r"no model could answer: .*cheap/m.*middle/m.*best/m"):
            await it.router.ask(WHY)


async def test_decisions_and_critical_work_never_begin_cheap(tmp_path: Path) -> None:
    async with asked(tmp_path, "cascade", replies=(chat("NO"), chat("NO"), chat("WAIT"))) as it:
        for critical, text in ((False, DECISION), (True, "What is wrong?"), (False, "Our session keys may have leaked. Rotate them now?")):
            answer = await it.router.ask(text, critical=critical)
            assert answer.tier == "frontier" and it.cheap.calls == it.middle.calls == 0


async def test_what_streams_and_what_agents_ask_is_one_call(tmp_path: Path) -> None:
    async with asked(tmp_path, "cascade", "rules", replies=(chat("a"), chat("b"), chat("c"))) as it:
        route = await it.router.route(it.router.task(WHY))
        assert route.plan == "one" and route.tier == "standard" and "cascade: this is one call" in route.reason


async def test_a_met_budget_in_the_middle_of_a_cascade(tmp_path: Path) -> None:
    """The ledger refuses the step that it has no room for; the answer that is there is given, and says so."""
    budget = {"day_usd": 5, "tiers": {"standard": 0, "frontier": 0}}
    replies = (chat("I do not know."), chat("b"), chat("c"))
    async with asked(tmp_path, "cascade", replies=replies, budget=budget) as it:
        answer = await it.router.ask(WHY)
        assert answer.model == "cheap/m" and it.calls == (1, 0, 0)
        assert "the budget of the day of the standard tier is met" in (why_not(answer)["middle/m"] or "")


async def test_a_vote_that_agrees(tmp_path: Path) -> None:
    async with asked(tmp_path, "consensus", "rules", replies=(chat("NO"), chat("WAIT\nIt recovers."), chat("**Wait.** Peers come."))) as it:
        answer = await it.router.ask(DECISION)
        assert it.calls == (0, 1, 1) and answer.route.strategy == "consensus" and answer.model == "best/m"
        assert "All providers say WAIT" in answer.response and "Peers come." in answer.response
        assert answer.cost_usd == 2 * ONE_CALL and {vote["vote"] for vote in answer.as_json()["votes"]} == {"WAIT"}
        assert await it.outcomes() == {"middle/m": 1, "best/m": 1}
        assert not (await it.router.ask(DECISION)).cached, "a decision is never an old one"
        assert (await it.router.ask("Explain session keys")).route.strategy == "rules" and it.cheap.calls == 0


async def test_disagreement_goes_to_a_person_with_the_votes(tmp_path: Path) -> None:
    async with asked(tmp_path, "consensus", replies=(chat("NO"), chat("RESTART now"), chat("WAIT a bit"))) as it:
        answer = await it.router.ask(DECISION)
        assert answer.model == CONSENSUS and answer.tier == "frontier" and answer.id is None
        assert "a person decides" in answer.response and "middle/m: RESTART" in answer.response and "WAIT a bit" in answer.response
        assert [vote["vote"] for vote in answer.votes] == ["WAIT", "RESTART"]


async def test_one_voter_that_answers_is_no_consensus(tmp_path: Path) -> None:
    async with asked(tmp_path, "consensus", replies=(chat("NO"), fault("401 Unauthorized", "no"), chat("RESTART"))) as it:
        answer = await it.router.ask(DECISION)
        assert answer.model == CONSENSUS and "which is no consensus" in answer.response and "refuses the key" in answer.route.reason


async def test_critical_work_is_voted_on_in_the_frontier_tier_alone(tmp_path: Path) -> None:
    tiers = {"local": ["cheap/m"], "standard": ["middle/m"], "frontier": ["best/m", "middle/m"]}
    replies = (chat("NO"), chat("WAIT"), chat("WAIT"))
    async with asked(tmp_path, "consensus", replies=replies, tiers=tiers) as it:
        answer = await it.router.ask("What is wrong?", critical=True)
        assert (
            it.calls == (0, 1, 1) and "critical work goes to the frontier tier; a decision: 2 providers vote on it" in answer.route.reason
        )
    async with asked(tmp_path, "consensus", replies=replies) as it:
        answer = await it.router.ask("What is wrong?", critical=True)
        assert it.calls == (0, 0, 1) and answer.route.strategy == "critical"


async def test_critical_work_that_the_frontier_tier_cannot_do_says_which_tier_did(tmp_path: Path) -> None:
    async with asked(tmp_path, "rules", replies=(chat("NO"), chat("Wait."), fault("401 Unauthorized", "no"))) as it:
        answer = await it.router.ask(DECISION, critical=True)
        assert answer.tier == "standard" and it.cheap.calls == 0
        assert answer.route.reason.startswith("critical work goes to the frontier tier; best/m: it refuses the key")
        assert answer.route.reason.endswith("so middle/m, of the standard tier") and "refuses the key" in (why_not(answer)["best/m"] or "")


async def test_critical_work_spends_what_is_kept_for_it(tmp_path: Path) -> None:
    budget = {"day_usd": "0.02", "critical_share": "1"}
    async with asked(tmp_path, "rules", replies=(chat("NO"), chat("Wait."), chat("Do not.")), budget=budget) as it:
        critical = await it.router.ask(DECISION, critical=True)
        assert critical.tier == "frontier" and it.calls == (0, 0, 1)
        with pytest.raises(GizziError, match=r"the budget of the day is met"):
            await it.router.ask(DECISION)
        assert it.calls == (0, 0, 1)


async def test_a_learned_check_doubts_an_answer(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="training needs the extra `learn`")
    replies = (chat("It is perhaps the weather, maybe."), chat("b"), chat("Two peers are too few."))
    routing = {"strategies": ["cascade"], "learned": str(tmp_path / "router.json"), "quality": 0.6}
    async with asked(tmp_path, replies=replies, routing=routing) as it:
        await _teach(it)
        assert learned_choice.answers_file(it.settings).is_file()
        answer = await it.router.ask(WHY)
        assert answer.model != "cheap/m" and "such an answer is right with" in answer.route.reason
        it.cheap.replies[:] = [chat("It certainly has 2 peers.")]
        sure = await it.router.ask("Why does validator 6 lag behind in blocks?")
        assert (sure.model, "its answer holds" in sure.route.reason) == ("cheap/m", True), sure.route.reason


async def _teach(it: Three) -> None:
    """Vague answers of the cheap model are wrong, the best model's right."""
    from gizzi.models.learning import learn

    outcomes: Outcomes = it.router.outcomes
    things = [f"{noun}{ending}" for noun in ("peer", "block", "vote", "log", "chain", "node") for ending in ("", "s", "ing", "er", "ed")]
    for number in range(60):
        task = it.router.task(f"Why does validator 6 lag behind in {things[number % 30]}?")
        vague = number % 2 == 0
        said = "It is perhaps the weather, maybe." if vague else "It certainly has 2 peers."
        outcomes.note(task, "cheap/m", f"{said} {number}", good=not vague)
        outcomes.note(task, "best/m", f"Two peers. {number}", good=number % 20 != 3)
    await outcomes.finish()
    learn(it.settings, it.router.catalogue, await outcomes.judged())
