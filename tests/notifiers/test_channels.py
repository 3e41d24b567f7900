"""Every shipped channel against a real HTTP server on loopback that speaks its documented wire, and errs like it."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gizzi import registry
from gizzi.alerts.message import Message
from gizzi.clock import LiveClock
from gizzi.config import parse
from gizzi.engine.tell.channels import Channel, channels_of, sample
from gizzi.engine.tell.news import Case, News
from gizzi.engine.tell.words import message
from gizzi.reach.http import HttpClient
from tools.incidents import START, decision, incident
from tools.loopback import Answer, Loopback, Request, loopback, never, reply

OPEN = message(Case(incident(decision=decision("restart"))), [News("opened")], "net", START)
OVER = message(Case(incident(state="resolved", resolved_at=START + 60)), [News("resolved", "after 60 s")], "net", START + 60)
SEEN = message(Case(incident(state="acknowledged", acknowledged_by="ann")), [News("acknowledged", "ann")], "net", START + 30)
WORSE = message(Case(incident(severity="critical")), [News("worse", "high before")], "net", START + 30)
KEY = "0123456789abcdef0123456789abcdef"


def ok(status: str = "202 Accepted") -> Callable[[Request], bytes]:
    return lambda request: reply(b'{"status":"success"}', status, content_type="application/json")


@asynccontextmanager
async def channel(url: str, answer: Answer | None = None, timeout_s: float = 5.0) -> AsyncIterator[tuple[Channel, Loopback]]:
    """The channel at that address, in which PORT stands for the server's."""
    async with loopback(answer or ok()) as server:
        settings = parse({"network": {"name": "net"}, "notify": {"urls": [url.replace("PORT", str(server.port))]}}, "test")
        http = HttpClient(timeout_s=timeout_s)
        yield next(iter(channels_of(settings, registry.load(settings), http, threads=True).values())), server
        await http.close()


def sent(server: Loopback) -> list[tuple[str, Any]]:
    """(method and path, JSON) of each request."""
    return [(b" ".join(r.head.split(b" ", 2)[:2]).decode(), json.loads(r.body)) for r in server.requests]


async def test_webhook_posts_the_message_as_json() -> None:
    async with channel("webhook+http://127.0.0.1:PORT/hook?a=b", ok("201 Created")) as (hook, server):
        assert await hook.send(OPEN) is None
        ((call, body),) = sent(server)
        assert call == "POST /hook?a=b" and body == json.loads(json.dumps(OPEN.as_json()))
        assert body["details"]["rule"] == "peers_low" and body["details"]["validators"] == [6]


async def test_apprise_sends_to_its_services_without_their_templates() -> None:
    importlib.import_module("apprise")  # which takes its time on a busy machine, and is not what is tried here
    async with channel("json://127.0.0.1:PORT/path", ok("200 OK")) as (found, server):
        hostile = Message("{{ 7*7 }} <b>", "two\nlines", "high", "inc-1", "opened", False, "")
        assert await found.send(hostile) is None and await found.send(OVER) is None
        (call, body), (_, second) = sent(server)
        assert call == "POST /path" and (body["title"], body["message"]) == ("{{ 7*7 }} <b>", "two\nlines")
        assert (body["type"], second["type"]) == ("failure", "success")


async def test_pagerduty_triggers_acknowledges_and_resolves_one_incident() -> None:
    async with channel(f"pagerduty+http://127.0.0.1:PORT/{KEY}") as (found, server):
        assert found.one_by_one
        for told in (OPEN, WORSE, SEEN, OVER):
            assert await found.send(told) is None
        calls = sent(server)
        assert {call for call, _ in calls} == {"POST /v2/enqueue"}
        events = [body for _, body in calls]
        assert [event["event_action"] for event in events] == ["trigger", "trigger", "acknowledge", "resolve"]
        assert {(event["routing_key"], event["dedup_key"]) for event in events} == {(KEY, "inc-1")}
        assert events[0]["payload"] | {"custom_details": 0} == {
            "summary": OPEN.title,
            "source": "net",
            "severity": "error",
            "timestamp": OPEN.at,
            "component": "flare",
            "class": "peers_low",
            "custom_details": 0,
        }
        assert events[1]["payload"]["severity"] == "critical" and "payload" not in events[3]


