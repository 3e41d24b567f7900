"""Decisions over a watched simulated fleet, with models that are right, wrong, lying, silent or away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gizzi.engine import reflex
from gizzi.engine.decide.calibrate import Outcome
from gizzi.engine.decide.decider import Thought
from gizzi.engine.decide.mind import NoReply, Question, Reply, ScriptedMind
from gizzi.errors import StoreError
from gizzi.sim.scenario import read_scenario
from tools.deciding import ROLE, Line, Scene, case, said, scene, scripted
from tools.simulated import fault

PEERS = fault("peers_drop", peers=1)
STALL = fault("chain_finality_stall", validators=None)


async def decided(here: Scene, mind: Any, **more: Any) -> Thought:
    return await here.decider(mind, **more).decide(here.incident, here.situation)


@scene(PEERS)
async def test_a_model_that_cites_what_was_observed_decides(here: Scene) -> None:
    thought = await decided(here, scripted(said("wait")))
    assert here.incident.rule == "peers_low" and reflex.decide(here.situation).action == "restart"
    assert (thought.decision.action, thought.decision.tier, thought.decision.model) == ("wait", "frontier", "scripted/frontier")
    assert thought.decision.evidence == (("6/peers", "peers = 1"),) and thought.decision.confidence == 0.8


@scene(PEERS)
async def test_without_a_model_it_is_exactly_what_reflex_says(here: Scene) -> None:
    by_rule = reflex.decide(here.situation)
    for mind in (None, ScriptedMind(), scripted(said(), tier="standard"), scripted(said(), tier="local")):
        assert await decided(here, mind) == Thought(by_rule)


@pytest.mark.parametrize("severity", ["low", "medium", "high", "critical"])
def test_severity_picks_the_tier(severity: Any) -> None:
    @scene(PEERS)
    async def run(here: Scene) -> None:
        for alert in here.incident.alerts.values():
            alert.severity = severity
        mind = ScriptedMind([Line("standard", said("wait")), Line("frontier", said("investigate"))])
        thought = await decided(here, mind)
        assert thought.decision.tier == ("frontier" if severity in ("high", "critical") else "standard")
        assert len(mind.asked) == 1 and mind.asked[0].severity == severity

    run()


@scene(PEERS)
async def test_a_role_with_a_tier_of_its_own_is_asked_there(here: Scene) -> None:
    thought = await decided(here, scripted(said("wait"), tier="local"), role=replace(ROLE, tier="local"))
    assert thought.decision.tier == "local"


@pytest.mark.parametrize(
    "text",
    [
        "I think a restart would help.",
        "",
        said("reboot"),
        said("restart") + said("wait"),
        said("restart", validator=7),
        said("restart").replace("0.8", "NaN"),
        "x" * 1_000_000,
    ],
)
def test_refused_three_times_the_rule_decides_and_says_why(text: str) -> None:
    @scene(PEERS)
    async def run(here: Scene) -> None:
        mind = scripted(text, text, text, said("wait"))
        thought = await decided(here, mind)
        assert thought.decision.action == "restart" and thought.decision.tier == "reflex"
        assert "Decided by rule" in thought.decision.reasoning and "3 times" in thought.notes[-1]
        assert len(mind.asked) == 3 and "was refused" in mind.asked[1].prompt and len(mind.asked[1].prompt) < 30_000

    run()


@scene(PEERS)
async def test_an_answer_that_holds_after_a_refused_one_counts(here: Scene) -> None:
    thought = await decided(here, scripted("Hm.", said("wait")))
    assert thought.decision.action == "wait" and any("refused" in note for note in thought.notes)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ((), "cites no observation"),
        ((("6/peers", "peers = 0"),), "not observed"),
        ((("6/peers", "peers = 1"), ("6/disk_free_bytes", "disk full")), "not observed"),
        ((("7/peers", "peers = 1"),), "not observed"),
        ((("6/secret", "anything"),), "not observed"),
    ],
)
def test_a_citation_that_fails_downgrades_to_investigate(evidence: Any, words: str) -> None:
    @scene(PEERS)
    async def run(here: Scene) -> None:
        thought = await decided(here, scripted(said("restart", evidence)))
        assert thought.decision.action == "investigate" and words in thought.decision.reasoning
        assert any(words in note for note in thought.notes) and thought.decision.tier == "frontier"

    run()


class Sleeper(ScriptedMind):
    """Never answers."""

    def reaches(self, tier: str) -> bool:
        return True

    async def think(self, question: Question) -> Reply:
        await asyncio.get_running_loop().create_future()
        raise AssertionError


@scene(PEERS)
async def test_a_silent_model_is_waited_for_a_minute(here: Scene) -> None:
    began = here.watch.clock.now()
    thought = await decided(here, Sleeper())
    assert thought.decision.action == "restart" and thought.decision.tier == "reflex"
    assert 59 <= here.watch.clock.now() - began <= 65 and "no answer in 60 s" in thought.decision.reasoning


class Dear(ScriptedMind):
    """Fails, and costs."""

    def reaches(self, tier: str) -> bool:
        return True

    async def think(self, question: Question) -> Reply:
        raise NoReply("acme/x: overloaded", Decimal("0.25"))


@scene(PEERS)
async def test_what_a_failure_cost_is_counted(here: Scene) -> None:
    thought = await decided(here, Dear())
    assert thought.cost_usd == Decimal("0.25") and "overloaded" in thought.decision.reasoning and thought.decision.tier == "reflex"


@pytest.mark.parametrize(
    ("kind", "rule"), [("twin", "twin_signer"), ("db_lost", "database_lost"), ("unclean_stop", "node_down")], ids=lambda v: v
)
def test_no_model_loosens_what_can_cost_stake(kind: str, rule: str) -> None:
    @scene(fault(kind))
    async def run(here: Scene) -> None:
        mind = ScriptedMind([Line(tier, said("restart")) for tier in ("standard", "frontier")])
        thought = await decided(here, mind)
        assert here.incident.rule == rule
        assert thought.decision == reflex.decide(here.situation) and thought.decision.action == "escalate"
        assert mind.asked == [] and "no model was asked" in thought.notes[0]

    run()


@scene(fault("node_down", validators=(1, 2, 3, 4, 6)))
async def test_over_budget_no_model_is_asked(here: Scene) -> None:
    mind = ScriptedMind([Line(tier, said("restart")) for tier in ("standard", "frontier")])
    thought = await decided(here, mind)
    assert thought.decision.action == "escalate" and mind.asked == []


@scene(PEERS)
async def test_after_a_restart_that_did_not_help_no_model_is_asked(here: Scene) -> None:
    mind = scripted(said("restart"))
    situation = replace(here.situation, restart_failed=True)
    thought = await here.decider(mind).decide(here.incident, situation)
    assert thought.decision.action == "escalate" and mind.asked == []


def chain_wide(here: Scene) -> None:
    """As a chain's rule would have it, without anybody missing."""
    for alert in list(here.incident.alerts.values()):
        del here.incident.alerts[alert.key]
        alert.subject, alert.rule = f"chain/{alert.chain}", "chain_stalled"
        here.incident.alerts[alert.key] = alert


