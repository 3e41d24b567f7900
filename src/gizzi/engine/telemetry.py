"""Traces by OpenTelemetry: a span for each model call, decision and action, where `[telemetry] otlp_endpoint` is set.

Model calls carry the names of OpenTelemetry's conventions for generative AI. No prompt, answer or log line is in any span.
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gizzi.alerts.correlate import Change
from gizzi.clock import Clock
from gizzi.config import Settings
from gizzi.engine.act.response import ENDS, News
from gizzi.engine.own import version
from gizzi.errors import ConfigError
from gizzi.models.door import Purse
from gizzi.models.task import Usage
from gizzi.roles.load import ON_CALL

PATH = "/v1/traces"
SEND_EVERY_MS, SEND_WITHIN_S = 2000, 5
PROVIDERS = {"google": "gcp.gemini", "mistral": "mistral_ai"}
"""The conventions' names where they are not ours."""


def telemetry_of(settings: Settings, clock: Clock) -> Telemetry | None:
    """None where no endpoint is set. Raises ConfigError where the library is missing."""
    endpoint = settings.telemetry.otlp_endpoint
    return None if endpoint is None else Telemetry(str(endpoint), settings.network.name, clock)


class Telemetry:
    """Spans are sent from a thread of the library's own; an endpoint that does not answer holds nobody up."""

    def __init__(self, endpoint: str, network: str, clock: Clock) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError:
            raise ConfigError("[telemetry] otlp_endpoint needs OpenTelemetry's library: pip install 'gizzi[telemetry]'") from None
        url = endpoint if endpoint.rstrip("/").endswith(PATH) else endpoint.rstrip("/") + PATH
        about = {"service.name": "gizzi", "service.version": version(), "gizzi.network": network}
        self._provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=url, timeout=SEND_WITHIN_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY_MS))
        self._tracer = self._provider.get_tracer("gizzi", version())
        self._clock = clock

    def hear(self, change: Change) -> None:
        """A decision, from when its incident opened."""
        incident = change.incident
        if change.kind != "decided" or incident.decision is None:
            return
        decision = incident.decision
        about = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": ON_CALL,
            "gen_ai.request.model": decision.model,
            "gizzi.incident": f"inc-{incident.id}",
            "gizzi.rule": incident.rule,
            "gizzi.severity": incident.severity,
            "gizzi.decision": decision.action,
            "gizzi.confidence": decision.confidence,
            "gizzi.tier": decision.tier,
        }
        self._span(f"invoke_agent {ON_CALL}", incident.opened_at, change.at, about)

    async def hear_news(self, news: News) -> None:
        """An action, from its proposal to its verdict, or to where it ended without one."""
        if news.kind not in ENDS:
            return
        action = news.action
        names = ("permission", "outcome", "verdict", "incident", "approved_by")
        about = {"gizzi.action.id": action["id"], "gizzi.action": action["action"], "gizzi.validator": action["validator"]}
        failed = None if action["outcome"] in ("done", None) else action["outcome"]
        self._span(
            f"action {action['action']}",
            datetime.fromisoformat(action["proposed_at"]).timestamp(),
            news.at,
            {**about, **{f"gizzi.{name}": action[name] for name in names}},
            failed,
        )

    def purse(self, inner: Purse) -> Purse:
        """The ledger, with a span for each call that it settles or releases."""
        return _Traced(inner, self)

    def called(self, began_at: float, details: Mapping[str, Any], usage: Usage | None, cost: str | None, outcome: str) -> None:
        model = str(details["model"])
        provider, _, name = model.partition("/")
        about = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": PROVIDERS.get(provider, provider),
            "gen_ai.request.model": name or model,
            "gen_ai.usage.input_tokens": usage.input_tokens if usage else None,
            "gen_ai.usage.output_tokens": usage.output_tokens if usage else None,
            "gizzi.tier": details["tier"],
            "gizzi.role": details["role"],
            "gizzi.task.kind": details["kind"],
            "gizzi.cost_usd": cost,
        }
        self._span(f"chat {name or model}", began_at, self._clock.now(), about, None if outcome == "answered" else outcome, client=True)

    async def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        await asyncio.to_thread(self._provider.shutdown)

    def _span(
        self, name: str, began_at: float, ended_at: float, about: Mapping[str, Any], failed: str | None = None, *, client: bool = False
    ) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        known = {key: value for key, value in about.items() if value is not None}
        kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
        span = self._tracer.start_span(name, kind=kind, attributes=known, start_time=int(min(began_at, ended_at) * 1e9))
        if failed is not None:
            span.set_attribute("error.type", failed)
            span.set_status(Status(StatusCode.ERROR))
        span.end(int(ended_at * 1e9))


class _Traced:
    """A purse that tells when each call was paid for."""

    def __init__(self, inner: Purse, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry

    async def reserve(self, **details: Any) -> Any:
        began_at = self._telemetry._clock.now()
        return (await self._inner.reserve(**details), began_at, details)

    async def settle(self, reservation: Any, usage: Usage, cost_usd: Any, outcome: str) -> None:
        inner, began_at, details = reservation
        self._telemetry.called(began_at, details, usage, None if cost_usd is None else format(cost_usd, "f"), outcome)
        await self._inner.settle(inner, usage, cost_usd, outcome)

    async def release(self, reservation: Any, why: str) -> None:
        inner, began_at, details = reservation
        self._telemetry.called(began_at, details, None, None, why)
        await self._inner.release(inner, why)
