"""The live mind against a provider on loopback: tools are called, output is typed, money is counted, failures become the rule's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gizzi.clock import LiveClock
from gizzi.config import Chain, Validator
from gizzi.engine import reflex
from gizzi.engine.decide import asking
from gizzi.engine.decide.decider import Decider, Thought
from gizzi.engine.decide.mind import NoReply, Question
from gizzi.engine.decide.router_mind import RouterMind
from gizzi.fleet.facts import Facts
from gizzi.fleet.fleet import Fleet
from gizzi.fleet.observation import Collected
from gizzi.models.router import Router
from gizzi.reach import Reach
from tools.deciding import ROLE, case, incident_of, said
from tools.loopback import never
from tools.models import settings_for
from tools.providers import FakeProvider, chat, fault, provider

CLEAN = Facts(up=True, db_lost=False, twin_running=False, unclean_stop=False, in_session_change=False, maintenance=False)


class Node:
    """Answers one call."""

    async def metrics(self, *_: Any) -> Any:
        raise AssertionError

    async def rpc(self, validator: Any, method: str, *params: Any) -> Any:
        return {"peers": 1, "isSyncing": False}


def seen(number: int, at: float) -> Collected:
    values = {"peers": 1 if number == 6 else 20, "block_height": 5, "version": "1.0 sk-live-0123456789abcdefghijklmnop"}
    return Collected(number, "metrics", at, values, None, 600.0)


Asked = tuple[FakeProvider, RouterMind, Decider]


@asynccontextmanager
async def asked(folder: Path, *replies: Any, tier: str = "standard", **more: Any) -> AsyncIterator[Asked]:
    async with provider(*replies) as fake:
        rows = {"mine/m": {"tier": tier, "price": {"input": 1, "output": 2}}}
        tiers = {"local": [], "standard": [], "frontier": [], tier: ["mine/m"]}
        async with Router(settings_for(fake.url, folder, **{"models": rows, "tiers": tiers, **more})) as router:
            mind = RouterMind(router)
            clock = LiveClock()
            fleet = Fleet([Validator(number=n, chain="main") for n in range(1, 8)], {"main": Chain(id="main", authorities=21)})
            fleet.fold([seen(n, clock.now()) for n in range(1, 8)], clock.now())
            sight: Any = SimpleNamespace(settings=router.settings, reach=Reach(Node(), None, None), clock=clock, fleet=fleet)  # type: ignore[arg-type]
            yield fake, mind, Decider(sight, ROLE, mind)


async def decide(decider: Decider, severity: Any = "medium") -> Thought:
    incident = incident_of(6, severity=severity)
    now = decider.sight.clock.now()
    situation = reflex.Situation(incident, decider.sight.fleet.chain_view("main", now), {6: CLEAN}, now=now)
    return await decider.decide(incident, situation)


async def test_it_looks_things_up_and_cites_what_it_saw(tmp_path: Path) -> None:
    final = said("wait", [("6/system_health", '"peers": 1'), ("6/peers", "peers = 1")])
    replies = (
        chat(tool=("rpc", {"validator": 6, "method": "system_health"})),
        chat(tool=("status", {"validator": 99})),
        chat(tool=("rpc", {"validator": 6, "method": "author_rotateKeys"})),
        chat(final),
    )
    async with asked(tmp_path, *replies) as (fake, _, decider):
        thought = await decide(decider)
    decision = thought.decision
    assert (decision.action, decision.tier, decision.model) == ("wait", "standard", "mine/m")
    assert decision.evidence == (("6/system_health", '"peers": 1'), ("6/peers", "peers = 1"))
    assert thought.cost_usd == 4 * (12 * Decimal(1) + 3 * Decimal(2)) / 1_000_000 and thought.route is not None
    assert {tool["function"]["name"] for tool in fake.asked[0]["tools"]} == {"status", "history", "rpc"}
    assert fake.asked[0]["response_format"]["json_schema"]["schema"]["properties"]["action"]["enum"][0] == "restart"
    results = [message["content"] for message in fake.asked[-1]["messages"] if message["role"] == "tool"]
    assert "6/system_health: system_health = " in results[0] and "<observed-" in results[0]
    assert results[1].startswith("Not done: there is no validator 99") and results[2].startswith("Not done: this method is not called")
    assert "on-call engineer" in fake.asked[0]["messages"][0]["content"] and "word for word" in fake.asked[0]["messages"][0]["content"]


async def test_it_is_asked_for_findings_in_another_form(tmp_path: Path) -> None:
    found = {"findings": [{"observation": "6/peers", "quote": "peers = 4", "severity": "low", "text": "Few peers."}]}
    question = Question("watcher", "local", "You look.", "6/peers: peers = 4", "", "low", form="findings")
    async with asked(tmp_path, chat(json.dumps(found)), tier="local") as (fake, mind, _):
        reply = await mind.think(question)
    assert json.loads(reply.text) == found and (reply.tier, reply.model) == ("local", "mine/m")
    schema = fake.asked[0]["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["findings"] and "restart" not in json.dumps(schema)
    async with asked(tmp_path, chat(json.dumps(found)), tier="standard") as (fake, mind, _):
        with pytest.raises(NoReply):
            await mind.think(question)
        assert fake.calls == 0, "it stays within its tier"


async def test_what_a_tool_did_not_show_cannot_be_cited(tmp_path: Path) -> None:
    async with asked(tmp_path, chat(said("restart", [("6/system_health", '"peers": 0')]))) as (_, _, decider):
        thought = await decide(decider)
    assert thought.decision.action == "investigate" and "not observed" in thought.decision.reasoning


async def test_severity_and_what_is_configured_decide_whether_anybody_is_asked(tmp_path: Path) -> None:
    async with asked(tmp_path, chat(said("wait")), tier="frontier") as (fake, mind, decider):
        assert not mind.reaches("standard") and mind.reaches("frontier")
        assert (await decide(decider, "medium")).decision.tier == "reflex" and fake.calls == 0
        assert (await decide(decider, "high")).decision.tier == "frontier" and fake.calls == 1


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ((chat("{}"),), "broke the form"),
        ((chat("Restart it."),), "broke the form"),
        ((chat(said("reboot")),), "broke the form"),
        ((fault("401 Unauthorized", "no"),), "refuses the key"),
        ((chat(tool=("status", {"validator": 6})),), "did not decide"),
    ],
)
async def test_a_model_that_fails_leaves_it_to_the_rule(replies: Any, words: str, tmp_path: Path) -> None:
    async with asked(tmp_path, *replies) as (fake, _, decider):
        thought = await decide(decider)
        assert fake.calls <= 20
    assert thought.decision.tier == "reflex" and thought.decision.action == "restart"
    assert words in thought.decision.reasoning
    assert (thought.cost_usd > 0) == ("key" not in words)


async def test_one_that_hangs_is_given_up_and_paid_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "THINK_S", 0.5)
    async with asked(tmp_path, chat(tool=("status", {"validator": 6})), never) as (fake, _, decider):
        async with asyncio.timeout(20):
            thought = await decide(decider)
        assert fake.calls == 2
    assert thought.decision.tier == "reflex" and thought.cost_usd > 0


async def test_without_money_the_rule_decides(tmp_path: Path) -> None:
    async with asked(tmp_path, chat(said("wait")), budget={"day_usd": 0, "month_usd": 0}) as (fake, _, decider):
        thought = await decide(decider)
        assert fake.calls == 0
    assert thought.decision.tier == "reflex" and "budget" in thought.decision.reasoning


@pytest.mark.parametrize("standard", ["escalate", "wait"])
async def test_a_critical_incident_of_a_chain_is_voted_on_by_both_tiers(standard: str, tmp_path: Path) -> None:
    votes = {"mine/m": said(standard), "mine/f": said("escalate")}
    price = {"input": 1, "output": 2}
    rows = {"mine/m": {"tier": "standard", "price": price}, "mine/f": {"tier": "frontier", "price": price}}

    def answer(request: Any) -> bytes:
        return chat(votes[f"mine/{json.loads(request.body)['model']}"])

    async with asked(tmp_path, answer, models=rows, tiers={"standard": ["mine/m"], "frontier": ["mine/f"]}) as (fake, _, decider):
        incident = incident_of(6, rule="chain_stalled", severity="critical")
        for alert in list(incident.alerts.values()):
            alert.subject = "chain/main"
        now = decider.sight.clock.now()
        situation = reflex.Situation(incident, decider.sight.fleet.chain_view("main", now), {6: CLEAN}, now=now)
        thought = await decider.decide(incident, situation)
        assert sorted(body["model"] for body in fake.asked) == ["f", "m"]
    assert thought.decision.action == "escalate"
    assert f"standard (mine/m): {standard}, frontier (mine/f): escalate" in thought.notes[-1]
    assert ("agree to escalate" if standard == "escalate" else "do not agree") in thought.notes[-1]


@pytest.mark.parametrize(("quote", "action", "calls"), [("peers = 1", "restart", 1), ("peers = 2", "wait", 2)])
async def test_a_repeated_incident_is_asked_in_a_short_form_and_cites_what_is_seen_now(
    tmp_path: Path, quote: str, action: str, calls: int
) -> None:
    """A citation that does not hold makes it to investigate, and so to be asked again with everything."""

    async def recall(_: Any) -> Any:
        return [case(reasoning="Thought then and only then.")]

    replies = chat(said("restart", [("6/peers", quote)])), chat(said("wait"))
    async with asked(tmp_path, *replies) as (fake, _, decider):
        decider.recall = recall
        thought = await decide(decider)
        assert (thought.decision.action, fake.calls) == (action, calls)
        brief = json.dumps(fake.asked[0])
        assert "inc-1" in brief and "Thought then" not in brief and "escalate_to" not in brief and "tools" not in fake.asked[0]
        if calls == 2:
            full = json.dumps(fake.asked[1])
            assert "Thought then" in full and "escalate_to" in full and fake.asked[1]["tools"] and len(brief) < len(full) / 2


async def test_the_ledger_knows_which_role_asked_and_why(tmp_path: Path) -> None:
    async with asked(tmp_path, chat(said("wait")), budget={"roles": {"on-call": 0}}) as (fake, _, decider):
        assert (await decide(decider)).decision.tier == "reflex" and fake.calls == 0


async def test_secrets_in_what_was_observed_stay_here(tmp_path: Path) -> None:
    async with asked(tmp_path, chat(tool=("status", {"validator": 6})), chat(said("wait"))) as (fake, _, decider):
        await decide(decider)
        assert "0123456789abcdefghijklmnop" not in json.dumps(fake.asked)