@pytest.mark.parametrize(
    ("standard", "frontier", "action", "words"),
    [
        ("escalate", "escalate", "escalate", "the tiers agree"),
        ("wait", "wait", "escalate", "do not agree"),
        ("escalate", "restart", "escalate", "do not agree"),
        ("restart", "restart", "escalate", "do not agree"),
        ("escalate", None, "escalate", "the tiers agree"),
        (None, "wait", "escalate", "do not agree"),
    ],
)
def test_what_concerns_a_chain_is_voted_on(standard: str | None, frontier: str | None, action: str, words: str) -> None:
    @scene(PEERS)
    async def run(here: Scene) -> None:
        chain_wide(here)
        lines = [Line(tier, said(word)) for tier, word in (("standard", standard), ("frontier", frontier)) if word]
        thought = await decided(here, ScriptedMind(lines))
        assert reflex.decide(here.situation).action == "escalate"
        assert thought.decision.action == action and any(words in note for note in thought.notes)
        if words == "do not agree":
            assert all(vote in thought.decision.reasoning for vote in ("reflex: escalate", *(line.tier for line in lines)))

    run()


@scene(PEERS)
async def test_a_restart_for_which_there_is_no_room_is_not_proposed(here: Scene) -> None:
    situation = replace(here.situation, reserve=6)
    mind = scripted(said("wait"))
    thought = await here.decider(mind).decide(here.incident, situation)
    assert thought.decision.action == "escalate" and mind.asked == [] and "quorum" in thought.notes[-1]
    for alert in list(here.incident.alerts.values()):
        del here.incident.alerts[alert.key]
        alert.rule, alert.severity = "tx_queue_high", "medium"
        here.incident.alerts[alert.key] = alert
    mind = scripted(said("restart"), tier="standard")
    thought = await here.decider(mind).decide(here.incident, situation)
    assert thought.decision.action == "investigate" and thought.decision.tier == "reflex" and "quorum" in thought.notes[-1]
    assert len(mind.asked) == 1


