"""Rules that can never fire: a rule whose metric is absent everywhere is worse than none, so it is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gizzi.engine.watch import Watch
from gizzi.registry import Rule

Why = Literal["absent", "unread", "unfed"]


@dataclass(frozen=True, slots=True)
class DeadRule:
    """why: absent, a source answers but never gives any of `needs`; unread, no source that gives it answers; unfed, none is configured.

    sources: those that would give it.
    """

    rule: str
    why: Why
    needs: tuple[str, ...]
    sources: tuple[str, ...]
    optional: bool

    @property
    def text(self) -> str:
        wanted = " or ".join(self.needs)
        givers = " or ".join(self.sources) or "no source"
        match self.why:
            case "absent":
                return f"{self.rule} can never fire: {wanted} is absent everywhere, though the source {givers} answers"
            case "unread":
                return f"{self.rule} cannot fire now: {wanted} comes from the source {givers}, which answers nowhere"
            case _:
                return f"{self.rule} is idle: {wanted} would come from the source {givers}, which is not configured"


def dead_rules(watch: Watch, *, everything: bool = False) -> list[DeadRule]:
    """Rules whose `needs` nobody has seen, though a source that could give them answers; with `everything` also for lack of a source."""
    seen = {name for history in watch.fleet.histories.values() for name in history.tracks}
    used = {poll.source.name for poll in watch.collector.polls}
    answering = {name.removesuffix("_up") for name in seen if name.endswith("_up") and _ever_answered(watch, name)}
    found = [dead for rule in watch.registry.rules if (dead := _judge(watch, rule, seen, used, answering)) is not None]
    return [dead for dead in found if everything or (dead.why == "absent" and not dead.optional)]


def _ever_answered(watch: Watch, up: str) -> bool:
    tracks = (history.tracks.get(up) for history in watch.fleet.histories.values())
    return any(track is not None and (track.value or track.moves) for track in tracks)


def _judge(watch: Watch, rule: Rule, seen: set[str], used: set[str], answering: set[str]) -> DeadRule | None:
    if rule.scope in ("off", "gizzi") or not rule.needs or any(name in seen for name in rule.needs):
        return None
    givers = [source for source in watch.registry.sources if any(name in source.gives for name in rule.needs)]
    in_use = [source for source in givers if source.name in used]
    if any(source.reports in answering for source in in_use):
        return DeadRule(rule.name, "absent", rule.needs, _names(s.name for s in in_use), rule.optional)
    why: Why = "unread" if in_use else "unfed"
    return DeadRule(rule.name, why, rule.needs, _names(s.name for s in (in_use or givers)), rule.optional)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
