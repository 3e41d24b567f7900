"""Whatever is so, and whatever any model says: nothing is done because of an incident that a model opened."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from engine.decide.test_adversaries import SIGHT, a_reply
from engine.test_reflex import a_truth
from gizzi.alerts.correlate import Change
from gizzi.alerts.incident import Decision, Incident
from gizzi.engine import records, reflex
from gizzi.engine.act.responder import Responder
from gizzi.engine.decide.decider import Decider
from gizzi.engine.decide.mind import ScriptedMind
from gizzi.engine.handover import HandOver
from gizzi.store import open_store
from tools.deciding import ROLE, Line, incident_of

RESTART = Decision("restart", "Restart it.", 1.0, (("6/peers", "peers = 1"),), tier="frontier", model="evil/m")


async def test_it_is_never_decided_to_do_anything() -> None:
    dice = random.Random(20261123)
    for _ in range(1500):
        truth = replace(a_truth(dice), rule=f"model:{dice.choice(['peers', 'log', 'node_down'])}")
        situation = truth.situation()
        assert reflex.decide(situation).action == "investigate", truth
        mind = ScriptedMind(Line(tier, a_reply(dice, truth)) for tier in ("local", "standard", "frontier") for _ in range(3))
        thought = await Decider(SIGHT, ROLE, mind).decide(situation.incident, situation)
        assert thought.decision == reflex.decide(situation) and mind.asked == [], truth


@pytest.mark.parametrize(("rule", "runs"), [("model:peers", 0), ("peers_low", 1)])
async def test_a_decision_to_restart_that_got_there_all_the_same_is_not_carried_out(rule: str, runs: int) -> None:
    store, started = open_store("sqlite://"), list[str]()
    incident = incident_of(6, rule=rule)
    incident.decision = RESTART
    changes = [Change(incident, 1.0, "opened", "x"), Change(incident, 2.0, "decided", "restart")]
    await store.record([(records.incident_row(incident), True)], [], [records.event_row(change) for change in changes])

    async def start(name: str, run: str, given: Any) -> None:
        started.append(run)

    answers: Any = SimpleNamespace(door=SimpleNamespace(store=store, clock=SimpleNamespace(now=lambda: 3.0)), respond=None)
    responder = Responder(answers, SimpleNamespace(register=lambda *_: None, start=start), looks_for_wishes=False)  # type: ignore[arg-type]
    await responder._begin_if_new(incident.id)
    assert len(started) == runs
    store.close()


async def test_it_is_not_handed_over_and_hands_nothing_over(tmp_path: Any) -> None:
    store = open_store("sqlite://")
    rule, model = incident_of(6, severity="medium"), incident_of(6, rule="model:peers", severity="medium")
    model.id = 2
    await store.record(
        [(records.incident_row(one), True) for one in (rule, model)], [records.alert_row(a) for a in _alerts(rule, model)], []
    )
    handover = HandOver(SimpleNamespace(store=SimpleNamespace(url=f"sqlite:///{tmp_path}/x.db")), {}, store, None, None)  # type: ignore[arg-type]
    assert await handover.hand_over(1, None) is None, "a model's finding is no second cause"
    assert await handover.hand_over(2, "it is unsure") is None
    store.close()


def _alerts(*incidents: Incident) -> list[Any]:
    return [replace(alert, incident=incident.id) for incident in incidents for alert in incident.alerts.values()]