@scene(PEERS)
async def test_while_nothing_changes_it_is_not_paid_for_again(here: Scene) -> None:
    mind = scripted(said("wait"), said("investigate"), said("escalate"))
    decider = here.decider(mind)
    first = await decider.decide(here.incident, here.situation)
    again = await decider.decide(here.incident, replace(here.situation, now=here.situation.now + 30))
    assert again == Thought(first.decision, route=first.route) and len(mind.asked) == 1
    later = await decider.decide(here.incident, replace(here.situation, now=here.situation.now + 61))
    assert later.decision.action == "investigate"
    assert (await decider.decide(here.incident, replace(here.situation, now=here.situation.now + 150))).decision == later.decision
    facts = {6: replace(here.situation.facts[6], in_session_change=True)}
    changed = await decider.decide(here.incident, replace(here.situation, facts=facts))
    assert changed.decision.action == "escalate" and len(mind.asked) == 3


@scene(PEERS)
async def test_what_a_model_decided_stands_for_a_while_where_none_can_be_asked_again(here: Scene) -> None:
    decider = here.decider(scripted(said("wait")))
    now = here.situation.now
    for after, action in ((0, "wait"), (30, "wait"), (890, "wait"), (901, "restart")):
        assert (await decider.decide(here.incident, replace(here.situation, now=now + after))).decision.action == action
    assert (await decider.decide(here.incident, replace(here.situation, restart_failed=True))).decision.action == "escalate"


@scene(PEERS)
async def test_what_has_happened_before_is_asked_briefly(here: Scene) -> None:
    async def recall(_: Any) -> Any:
        return [case()]

    mind = scripted(said("restart"))
    thought = await decided(here, mind, recall=recall)
    full = scripted(said("restart"))
    await decided(here, full)
    assert thought.decision.action == "restart" and mind.asked[0].tools == () and full.asked[0].tools
    assert "inc-1" in mind.asked[0].prompt and len(mind.asked[0].prompt) < len(full.asked[0].prompt) / 2


@scene(PEERS)
async def test_in_doubt_it_is_asked_again_with_everything(here: Scene) -> None:
    async def recall(_: Any) -> Any:
        return [case()]

    mind = scripted(said("investigate"), said("wait"))
    thought = await decided(here, mind, recall=recall)
    assert thought.decision.action == "wait" and [bool(question.tools) for question in mind.asked] == [False, True]


@scene(PEERS)
async def test_a_memory_that_fails_is_no_reason_to_stop(here: Scene) -> None:
    async def broken(*_: Any) -> Any:
        raise StoreError("the database is locked")

    thought = await decided(here, scripted(said("wait")), recall=broken, search=broken, outcomes=broken)
    assert thought.decision.action == "wait" and thought.decision.confidence == 0.8


@scene(PEERS)
async def test_confidence_follows_the_record(here: Scene) -> None:
    async def outcomes() -> list[Outcome]:
        return [Outcome("scripted/frontier", 0.85, right=False)] * 24

    thought = await decided(here, scripted(said("wait")), outcomes=outcomes)
    assert thought.decision.confidence == pytest.approx(0.2)


@scene(PEERS)
async def test_a_role_decides_only_about_its_validators(here: Scene) -> None:
    mind = scripted(said("wait"))
    thought = await decided(here, mind, role=replace(ROLE, validators=(1, 2)))
    assert thought.decision.action == "restart" and mind.asked == [] and "does not look after" in thought.notes[0]


def test_a_scenarios_replies_are_a_mind() -> None:
    raw = {"replies": [{"tier": "frontier", "text": "a"}, {"tier": "local", "text": "b"}, {"tier": "frontier", "text": "c"}]}
    mind = ScriptedMind(read_scenario(raw, Path("scenario.toml")).replies)
    assert [mind.reaches(tier) for tier in ("local", "standard", "frontier")] == [True, False, True]


def test_deciding_loads_no_models_library() -> None:
    code = "import sys, gizzi.engine.decide.decider, gizzi.engine.decide.router_mind; sys.exit('pydantic_ai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
