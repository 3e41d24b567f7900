"""A decider over a watched simulated fleet, and incidents made by hand for what is pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from gizzi.alerts.alert import Alert, validator_subject
from gizzi.alerts.incident import Incident
from gizzi.config import Settings
from gizzi.engine import reflex
from gizzi.engine.decide.decider import Decider
from gizzi.engine.decide.mind import ScriptedMind
from gizzi.engine.decide.recall import Case
from gizzi.engine.watch import Watch
from gizzi.roles.load import ON_CALL, Role, load_roles
from gizzi.sim.faults import Fault
from tools.watching import Watched, in_virtual_time

ROLE: Role = load_roles(Settings.model_validate({"plugins": {"folder": "/nonexistent"}}))[ON_CALL]
NOW = 100_000.0


@dataclass(frozen=True)
class Line:
    """One of a scenario's [[replies]]."""

    tier: Any
    text: str


def said(action: str = "restart", evidence: Any = (("6/peers", "peers = 1"),), **more: Any) -> str:
    """A reply as it should be."""
    cited = [{"observation": observation, "quote": quote} for observation, quote in evidence]
    return json.dumps({"action": action, "reasoning": "Because.", "confidence": 0.8, "evidence": cited, **more})


def scripted(*replies: str, tier: str = "frontier") -> ScriptedMind:
    return ScriptedMind(Line(tier, text) for text in replies)


def incident_of(
    *numbers: int, rule: str = "peers_low", severity: Any = "high", evidence: Sequence[tuple[str, str]] = (), text: str = "1 peers"
) -> Incident:
    incident = Incident(1, "main", NOW - 60)
    for number in numbers or (6,):
        shown = tuple(evidence) or ((f"{number}/peers", "peers = 1"),)
        alert = Alert(validator_subject(number), rule, "main", severity, text, (number,), shown, NOW - 60, "firing", NOW - 40)
        incident.alerts[alert.key] = alert
    return incident


def case(number: int = 1, rule: str = "peers_low", validators: tuple[int, ...] = (6,), **more: Any) -> Case:
    given: dict[str, Any] = {"action": "restart", "verdict": "resolved", "reasoning": "No peers, the others had theirs.", **more}
    return Case(f"inc-{number}", NOW - 86_400, rule, validators, f"Validator {validators[0]}: 1 peers", **given)


def situation_in(watch: Watch, incident: Incident) -> reflex.Situation:
    """What the watch hands to the decision."""
    now = watch.clock.now()
    fleet = watch.fleet.chain_view(incident.chain, now) if incident.chain in watch.chains else None
    facts = {number: watch.facts(number) for number in incident.validators if number in watch.fleet.validators}
    return reflex.Situation(incident, fleet, facts, reserve=watch.settings.policy.reserve, now=now)


@dataclass
class Scene:
    """A moment of a simulated fleet in which one incident is open."""

    watched: Watched
    watch: Watch

    @property
    def incident(self) -> Incident:
        """The first that is open."""
        return min(self.watch.correlator.open.values(), key=lambda incident: incident.id)

    @property
    def situation(self) -> reflex.Situation:
        return situation_in(self.watch, self.incident)

    def decider(self, mind: Any, **more: Any) -> Decider:
        return Decider(self.watch, more.pop("role", ROLE), mind, **more)


Test = Callable[[Scene], Coroutine[Any, Any, None]]


def scene(*faults: Fault, at_s: float = 240.0, **settings: Any) -> Callable[[Test], Callable[[], None]]:
    """Runs a test in virtual time at that moment of a fleet with these faults."""

    def mark(test: Test) -> Callable[[], None]:
        async def run() -> None:
            watched = Watched(*faults, **settings)
            app = await watched.start()
            await watched.until(at_s)
            try:
                await test(Scene(watched, app.watch))
            finally:
                await watched.kill()

        run.__name__ = test.__name__
        return in_virtual_time(run)

    return mark