async def test_opsgenie_creates_notes_acknowledges_and_closes_by_alias() -> None:
    async with channel(f"opsgenie+http://127.0.0.1:PORT/{KEY}") as (found, server):
        for told in (OPEN, WORSE, SEEN, OVER):
            assert await found.send(told) is None
        assert [call for call, _ in sent(server)] == [
            "POST /v2/alerts",
            "POST /v2/alerts/inc-1/notes?identifierType=alias",
            "POST /v2/alerts/inc-1/acknowledge?identifierType=alias",
            "POST /v2/alerts/inc-1/close?identifierType=alias",
        ]
        assert all(f"Authorization: GenieKey {KEY}".encode() in request.head for request in server.requests)
        alert = sent(server)[0][1]
        assert (alert["alias"], alert["priority"], alert["message"]) == ("inc-1", "P2", OPEN.title[:130])
        assert all(isinstance(value, str) for value in alert["details"].values())


@pytest.mark.parametrize(
    ("url", "calls"),
    [
        (f"pagerduty+http://127.0.0.1:PORT/{KEY}", ["trigger", "resolve"]),
        (f"opsgenie+http://127.0.0.1:PORT/{KEY}", ["gizzi-test", None]),
    ],
)
async def test_a_test_ends_what_it_begins(url: str, calls: list[str | None]) -> None:
    async with channel(url) as (found, server):
        assert await found.send(sample("net", LiveClock())) is None
        assert [body.get("event_action") or body.get("alias") for _, body in sent(server)] == calls


EVERY = [
    "webhook+http://127.0.0.1:PORT/SECRETTOKEN",
    "json://127.0.0.1:PORT/SECRETTOKEN",
    "pagerduty+http://127.0.0.1:PORT/SECRETTOKEN",
    "opsgenie+http://127.0.0.1:PORT/SECRETTOKEN",
]


@pytest.mark.parametrize("url", EVERY)
@pytest.mark.parametrize(
    "status", ["429 Too Many Requests", "500 Internal Server Error", "400 Bad Request", "302 Found", "401 Unauthorized"]
)
async def test_a_no_is_an_error_without_secrets(url: str, status: str) -> None:
    async with channel(url, lambda _: reply(b"SECRETTOKEN is limited", status, location="http://127.0.0.1:1/")) as (found, server):
        error = await found.send(OPEN)
        assert error and "SECRETTOKEN" not in error and "\n" not in error
        assert status[:3] in error or url.startswith("json")
        assert len(server.requests) == 1, "it is tried again later, not at once"


@pytest.mark.parametrize("url", EVERY)
async def test_who_never_answers_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gizzi.engine.tell.channels.SEND_S", 0.5)
    async with channel(url, never) as (found, _):
        began = asyncio.get_running_loop().time()
        error = await found.send(OPEN)
        assert error and "longer than" in error
        assert asyncio.get_running_loop().time() - began < 30.0
        if url.startswith("json"):
            assert "still busy" in (await found.send(OPEN) or ""), "no second thread for a service that hangs"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("webhook://127.0.0.1/x", "webhook+https://"),
        ("pagerduty://?region=eu", "pagerduty://INTEGRATION_KEY"),
        ("pagerduty://KEYKEYKEY?region=mars", "us, eu"),
        ("opsgenie+https://host/", "opsgenie://API_KEY"),
        ("nonsense://x", "Apprise does not know"),
    ],
)
async def test_a_wrong_address_says_how_it_is_written(url: str, words: str) -> None:
    async with channel(url) as (found, _):
        assert words in (await found.send(OPEN) or "")


@pytest.mark.parametrize(
    ("url", "base", "key"),
    [
        ("pagerduty://KeyWithCase", "https://events.pagerduty.com", "KeyWithCase"),
        ("pagerduty://KEY@TOKEN/?region=eu", "https://events.eu.pagerduty.com", "KEY"),
        ("pagerduty+https://proxy.example:8443/pd/KEY", "https://proxy.example:8443/pd", "KEY"),
    ],
)
def test_addresses_of_pagerduty(url: str, base: str, key: str) -> None:
    from gizzi.notifiers._keyed import base_and_key
    from gizzi.notifiers.pagerduty import REGIONS

    assert base_and_key(url, REGIONS, "") == (base, key)
