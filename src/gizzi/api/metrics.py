"""Gizzi's own metrics. No label names a validator: a fleet of 500 must not make 500 series of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from gizzi.alerts.correlate import Change
from gizzi.alerts.external import source_of
from gizzi.app import App
from gizzi.engine.counts import Counts, read
from gizzi.engine.dead import dead_rules
from gizzi.engine.own import version
from gizzi.errors import StoreError
from gizzi.kinds import SEVERITIES

HEALTHS = ("healthy", "warning", "critical", "unknown")
STATES = ("triggered", "acknowledged", "resolved")
PERMISSIONS = ("allow", "ask", "deny")
ENDS = (
    *(("done", verdict) for verdict in ("none", "resolved", "not_resolved", "worse", "unknown")),
    *((outcome, "none") for outcome in ("failed", "in_doubt", "under_way")),
)
"""What can come of an action: shown as 0 too, so that the first one is an increase."""


class Metrics:
    """statuses: the validators' statuses, not made anew at every call."""

    def __init__(self, app: App, statuses: Callable[[], list[dict[str, Any]]]) -> None:
        self._app = app
        self._registry = CollectorRegistry()
        self._own = _Own(app, statuses)
        self._registry.register(self._own)
        ProcessCollector(registry=self._registry)

    async def answer(self, accept: str) -> Response:
        """The page in the format that the scraper asks for. Where the store fails, it says so and what is not in it stays out."""
        now = self._app.clock.now()
        try:
            self._own.counts = await self._app.store.run(lambda c: read(c, now))
        except StoreError:
            self._own.counts = None
        encode, media_type = choose_encoder(accept)
        return Response(encode(self._registry), headers={"Content-Type": media_type})


class _Own(Collector):
    def __init__(self, app: App, statuses: Callable[[], list[dict[str, Any]]]) -> None:
        self._app = app
        self._statuses = statuses
        self._opened = 0
        self._decided: Counter[tuple[str, str]] = Counter()
        self.counts: Counts | None = None
        app.watch.on_change.append(self._hear)

    def _hear(self, change: Change) -> None:
        self._opened += change.kind == "opened"
        decision = change.incident.decision
        if change.kind == "decided" and decision is not None:
            self._decided[decision.tier, decision.action] += 1

    def describe(self) -> Iterable[Metric]:
        """Nothing to check for doubles: this is the registry's only maker of such names."""
        return ()

    def collect(self) -> Iterable[Metric]:
        watch = self._app.watch
        yield _family("gizzi_build_info", "The version that runs.", ("version",), {(version(),): 1})
        yield GaugeMetricFamily(
            "gizzi_poll_lateness_seconds", "How late the latest poll of the last minute began.", watch.collector.lateness_s()
        )
        yield SummaryMetricFamily(
            "gizzi_evaluation_seconds", "Time spent on evaluations.", count_value=watch.evaluations, sum_value=watch.evaluating_s
        )
        yield GaugeMetricFamily("gizzi_last_evaluation_timestamp_seconds", "When the last evaluation ended.", watch.evaluated_at or 0.0)
        yield GaugeMetricFamily("gizzi_store_waiting", "Evaluations that could not be stored yet.", watch.books.waiting)
        yield from self._fleet()
        yield from self._alerts()
        yield GaugeMetricFamily("gizzi_store_up", "Whether the store could be read for this page.", float(self.counts is not None))
        if self.counts is not None:
            yield from _stored(self.counts)
            yield self._actions(self.counts)
            yield from self._money(self.counts)

    def _fleet(self) -> Iterable[Metric]:
        watch = self._app.watch
        health = Counter(status["health"] for status in self._statuses())
        by_health = {(word,): health[word] for word in HEALTHS}
        yield _family("gizzi_validators", "Validators by health.", ("health",), by_health)
        failing = Counter((source, str(f.kind)) for history in watch.fleet.histories.values() for source, f in history.failures.items())
        yield _family("gizzi_sources_failing", "Validators a source cannot read, by why.", ("source", "kind"), failing)

    def _alerts(self) -> Iterable[Metric]:
        watch = self._app.watch
        firing = Counter((_rule(alert.rule),) for alert in watch.book.firing())
        yield _family(
            "gizzi_alerts_firing",
            "Firing alerts by rule, muted ones too; all of Alertmanager's as one, and all of models'.",
            ("rule",),
            firing,
        )
        severities = Counter(incident.severity for incident in watch.correlator.open.values())
        by_severity = {(word,): severities[word] for word in SEVERITIES}
        yield _family("gizzi_incidents_open", "Open incidents by severity.", ("severity",), by_severity)
        yield CounterMetricFamily("gizzi_incidents_opened", "Incidents opened since the start.", self._opened)
        decided = CounterMetricFamily("gizzi_decisions", "Decisions since the start.", labels=("tier", "action"))
        for words, count in sorted(self._decided.items()):
            decided.add_metric(list(words), count)
        yield decided
        dead = dead_rules(watch)
        yield GaugeMetricFamily("gizzi_rules_dead", "Rules that can never fire: what they need is seen nowhere.", len(dead))

    def _actions(self, counts: Counts) -> Metric:
        none = {(action.name, *end): 0 for action in self._app.registry.actions if action.writes for end in ENDS}
        labels = ("action", "outcome", "verdict")
        return _family("gizzi_actions", "Actions begun, by what came of them.", labels, {**none, **counts.actions})

    def _money(self, counts: Counts) -> Iterable[Metric]:
        budget = self._app.settings.budget
        spent = {("day",): float(counts.spent.day_usd), ("month",): float(counts.spent.month_usd)}
        yield _family("gizzi_spend_usd", "US$ spent on models this day and this month.", ("period",), spent)
        limits = {("day",): float(budget.day_usd), ("month",): float(budget.month_usd)}
        yield _family("gizzi_budget_usd", "US$ that may be spent in it.", ("period",), limits)


def _stored(counts: Counts) -> Iterable[Metric]:
    """What outlives a restart."""
    by_state = {(state, severity): counts.incidents.get((state, severity), 0) for state in STATES for severity in SEVERITIES}
    yield _family("gizzi_incidents", "Incidents in the store.", ("state", "severity"), by_state)
    answers = {(word,): counts.permissions.get(word, 0) for word in PERMISSIONS}
    yield _family("gizzi_guard_answers", "Proposed actions by the guard's last answer.", ("permission",), answers)
    yield GaugeMetricFamily("gizzi_approvals_waiting", "Approvals that wait for a person.", counts.approvals_waiting)
    yield GaugeMetricFamily("gizzi_guard_stopped", "1 while the kill switch is thrown.", float(counts.is_stopped))
    outcomes = {("open",): counts.findings.open, ("hit",): counts.findings.hits, ("false_alarm",): counts.findings.false_alarms}
    yield _family("gizzi_model_findings", "Incidents that a model opened, by what became of them.", ("outcome",), outcomes)
    queue = counts.messages.get("waiting", 0) + counts.messages.get("claimed", 0)
    yield GaugeMetricFamily("gizzi_notifications_waiting", "Messages to people not sent yet.", queue)
    yield GaugeMetricFamily("gizzi_notifications_failing", "Those of them that failed and are tried again.", counts.failing)
    yield GaugeMetricFamily("gizzi_notifications_lost", "Messages given up.", counts.messages.get("lost", 0))


def _rule(name: str) -> str:
    source = source_of(name)
    return name if source == "rule" else source


def _family(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=labels)
    for words, value in sorted(values.items()):
        family.add_metric(list(words), value)
    return family
