from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gizzi.api import models, records
from gizzi.api.lists import Json
from gizzi.clock import iso
from gizzi.errors import StoreError
from gizzi.store.switch import clear_stopped, set_stopped
from tools.api import Api
from tools.remembered import keep_hours


async def fire(api: Api) -> None:
    """Let peers_low fire without its hold."""
    for key, alert in list(api.app.watch.book.alerts.items()):
        if key == ("validator/2", "peers_low"):
            alert.since -= 600
    await api.until(lambda: any(alert.rule == "peers_low" for alert in api.app.watch.book.firing()))


async def pending(api: Api) -> None:
    await api.until(lambda: ("validator/2", "peers_low") in api.app.watch.book.alerts)


async def decided(api: Api) -> None:
    await pending(api)
    await fire(api)
    await api.until(lambda: any(incident.decision for incident in api.app.watch.correlator.open.values()))


async def test_status_is_what_the_contract_says(api: Api) -> None:
    await pending(api)
    code, page = await api.get("/api/network/status")
    assert code == 200
    assert list(page) == ["network", "at", "validators"]
    assert page["network"] == "Testnet"
    shape = models.NetworkStatus.model_validate(page)
    assert [v.number for v in shape.validators] == [1, 2, 3, 4]
    assert shape.validators[1].peers == 1


async def test_status_is_made_once_an_evaluation(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    real = api.app.watch.statuses

    def counted() -> list[dict[str, Any]]:
        nonlocal made
        made += 1
        return real()

    monkeypatch.setattr(api.app.watch, "statuses", counted)
    monkeypatch.setattr(api.app.clock, "now", lambda: 1_000_000.0, raising=False)
    for _ in range(5):
        await api.get("/api/network/status")
    assert made == 1


async def test_one_validator(api: Api) -> None:
    await decided(api)
    code, page = await api.get("/api/validator/2")
    assert code == 200
    shape = models.ValidatorDetail.model_validate(page)
    assert shape.health == "critical"
    assert {alert.rule for alert in shape.alerts} >= {"peers_low"}
    assert shape.observations["peers"].text == "peers = 1"
    assert shape.observations["peers"].id == "2/peers"
    assert shape.observations["peers"].fresh
    assert shape.facts.up is True
    assert shape.facts.unclean_stop is None


async def test_incidents(api: Api) -> None:
    await decided(api)
    code, page = await api.get("/api/incidents?open=true&limit=10")
    assert code == 200
    found = [models.Incident.model_validate(item) for item in page]
    assert [(incident.rule, incident.validators, incident.state) for incident in found] == [("peers_low", [2], "triggered")]
    code, page = await api.get(f"/api/incidents/{found[0].id}")
    assert code == 200
    shape = models.IncidentDetail.model_validate(page)
    assert shape.timeline[0].kind == "opened"
    assert shape.decision is not None
    assert (await api.get("/api/incidents?offset=5"))[1] == []


async def test_health_is_honest(api: Api) -> None:
    await pending(api)
    code, page = await api.get("/health")
    assert (code, page["status"], page["reasons"]) == (200, "ok", [])
    models.OwnHealth.model_validate(page)
    api.app.watch.evaluated_at = api.app.clock.now() - 60
    api.app.watch.clock = Frozen(api.app.clock.now())  # type: ignore[assignment]
    assert (await api.get("/health"))[1]["status"] == "late"


class Frozen:
    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    async def sleep(self, duration_s: float) -> None:
        raise AssertionError


async def test_metrics_have_no_label_of_a_validator(api: Api) -> None:
    await decided(api)
    code, page = await api.get("/metrics")
    assert code == 200
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    values = {(sample.name, *sample.labels.values()): sample.value for sample in samples}
    assert values["gizzi_validators", "critical"] == 1
    assert values["gizzi_alerts_firing", "peers_low"] == 1
    assert values["gizzi_incidents_open", "high"] == 1
    assert values["gizzi_incidents_open", "low"] == 0
    assert values["gizzi_incidents_opened_total",] == 1
    assert values["gizzi_evaluation_seconds_count",] > 0
    assert values["gizzi_incidents", "high", "triggered"] == 1 and values["gizzi_incidents", "low", "resolved"] == 0
    assert sum(value for name, value in values.items() if (name[0], name[-1]) == ("gizzi_decisions_total", "reflex")) == 1
    assert {values["gizzi_guard_answers", word] for word in ("allow", "ask", "deny")} <= {0, 1}
    assert (values["gizzi_store_up",], values["gizzi_approvals_waiting",], values["gizzi_guard_stopped",]) == (1, 0, 0)
    assert (values["gizzi_spend_usd", "day"], values["gizzi_budget_usd", "month"]) == (0, 45)
    assert values["gizzi_notifications_waiting",] == values["gizzi_notifications_lost",] == 0
    known = {"version", "health", "source", "kind", "rule", "severity", "state", "tier", "action", "permission", "outcome", "verdict"}
    assert {label for sample in samples for label in sample.labels} <= {*known, "period"}


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/api/validator/99", 404, "there is no validator 99"),
        ("/api/validator/x", 422, "path.number"),
        ("/api/validator/99999999999999999999", 422, "path.number"),
        ("/api/incidents/inc-77", 404, "there is no incident inc-77"),
        ("/api/incidents/%3Cb%3E", 422, "should match pattern"),
        ("/api/incidents?limit=0", 422, "query.limit"),
        ("/api/nothing", 404, "there is nothing at /api/nothing"),
        ("/docs", 404, "openapi.json"),
    ],
)
async def test_errors_are_problems(api: Api, path: str, code: int, says: str) -> None:
    async with api.http.get(api.url + path) as answer:
        assert answer.status == code
        assert answer.content_type == "application/problem+json"
        problem = await answer.json(content_type=None)
    models.Problem.model_validate(problem)
    assert problem["status"] == code
    assert says in problem["detail"]


