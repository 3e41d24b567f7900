"""The loop: collect, fold, evaluate, correlate, decide, record."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from gizzi.alerts.alert import GIZZI, chain_subject, validator_subject
from gizzi.alerts.book import AlertBook, Turn
from gizzi.alerts.correlate import REOPEN_S, Change, Correlator
from gizzi.alerts.external import Said, is_model
from gizzi.alerts.incident import Decision, Incident
from gizzi.alerts.mute import Maintenance, Silence
from gizzi.clock import Clock, duration_text
from gizzi.config import Chain, Settings, Validator
from gizzi.engine import records, reflex
from gizzi.engine.books import Books
from gizzi.engine.collect import Collector
from gizzi.engine.decide.decider import Thought
from gizzi.engine.foresight.rows import Record
from gizzi.engine.own_view import OwnView, gives_of
from gizzi.engine.thinking import Thinking
from gizzi.errors import StoreError
from gizzi.fleet.facts import Facts, facts_of, twin_shows_soon
from gizzi.fleet.fleet import Fleet
from gizzi.fleet.observation import Collected
from gizzi.fleet.status import status
from gizzi.fleet.view import ChainView
from gizzi.reach import Reach
from gizzi.registry import Registry
from gizzi.store import Store

log = structlog.get_logger("gizzi.watch")

STEP_S = 0.5
OWN_EVERY_S = 5.0
MARKS_EVERY_S = 300.0
HEARD_WITHIN_S, HEARD_LOOK_S = 20.0, 0.05
SET_BACK_S = 2.0
"""A clock that goes back by more than this makes everything seen so far look like the future: it is forgotten, and watching begins anew."""
FACTS = frozenset({"unclean_stop", "genesis_line", "own_equivocations", "grandpa_set_id"})
"""Observations that a restart stands on: each source of them must have had its first turn."""


AGAINST = frozenset({"db_lost", "twin_running", "unclean_stop"})
"""Facts that never pass by themselves."""


@dataclass
class Watch:
    """One watched fleet. `on_change` hears of every change after it has been stored, `on_collected` of all that comes in, `on_turn` that
    the loop has gone round once more.

    thinking: who decides; None for the rules of reflex.toml alone. record: how earlier forecasts did, by what they were of.
    """

    settings: Settings
    registry: Registry
    validators: Sequence[Validator]
    reach: Reach
    clock: Clock
    store: Store
    live: bool = True
    on_change: list[Callable[[Change], None]] = field(default_factory=list)
    on_collected: list[Callable[[Collected], None]] = field(default_factory=list)
    on_turn: list[Callable[[], None]] = field(default_factory=list)
    thinking: Thinking | None = None

    def __post_init__(self) -> None:
        self.books = Books(self.store, self.clock, self.on_change)
        self.record: Mapping[str, Record] = {}
        self.evaluated_at: float | None = None
        self.evaluations = 0
        self.evaluating_s = 0.0
        self._keeps_apart = False
        self._said: list[Said] = []
        self._begin()

    def _begin(self) -> None:
        """With nothing seen yet."""
        self.chains = chains_of(self.settings, self.validators)
        rules = list(self.registry.rules)
        series = {name for rule in rules for name in rule.series}
        self.fleet = Fleet(self.validators, self.chains, series)
        self.book = AlertBook(rules)
        sizes = {chain: sum(v.chain == chain for v in self.validators) for chain in self.chains}
        self.correlator = Correlator(self.book.rules, self.chains, sizes, self.settings.collect.every_s)
        self.collector = Collector(
            list(self.registry.sources), self.settings, self.validators, self.reach, self.clock, self.fleet, threads=self.live
        )
        self._gives = gives_of({poll.source.name: poll.source for poll in self.collector.polls})
        self.started_at = self.clock.now()
        self._next = {"own": 0.0, "marks": self.started_at + MARKS_EVERY_S}
        self._broken: dict[str, str] = {}

    async def run(self) -> None:
        """Watch until cancelled. Raises StoreError where what an earlier process left cannot be read."""
        await self.restore()
        try:
            while True:
                await self._until_the_clock_is_set_back()
                self._begin()
                while not await self._take_up():
                    self._turned()
                    await self.clock.sleep(STEP_S)
        finally:
            if self.thinking is not None:
                await self.thinking.stop()

    async def _until_the_clock_is_set_back(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop) for loop in self.collector.loops()]
            if self.live:
                self._keeps_apart = True
                tasks.append(group.create_task(self.books.keep()))
            latest = self.clock.now()
            while (now := self.clock.now()) >= latest - SET_BACK_S:
                latest = max(latest, now)
                await self.clock.sleep(STEP_S)
                await self.step()
                self._turned()
            log.warning("clock_set_back", by=duration_text(latest - now), then="what was seen is forgotten, watching begins anew")
            for task in tasks:
                task.cancel()

    def _turned(self) -> None:
        for heard in self.on_turn:
            heard()

    async def _take_up(self) -> bool:
        """What waits is written, and what is stored taken up. Returns whether the store let us."""
        await self.books.save()
        if self.books.waiting:
            return False
        try:
            await self.restore()
        except StoreError as error:
            self.books.failed(error)
            return False
        return True

    @property
    def mutes(self) -> Sequence[Silence | Maintenance]:
        """What people muted."""
        return self.books.mutes

    async def step(self) -> list[Change]:
        """One evaluation of whatever is new. Returns what changed in the incidents."""
        began = time.perf_counter()
        changes = await self._step(self.clock.now())
        self.evaluations += 1
        self.evaluating_s += time.perf_counter() - began
        self.evaluated_at = self.clock.now()
        return changes

    async def _step(self, now: float) -> list[Change]:
        if not self._keeps_apart and not self.books.is_read:
            await self.books.read()
        self._note_acknowledged()
        self._note_tried(now)
        collected = self.collector.take()
        for heard in self.on_collected:
            for seen in collected:
                heard(seen)
        touched, chains = self.fleet.fold(collected, now)
        turn = Turn()
        said, self._said = self._said, []
        for one in said:
            self.book.hear(one, now, turn)
        for number in touched:
            self.book.look_at_validator(self.fleet.view(number, now), self._chain_of(number, now), turn)
        for chain in chains:
            self.book.look_at_chain(self.fleet.chain_view(chain, now), turn)
        if self._due("own", now, OWN_EVERY_S):
            self._tell_broken(now)
            self._doubt(now)
            self.book.look_at_gizzi(self.own_view(now), now, turn)
            self.book.drop_unseen(now, turn)
        changes = self.correlator.step(now, turn, self.mutes)
        changes += self._decide(now)
        self.books.add(turn, changes)
        if self._due("marks", now, MARKS_EVERY_S):
            self.books.add_marks({n: history.watermark for n, history in self.fleet.histories.items() if history.watermark is not None})
        if not self._keeps_apart:
            await self.books.save()
        return changes

    async def restore(self) -> None:
        """Take up what an earlier process left: alerts, incidents, what people said, watermarks. Raises StoreError."""
        now = self.clock.now()
        await self.books.load()
        incident_rows, alert_rows, next_id = await self.store.open_state(now - REOPEN_S)
        incidents = records.incidents_of(incident_rows, alert_rows)
        for incident in incidents:
            if incident.decide_at is not None:
                incident.decide_at = min(incident.decide_at, now + reflex.LOOK_AGAIN_S)
            elif incident.decision is None and incident.state != "resolved":
                incident.decide_at = now + reflex.LOOK_AGAIN_S
        own = [alert for incident in incidents for alert in incident.alerts.values()]
        at_home = {incident.id for incident in incidents if incident.state != "resolved"}
        loose = [records.alert_of(row) for row in alert_rows if row["state"] == "firing" and row["incident"] not in at_home]
        turn = Turn(resolved=records.superseded([*own, *loose], now))
        loose = [alert for alert in loose if alert.state == "firing"]
        self.book.restore([*own, *loose], now)
        self.correlator.restore(incidents, loose, next_id)
        for number, height in (await self.store.watermarks()).items():
            if number in self.fleet.histories:
                self.fleet.histories[number].watermark = height
        subjects = {validator_subject(v.number) for v in self.validators} | {chain_subject(c) for c in self.chains} | {GIZZI}
        self.book.drop_strangers(subjects, now, turn)
        self.books.add(turn, self.correlator.step(now, turn, self.mutes))
        await self.books.save()

    async def hear(self, said: Sequence[Said]) -> None:
        """Take up what another system says of the fleet; returns once it is stored. Raises StoreError where that takes too long."""
        self._said += said
        give_up_at = self.clock.now() + HEARD_WITHIN_S
        evaluations = self.evaluations
        while self._said or self.evaluations == evaluations or self.books.waiting:
            if self.clock.now() > give_up_at:
                raise StoreError("what was said could not be taken up and stored in time; say it again")
            await self.clock.sleep(HEARD_LOOK_S)

    def statuses(self) -> list[dict[str, Any]]:
        """The status of every validator, in order of number. What a model says has no part in its health."""
        now = self.clock.now()
        troubles: dict[int, list[Any]] = {}
        for alert in self.book.alerts.values():
            for number in () if is_model(alert.rule) else alert.validators:
                troubles.setdefault(number, []).append(alert)
        return [
            status(self.fleet.view(number, now), self.fleet.histories[number], troubles.get(number, ()))
            for number in sorted(self.fleet.validators)
        ]

    def facts(self, number: int) -> Facts:
        """The facts on which a restart of this validator stands, now."""
        now = self.clock.now()
        validator = self.fleet.validators[number]
        windows = (m for m in self.mutes if isinstance(m, Maintenance))
        at_work = any(window.holds_for(number, validator.chain, now) for window in windows)
        return facts_of(self.fleet.view(number, now), self._chain_of(number, now), at_work)

    def _facts_to_decide_on(self, number: int, now: float) -> Facts:
        """What shows within moments holds nobody up: the guard lets nothing happen before it has."""
        facts = self.facts(number)
        return dataclasses.replace(facts, twin_running=False) if facts.twin_running is None and self.settles(number, now) else facts

    def settles(self, number: int, now: float) -> bool:
        """Whether it went down so lately that a second signer would not have shown yet."""
        return twin_shows_soon(self.fleet.view(number, now), self._chain_of(number, now))

    def is_new(self, now: float) -> bool:
        """Whether watching began so lately that who is missing, or what a restart stands on, may not have shown yet."""
        return now - self.started_at < max(self._absent_show_after_s(), self._facts_show_after_s())

    def _absent_show_after_s(self) -> float:
        return ChainView.ABSENT_AFTER_S + self.settings.collect.every_s + self.settings.collect.timeout_s

    def _facts_show_after_s(self) -> float:
        periods = [poll.every_s for poll in self.collector.polls if FACTS.intersection(poll.source.gives)]
        return max(periods, default=0.0) + self.settings.collect.timeout_s

    def _chain_of(self, number: int, now: float) -> Any:
        return self.fleet.chain_view(self.fleet.validators[number].chain, now)

    def _decide(self, now: float) -> list[Change]:
        """Decide what is due: by rule at once, or have it thought about."""
        changes: list[Change] = []
        for number, thought, due in self.thinking.take() if self.thinking else ():
            incident = self.correlator.open.get(number)
            if incident is not None:
                again = incident.decide_at if incident.decide_at != due else None
                changes += self._decided(incident, thought, now)
                incident.decide_at = again or incident.decide_at
        for incident in [i for i in self.correlator.open.values() if i.decide_at is not None and i.decide_at <= now]:
            situation = self._situation(incident, now)
            by_rule = reflex.decide(situation)
            if self._is_too_early(by_rule, situation.facts, now):
                continue
            if self.thinking is None:
                changes += self._decided(incident, Thought(by_rule), now)
            else:
                self.thinking.begin(incident, situation)
        return changes

    def _situation(self, incident: Incident, now: float) -> reflex.Situation:
        fleet = self.fleet.chain_view(incident.chain, now) if incident.chain in self.chains else None
        facts = {number: self._facts_to_decide_on(number, now) for number in incident.validators if number in self.fleet.validators}
        books = self.books
        unhelped = {number for chain, rule, number in books.unhelped if (chain, rule) == (incident.chain, incident.rule)}
        return reflex.Situation(
            incident,
            fleet,
            facts,
            self.settings.policy.reserve,
            restart_failed=incident.id in books.tried,
            restarted=books.restarted,
            unhelped=frozenset(unhelped),
            now=now,
        )

    def _decided(self, incident: Incident, thought: Thought, now: float) -> list[Change]:
        decision = thought.decision
        incident.decide_at = now + reflex.LOOK_AGAIN_S if decision.action == "wait" else None
        incident.cost_usd += thought.cost_usd
        changes = [Change(incident, now, "thought", note) for note in thought.notes]
        if decision != incident.decision:
            incident.decision = decision
            changes.append(Change(incident, now, "decided", f"{decision.action}: {decision.reasoning}"))
        return changes

    def _note_tried(self, now: float) -> None:
        """What did not help is decided anew."""
        for incident in self.books.take_tried():
            if incident in self.correlator.open:
                self.correlator.open[incident].decide_at = now

    def _doubt(self, now: float) -> None:
        """A restart that was decided on facts that have turned against it is decided anew."""
        for incident in self.correlator.open.values():
            decided = incident.decision is not None and incident.decision.action == "restart"
            if decided and incident.decide_at is None and any(AGAINST.intersection(self.facts(n).unclean()) for n in incident.validators):
                incident.decide_at = now

    def _note_acknowledged(self) -> None:
        for incident, by in self.books.take_acknowledged().items():
            if incident in self.correlator.open:
                self.correlator.open[incident].state = "acknowledged"
                self.correlator.open[incident].acknowledged_by = by

    def _tell_broken(self, now: float) -> None:
        """Log each rule's failure once."""
        broken = self.book.broken(now)
        for name, error in broken.items():
            if self._broken.get(name) != error:
                log.error("rule_failed", rule=name, error=error, where=self.registry.rules[name].where)
        self._broken = broken

    def _is_too_early(self, decision: Decision, facts: Mapping[int, Facts], now: float) -> bool:
        """Whether it hangs on what our first moments have not shown yet: a fact whose source has not had its turn, or who does not vote.

        A person is called, or something waited for, at once.
        """
        watched_s = now - self.started_at
        if decision.action == "restart":
            return watched_s < self._absent_show_after_s()
        if decision.action != "investigate" or not any(f.unknown() for f in facts.values()):
            return False
        return watched_s < self._facts_show_after_s()

    def _due(self, what: str, now: float, every_s: float) -> bool:
        if now < self._next[what]:
            return False
        self._next[what] = now + every_s
        return True

    def own_view(self, now: float) -> OwnView:
        """What rules about ourselves look at."""
        seen = self.fleet.seen()
        reporting = {name.removesuffix("_up") for name in seen if name.endswith("_up") and self.fleet.ever_answered(name)}
        return OwnView(
            now,
            self.settings,
            list(self.registry.rules),
            seen,
            reporting,
            self._gives,
            now - self.started_at,
            self.collector.lateness_s(),
            self.book.broken(now),
        )


def chains_of(settings: Settings, validators: Sequence[Validator]) -> dict[str, Chain]:
    """Every chain of the configuration and of the validators."""
    chains = {chain.id: chain for chain in settings.chains}
    for validator in validators:
        chains.setdefault(validator.chain, Chain(id=validator.chain))
    return chains
