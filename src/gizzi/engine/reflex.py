"""Decisions without a model: the table in reflex.toml, read from the top."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from gizzi.alerts.external import is_model
from gizzi.alerts.incident import Decision, Incident
from gizzi.fleet.facts import Facts
from gizzi.fleet.view import ChainView, ValidatorView

SLOT_GAP_S = 120.0
"""A pause of the whole chain shorter than this is taken for skipped slots; chain_stalled escalates once it lasts longer."""
PLANNED_S = 900.0
OURS_WITHIN_S = 300.0
"""A process that began so soon after a restart of ours is that restart's."""
LOOK_AGAIN_S = 30.0
"""A decision to wait is looked at again this often."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the conditions look at.

    facts: of each validator of the incident. reserve: authorities kept in hand. restart_failed: a restart of ours did not help here.
    restarted: when we restarted which validators of late. unhelped: those of its chain whom that did not help against the same rule.
    """

    incident: Incident
    fleet: ChainView | None
    facts: Mapping[int, Facts]
    reserve: int = 2
    restart_failed: bool = False
    restarted: Mapping[int, float] = field(default_factory=dict)
    unhelped: frozenset[int] = frozenset()
    now: float = 0.0

    def is_ours(self, number: int, started_at: float) -> bool:
        """Whether it was we who started its process at that time."""
        since = self.restarted.get(number)
        return since is not None and since - 2.0 <= started_at <= since + OURS_WITHIN_S

    def views(self) -> list[ValidatorView]:
        return [v for v in self.fleet.validators if v.number in self.incident.validators] if self.fleet else []


def _chain_wide(s: Situation) -> bool:
    return s.incident.cause().of_chain


def _budget(fleet: ChainView | None, reserve: int) -> int | None:
    """How many of the chain's authorities may be missing, a restarted one among them; None where nobody knows how many there are."""
    return None if fleet is None or fleet.can_lose is None else fleet.can_lose - reserve


def _over_budget(s: Situation) -> bool:
    budget = _budget(s.fleet, s.reserve)
    return s.fleet is not None and budget is not None and s.fleet.missing_count > max(0, budget)


def _room(s: Situation) -> int | None:
    """How many more may be missing once every validator of the incident is taken away too."""
    budget = _budget(s.fleet, s.reserve)
    if s.fleet is None or budget is None:
        return None
    return budget - s.fleet.missing_count - len(set(s.incident.validators) - set(s.fleet.missing))


def _slot_gap(s: Situation) -> bool:
    if s.fleet is None or s.incident.rule != "chain_stalled":
        return False
    stills = [v.still_s("block_height") for v in s.fleet.validators]
    calm = all(v.up and not v.syncing and (v.peers is None or v.peers >= 3) for v in s.fleet.validators)
    return calm and all(still is not None and still > s.fleet.chain.block_time_s * 4 for still in stills) and max(stills) < SLOT_GAP_S  # type: ignore[type-var,operator]


def _session_change(s: Situation) -> bool:
    return any(facts.in_session_change for facts in s.facts.values())


def _planned_restarts(s: Situation) -> bool:
    """At least two other validators of the chain came back from a clean restart within the last minutes, by another hand than ours."""
    if s.fleet is None:
        return False
    others = [v for v in s.fleet.validators if v.number not in s.incident.validators or v.up]
    restarted = [v for v in others if v.up and v.moved("process_start_at") and not v.unclean_stop and _was_planned(v, s)]
    return len(restarted) >= 2


def _was_planned(v: ValidatorView, s: Situation) -> bool:
    started_at = v.process_start_at or 0.0
    return s.now - started_at < PLANNED_S and not s.is_ours(v.number, started_at)


CONDITIONS: dict[str, Callable[[Situation], bool]] = {
    "a_model_says": lambda s: is_model(s.incident.rule),
    "chain_wide": _chain_wide,
    "over_budget": _over_budget,
    "one_validator": lambda s: len(s.incident.validators) == 1,
    "facts_clean": lambda s: bool(s.facts) and not any(f.unclean() or f.unknown() for f in s.facts.values()),
    "within_budget": lambda s: (room := _room(s)) is not None and room >= 0,
    "no_room": lambda s: (room := _room(s)) is not None and room < 0,
    "slot_gap": _slot_gap,
    "session_change": _session_change,
    "planned_restarts": _planned_restarts,
    "unclean_stop": lambda s: any(f.unclean_stop for f in s.facts.values()),
    "twin": lambda s: any(f.twin_running for f in s.facts.values()),
    "db_lost": lambda s: any(f.db_lost for f in s.facts.values()),
    "restart_failed": lambda s: s.restart_failed,
    "restarts_fail": lambda s: len(s.unhelped - set(s.incident.validators)) >= 2,
}


@cache
def table() -> Sequence[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = tomllib.loads(files("gizzi.engine").joinpath("reflex.toml").read_text(encoding="utf-8"))["row"]
    return rows


def decide(situation: Situation) -> Decision:
    """The first row that fits. The last row fits always."""
    rule = situation.incident.rule
    row = next(
        row for row in table() if rule in row.get("rules", (rule,)) and all(CONDITIONS[name](situation) for name in row.get("when", ()))
    )
    reasoning = row["because"]
    if row["action"] == "investigate":
        reasoning += _what_is_unknown(situation)
    return Decision(
        action=row["action"],
        reasoning=reasoning,
        confidence=1.0,
        evidence=_evidence(situation.incident),
        estimated_downtime_min=row.get("downtime_min"),
        escalate_to=row.get("to", "the operator on call") if row["action"] == "escalate" else None,
    )


def _what_is_unknown(situation: Situation) -> str:
    unknown = sorted({name for facts in situation.facts.values() for name in facts.unknown()})
    return f" Not known, so a restart is not proposed: {', '.join(unknown)}." if unknown else ""


def _evidence(incident: Incident) -> tuple[tuple[str, str], ...]:
    """The observations that the cause rests on, quoted as they were when the alert fired."""
    seen: dict[str, str] = {}
    for alert in sorted(incident.alerts.values(), key=lambda alert: alert.rule != incident.rule):
        seen.update({observation: text for observation, text in alert.evidence if observation not in seen})
    return tuple(seen.items())[:12]
