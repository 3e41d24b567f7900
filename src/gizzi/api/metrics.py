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
from gizzi.app import App
from gizzi.engine.dead import dead_rules
from gizzi.engine.own import version
from gizzi.kinds import SEVERITIES

HEALTHS = ("healthy", "warning", "critical", "unknown")


class Metrics:
    """statuses: the validators' statuses, not made anew at every call."""

    def __init__(self, app: App, statuses: Callable[[], list[dict[str, Any]]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Own(app, statuses))
        ProcessCollector(registry=self._registry)

    def answer(self, accept: str) -> Response:
        """The page in the format that the scraper asks for."""
        encode, media_type = choose_encoder(accept)
        return Response(encode(self._registry), headers={"Content-Type": media_type})


class _Own(Collector):
    def __init__(self, app: App, statuses: Callable[[], list[dict[str, Any]]]) -> None:
        self._app = app
        self._statuses = statuses
        self._opened = 0
        app.watch.on_change.append(self._hear)

    def _hear(self, change: Change) -> None:
        self._opened += change.kind == "opened"

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

    def _fleet(self) -> Iterable[Metric]:
        watch = self._app.watch
        health = Counter(status["health"] for status in self._statuses())
        by_health = {(word,): health[word] for word in HEALTHS}
        yield _family("gizzi_validators", "Validators by health.", ("health",), by_health)
        failing = Counter((source, str(f.kind)) for history in watch.fleet.histories.values() for source, f in history.failures.items())
        yield _family("gizzi_sources_failing", "Validators a source cannot read, by why.", ("source", "kind"), failing)

    def _alerts(self) -> Iterable[Metric]:
        watch = self._app.watch
        firing = Counter((alert.rule,) for alert in watch.book.firing())
        yield _family("gizzi_alerts_firing", "Firing alerts by rule, muted ones too.", ("rule",), firing)
        severities = Counter(incident.severity for incident in watch.correlator.open.values())
        by_severity = {(word,): severities[word] for word in SEVERITIES}
        yield _family("gizzi_incidents_open", "Open incidents by severity.", ("severity",), by_severity)
        yield CounterMetricFamily("gizzi_incidents_opened", "Incidents opened since the start.", self._opened)
        dead = dead_rules(watch)
        yield GaugeMetricFamily("gizzi_rules_dead", "Rules that can never fire: what they need is seen nowhere.", len(dead))


def _family(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=labels)
    for words, value in sorted(values.items()):
        family.add_metric(list(words), value)
    return family