async def test_a_fault_of_ours_is_a_plain_500(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(api.app.desk, "incidents", lambda **_: fails())
    code, problem = await api.get("/api/incidents")
    assert code == 500
    assert "secret" not in json.dumps(problem)
    assert (await api.get("/health"))[0] == 200


async def test_openapi_lists_every_route_and_problem(api: Api) -> None:
    code, page = await api.get("/openapi.json")
    assert code == 200
    assert set(page["paths"]) >= {
        "/health",
        "/metrics",
        "/api/network/status",
        "/api/validator/{number}",
        "/api/validator/{number}/history",
        "/api/network/trend",
        "/api/forecasts",
        "/api/incidents",
        "/api/incidents/{id}",
        "/api/incidents/{id}/ack",
        "/api/approvals",
        "/api/approvals/{id}/approve",
        "/api/approvals/{id}/deny",
        "/api/actions",
        "/api/actions/{id}",
        "/api/costs",
        "/api/models",
        "/api/ask",
        "/api/roles",
        "/api/memory",
        "/api/memory/verify",
        "/api/events",
        "/api/alerts",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/chat/completions",
    }
    assert "Problem" in page["components"]["schemas"]
    answers = page["paths"]["/api/validator/{number}"]["get"]["responses"]
    assert set(answers) == {"200", "401", "404", "422", "503"}
    assert list(answers["422"]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in json.dumps(page)
    assert "text/plain" in page["paths"]["/metrics"]["get"]["responses"]["200"]["content"]


async def test_what_was_kept_and_foretold(api: Api) -> None:
    keep_hours(api.app.store, [2], api.app.clock.now(), 20, lambda number, at: {"disk_free_bytes": 4e11 - at * 3e6, "peers": 30})
    await api.app.foresight.look()
    code, history = await api.get("/api/validator/2/history?span_s=86400")
    assert code == 200
    kept = models.ValidatorHistory.model_validate(history)
    assert kept.step_s == 60 and sum(value is not None for value in kept.samples["peers"]) >= 20 * 60
    code, month = await api.get("/api/validator/2/history?span_s=2592000")
    assert code == 200 and month["step_s"] == 900
    assert (await api.get("/api/validator/99/history"))[0] == 404
    assert (await api.get("/api/validator/2/history?span_s=1"))[0] == 422
    code, forecasts = await api.get("/api/forecasts")
    assert code == 200
    first = models.Outlook.model_validate(forecasts[0])
    assert first.subject == "validator 2" and first.what == "disk" and first.likely_at is not None and first.sure
    code, detail = await api.get("/api/validator/2")
    assert first.model_dump() in [models.Outlook.model_validate(one).model_dump() for one in detail["forecasts"]]
    code, trend = await api.get("/api/network/trend?span_s=7200")
    assert code == 200
    models.Trend.model_validate(trend)


def test_what_json_cannot_say_is_null() -> None:
    assert json.loads(Json({"a": float("nan"), "b": [float("inf"), 1.5]}).body) == {"a": None, "b": [None, 1.5]}
    assert json.loads(Json({"a": "\ud800"}).body) == {"a": "?"}
    assert iso(None) is None


async def test_metrics_of_actions_and_approvals(api: Api) -> None:
    await pending(api)
    app = api.app
    wish = await app.actions.want(app.settings, app.registry, "restart", 2, "it has one peer", "kim")
    shown = await app.actions.answered(wish)
    assert shown is not None and shown["approval"]
    await app.store.run(lambda c: set_stopped(c, 1.0, "kim", "a drill"))
    values = await _metrics(api)
    assert values["gizzi_approvals_waiting",] == 1 and values["gizzi_guard_stopped",] == 1
    assert values["gizzi_guard_answers", "ask"] + values["gizzi_guard_answers", "deny"] == 1
    await app.store.run(clear_stopped)


async def test_metrics_without_the_store_say_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(work: Any) -> None:
        raise StoreError("the disk is full")

    await pending(api)
    monkeypatch.setattr(api.app.store, "run", fails)
    values = await _metrics(api)
    assert values["gizzi_store_up",] == 0 and values["gizzi_validators", "healthy"] >= 1
    assert ("gizzi_approvals_waiting",) not in values


async def _metrics(api: Api) -> dict[tuple[str, ...], float]:
    code, page = await api.get("/metrics")
    assert code == 200
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


async def test_panels_are_told(api: Api) -> None:
    await api.get("/api/panels")
    code, panels = await api.get("/api/panels")
    assert code == 200 and {panel["name"] for panel in panels} == {"quorum", "actions_today", "spend", "memory"}
    for panel in panels:
        records.Panel.model_validate(panel)
