"""Rules that can never fire: a rule whose metric is absent everywhere is worse than none, so it is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gizzi.alerts.rules import own as own_rules
from gizzi.engine.watch import Watch
from gizzi.kinds import Rule

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
    own = watch.own_view(watch.clock.now())
    absent = {rule.name for rule in own_rules.dead_rules(own, optional=everything)}
    unseen = [r for r in own.rules if r.scope in ("validator", "chain") and r.needs and not any(name in own.seen for name in r.needs)]
    return [_judge(watch, rule, rule.name in absent) for rule in unseen if everything or rule.name in absent]


def _judge(watch: Watch, rule: Rule, absent: bool) -> DeadRule:
    used = {poll.source.name for poll in watch.collector.polls}
    givers = [source for source in watch.registry.sources if any(name in (*source.gives, f"{source.reports}_up") for name in rule.needs)]
    in_use = [source for source in givers if source.name in used]
    why: Why = "absent" if absent else "unread" if in_use else "unfed"
    return DeadRule(rule.name, why, rule.needs, _names(source.name for source in (in_use or givers)), rule.optional)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
