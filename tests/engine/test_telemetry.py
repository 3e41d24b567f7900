"""Traces reach a receiver of OTLP over HTTP; without an endpoint nothing of it is even loaded."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gizzi.alerts.correlate import Change
from gizzi.alerts.incident import Incident
from gizzi.app import open_app
from gizzi.clock import LiveClock
from gizzi.config import parse
from gizzi.engine.act.response import News
from gizzi.engine.telemetry import Telemetry, telemetry_of
from gizzi.errors import ConfigError
from tools.fleet import served, settings_of
from tools.incidents import START, alert, decision
from tools.loopback import Loopback, Request, loopback, reply
from tools.postmortems import action
from tools.providers import chat, fault, provider


def spans(server: Loopback) -> dict[str, dict[str, Any]]:
    """Every span received, by name: its attributes, and its length in seconds as `_s`, whether it failed as `_failed`."""
    found: dict[str, dict[str, Any]] = {}
    for request in server.requests:
        assert request.head.startswith(b"POST /v1/traces")
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            named = {item.key: item.value.string_value for item in resource.resource.attributes}
            assert named["service.name"] == "gizzi"
            for scope in resource.scope_spans:
                for span in scope.spans:
                    about = {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}
                    length_s = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
                    found[span.name] = {**about, "_s": length_s, "_failed": span.status.code == 2}
    return found


def receiver(request: Request) -> bytes:
    return reply(b"", content_type="application/x-protobuf")


async def test_decisions_and_actions() -> None:
    async with loopback(receiver) as server:
        telemetry = Telemetry(server.url, "net", LiveClock())
        one = alert()
        incident = Incident(3, "flare", START, {one.key: one}, decision=decision("restart", "a secret reason"))
        telemetry.hear(Change(incident, START + 5, "decided", "x"))
        telemetry.hear(Change(incident, START + 6, "joined", "x"))
        shown = action()
        await telemetry.hear_news(News(START, "intent", "x", shown))
        await telemetry.hear_news(News(START, "verdict", "x", action(outcome="in_doubt", verdict=None, action="start")))
        await telemetry.close()
        found = spans(server)
    assert set(found) == {"invoke_agent on-call", "action start"}
    decided = found["invoke_agent on-call"]
    assert (decided["gizzi.incident"], decided["gizzi.decision"], decided["gizzi.rule"]) == ("inc-3", "restart", "peers_low")
    assert decided["gen_ai.operation.name"] == "invoke_agent" and decided["_s"] == 5 and "secret" not in str(decided)
    done = found["action start"]
    assert (done["gizzi.validator"], done["gizzi.permission"], done["error.type"], done["_failed"]) == (6, "ask", "in_doubt", True)


async def test_model_calls_of_a_daemon() -> None:
    async with provider(chat("Paris.")) as good, provider(fault("401 Unauthorized", "no")) as bad, loopback(receiver) as server:
        more: dict[str, Any] = {
            "providers": {"mine": {"api": "openai", "url": good.url}, "worse": {"api": "openai", "url": bad.url}},
            "models": {name: {"tier": "standard", "price": {"input": 1, "output": 2}} for name in ("mine/m", "worse/w")},
            "tiers": {"standard": ["worse/w", "mine/m"]},
            "telemetry": {"otlp_endpoint": server.url},
        }
        async with served(2) as fleet, open_app(settings_of(fleet, **more), lasting=False) as app:
            running = asyncio.create_task(app.run())
            while app.telemetry is None:  # noqa: ASYNC110 - what is awaited tells nobody
                await asyncio.sleep(0.05)
            answer = await app.router.ask("Say a town, any.", model="standard", role="tester")
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        found = spans(server)
    assert answer.response == "Paris."
    call, failed = found["chat m"], found["chat w"]
    assert (call["gen_ai.provider.name"], failed["gen_ai.provider.name"], failed["_failed"]) == ("mine", "worse", True)
    assert (call["gen_ai.operation.name"], call["gen_ai.request.model"], call["gizzi.tier"]) == ("chat", "m", "standard")
    assert (call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"], call["gizzi.role"]) == (12, 3, "tester")
    assert call["gizzi.cost_usd"] == "0.000018" and not call["_failed"] and "Paris" not in str(found) and "town" not in str(found)


async def test_an_endpoint_that_is_gone_holds_nobody_up() -> None:
    telemetry = Telemetry("http://127.0.0.1:9", "net", LiveClock())
    one = alert()
    telemetry.hear(Change(Incident(3, "flare", START, {one.key: one}, decision=decision()), START + 5, "decided", "x"))
    async with asyncio.timeout(15):
        await telemetry.close()


def test_without_an_endpoint_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert telemetry_of(parse({}, "test"), LiveClock()) is None
    ended = subprocess.run(
        [sys.executable, "-c", "import gizzi.app, sys; sys.exit('opentelemetry.sdk' in sys.modules)"], capture_output=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"pip install 'gizzi\[telemetry\]'"):
        telemetry_of(parse({"telemetry": {"otlp_endpoint": "http://localhost:4318"}}, "test"), LiveClock())
