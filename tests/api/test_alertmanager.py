"""POST /api/alerts: Alertmanager's webhook, made up here, and by the real Alertmanager."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gizzi.app import open_app
from tools.api import Api, serving, watched_api
from tools.fleet import served, settings_of
from tools.prometheus import alertmanager, prometheus, static_job

TOKEN = "open-sesame-2f7c"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NEVER = "0001-01-01T00:00:00Z"
DISK = {"alertname": "DiskFull", "severity": "critical", "validator": "2"}


def firing(labels: dict[str, str] = DISK, fingerprint: str = "a1b2c3d4e5f60718", **more: Any) -> dict[str, Any]:
    fields = {"status": "firing", "labels": labels, "annotations": {"summary": "The disk is full"}, "startsAt": "2026-11-20T10:00:00.123Z"}
    return {**fields, "endsAt": NEVER, "generatorURL": "http://p.example", "fingerprint": fingerprint, **more}


def resolved(labels: dict[str, str] = DISK, **more: Any) -> dict[str, Any]:
    return firing(labels, **{"status": "resolved", "endsAt": "2026-11-20T10:30:00Z", **more})


def page(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    head = {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "gizzi", "groupLabels": {}}
    return {**head, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am.example", "alerts": list(alerts), **more}


async def post(api: Api, body: Any, code: int = 200, **headers: str) -> Any:
    async with api.http.post(api.url + "/api/alerts", json=body, headers=headers or BEARER) as answer:
        found = await answer.json(content_type=None)
        assert answer.status == code, found
        return found


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("GIZZI_API_TOKEN", TOKEN)
    async with watched_api() as one:
        yield one


async def incidents(api: Api) -> list[dict[str, Any]]:
    return list((await api.get("/api/incidents?limit=1000"))[1])


async def test_it_becomes_an_incident_at_once_and_ends_when_that_is_said(api: Api) -> None:
    assert await post(api, page(firing())) == {"firing": 1, "resolved": 0, "validators": [2]}
    (one,) = await incidents(api)
    assert (one["rule"], one["validators"], one["severity"], one["state"]) == ("alertmanager:DiskFull", [2], "critical", "triggered")
    assert one["summary"] == "Validator 2: The disk is full" and one["alerts"][0]["since"] == "2026-11-20T10:00:00.123Z"
    assert one["alerts"][0]["evidence"][0]["text"] == "alertname=DiskFull, severity=critical, validator=2"
    _, detail = await api.get("/api/validator/2")
    assert detail["health"] == "critical" and "alertmanager:DiskFull" in {alert["rule"] for alert in detail["alerts"]}
    for _ in range(3):
        await post(api, page(firing()))
    assert len((await incidents(api))[0]["alerts"]) == 1
    assert await post(api, page(resolved(), status="resolved")) == {"firing": 0, "resolved": 1, "validators": [2]}
    (one,) = await incidents(api)
    assert one["state"] == "resolved" and one["alerts"][0]["resolved_at"] == "2026-11-20T10:30:00.000Z"
    await post(api, page(resolved()))
    assert len(await incidents(api)) == 1


async def test_a_person_decides_what_is_done_about_it(api: Api) -> None:
    await post(api, page(firing()))
    await api.until(lambda: all(incident.decision for incident in api.app.watch.correlator.open.values()))
    (one,) = await incidents(api)
    assert one["decision"]["action"] == "investigate" and one["actions"] == []


async def test_thousands_in_one_post(api: Api) -> None:
    many = [firing({"alertname": f"Rule{n % 40}", "chain": "testnet", "i": str(n)}, f"{n:016x}") for n in range(4000)]
    assert (await post(api, page(*many)))["firing"] == 4000
    found = await incidents(api)
    assert len(found) == 40 and sum(len(one["alerts"]) for one in found) == 4000
    over = [resolved({"alertname": f"Rule{n % 40}", "chain": "testnet", "i": str(n)}, fingerprint=f"{n:016x}") for n in range(4000)]
    await post(api, page(*over))
    assert {one["state"] for one in await incidents(api)} == {"resolved"}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "body.version"),
        ([], "body"),
        (page(firing(), version="5"), "body.version"),
        (page(firing(status="burning")), "body.alerts.0.status"),
        (page(firing(startsAt="yesterday")), "body.alerts.0.startsAt"),
        (page(firing(labels={"a": 1})), "body.alerts.0.labels.a"),  # type: ignore[dict-item]
        (page(firing(labels={str(n): "" for n in range(300)})), "body.alerts.0.labels"),
        (page(*([firing()] * 10_001)), "body.alerts"),
        (page(alerts="none"), "body.alerts"),
    ],
)
async def test_what_is_no_webhook_is_a_problem(api: Api, body: Any, where: str) -> None:
    found = await post(api, body, 422)
    assert where in found["detail"] and found["status"] == 422 and len(found["detail"]) < 2000
    assert await incidents(api) == []


async def test_it_needs_a_token_and_a_reporters_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [{"name": "am", "role": "reporter", "token_env": "AM"}, {"name": "kim", "token_env": "KIMS"}]
    monkeypatch.setenv("AM", "reports-99")
    monkeypatch.setenv("KIMS", "looks-77")
    async with watched_api(api={"tokens": tokens}) as api:
        assert (await post(api, page(firing()), 401, Accept="*/*"))["title"] == "Unauthorized"
        assert "kim is a viewer" in (await post(api, page(firing()), 403, Authorization="Bearer looks-77"))["detail"]
        assert await incidents(api) == []
        assert (await post(api, page(firing()), Authorization="Bearer reports-99"))["firing"] == 1
        wish = {"action": "restart", "validator": 2, "why": "x"}
        for path, body in (("/api/actions", wish), ("/api/approvals/ap-1/approve", {}), ("/api/incidents/inc-1/ack", {})):
            async with api.http.post(api.url + path, json=body, headers={"Authorization": "Bearer reports-99"}) as answer:
                assert answer.status == 403 and "am is a reporter" in await answer.text()


async def test_strange_times_and_hostile_labels_do_no_harm(api: Api) -> None:
    evil = {"alertname": "<script>\u202e" + "A" * 9000, "chain": "../../x", "validator": "2; rm", "instance": "[::"}
    await post(api, page(firing(evil, "../../../etc", startsAt=NEVER, annotations={"summary": "\x1b[2J" + "B" * 90_000})))
    await post(api, page(firing({"alertname": "Naive"}, "n", startsAt="2026-11-20T10:00:00", endsAt="9999-12-31T23:59:59Z")))
    found = {one["rule"]: one for one in await incidents(api)}
    assert len(found) == 2 and found["alertmanager:Naive"]["summary"] == "The network: The disk is full"
    for rule, one in found.items():
        assert rule.isprintable() and len(rule) < 128 and one["summary"].isprintable() and len(one["summary"]) < 1000


async def test_it_can_be_silenced_like_any_other(api: Api) -> None:
    desk, settings = api.app.desk, api.app.settings
    await desk.silence(api.app.registry, settings, "alertmanager:DiskFull", None, "1h", "known", "kim")
    await post(api, page(firing()))
    assert await incidents(api) == []


async def test_it_survives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZZI_API_TOKEN", TOKEN)
    async with served(4) as server, aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        settings = settings_of(server, store={"url": f"sqlite:///{tmp_path / 'gizzi.db'}"})

        @contextlib.asynccontextmanager
        async def running() -> AsyncIterator[Api]:
            async with open_app(settings, lasting=False) as app, serving(app) as url, asyncio.TaskGroup() as group:
                watching = group.create_task(app.run())
                yield Api(app, url, http)
                watching.cancel()

        async with running() as api:
            await post(api, page(firing(), firing({"alertname": "Other"}, "b")))
        async with running() as api:
            await api.until(lambda: api.app.watch.evaluations > 3)
            assert {one["state"] for one in await incidents(api)} == {"triggered"}
            await post(api, page(firing()))
            assert len(await incidents(api)) == 2, "a repeat opens nothing"
            await post(api, page(resolved()))
            assert {one["rule"]: one["state"] for one in await incidents(api)} == {
                "alertmanager:DiskFull": "resolved",
                "alertmanager:Other": "triggered",
            }


@pytest.mark.real
async def test_the_real_alertmanager_feeds_incidents(tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A Prometheus whose rule sees that a validator lacks peers, an Alertmanager that posts here: opened, then resolved."""
    monkeypatch.setenv("GIZZI_API_TOKEN", TOKEN)
    lonely = {"kind": "peers_drop", "validators": [2], "peers": 1, "clears_on": 20}
    async with watched_api(lonely, rules={"peers_low": {"enabled": False}}) as api:
        route = {"receiver": "gizzi", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
        hook = {"url": f"{api.url}/api/alerts", "send_resolved": True, "http_config": {"authorization": {"credentials": TOKEN}}}
        config = {"route": route, "receivers": [{"name": "gizzi", "webhook_configs": [hook]}]}
        targets = [str(v.metrics_url).removeprefix("http://").partition("/")[0] for v in api.app.settings.validators]
        summary = "few peers on {{ $labels.instance }}"
        rule = {"alert": "FewPeers", "expr": "substrate_sub_libp2p_peers_count < 3", "labels": {"severity": "page"}}
        groups = [{"name": "g", "interval": "1s", "rules": [{**rule, "annotations": {"summary": summary}}]}]
        (tmp_path / "rules.yml").write_text(json.dumps({"groups": groups}))
        async with alertmanager(tmp_path, free_port(), config) as manager:
            alerting = {"alertmanagers": [{"static_configs": [{"targets": [manager.removeprefix("http://")]}]}]}
            more: dict[str, Any] = {"rule_files": [str(tmp_path / "rules.yml")], "alerting": alerting}
            async with prometheus(tmp_path, free_port(), [static_job("nodes", *targets)], **more):
                await api.until(lambda: bool(api.app.watch.correlator.open))
                (shown,) = await incidents(api)
                assert (shown["rule"], shown["severity"], shown["validators"]) == ("alertmanager:FewPeers", "critical", [2])
                assert shown["summary"] == f"Validator 2: few peers on {targets[1]}"
                await api.until(lambda: not api.app.watch.correlator.open)
    assert len(shown["alerts"]) == 1 and len(shown["alerts"][0]["subject"].rpartition("/")[2]) == 16
