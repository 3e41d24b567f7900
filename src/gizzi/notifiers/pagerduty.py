"""PagerDuty by its Events API v2: one of its incidents for each of ours, acknowledged and resolved with it."""

from __future__ import annotations

from typing import Any

from gizzi import Http, Message, Settings, notifier
from gizzi.notifiers._keyed import base_and_key

REGIONS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
SEVERITIES = {"low": "info", "medium": "warning", "high": "error", "critical": "critical"}


@notifier("pagerduty", one_by_one=True)
async def pagerduty(http: Http, url: str, message: Message, settings: Settings) -> None:
    """`pagerduty://INTEGRATION_KEY`, with `?region=eu` in Europe: triggers, acknowledges and resolves, by the incident's id."""
    base, key = base_and_key(url, REGIONS, "pagerduty://INTEGRATION_KEY")
    for action in _actions(message):
        event: dict[str, Any] = {"routing_key": key, "event_action": action, "dedup_key": message.incident or "gizzi-test"}
        if action == "trigger":
            event |= {"client": "Gizzi", "payload": _payload(message, settings.network.name)}
        await http.post_json(f"{base}/v2/enqueue", event)


def _actions(message: Message) -> tuple[str, ...]:
    if message.change == "test":
        return ("trigger", "resolve")
    if message.over:
        return ("resolve",)
    return ("acknowledge",) if message.change == "acknowledged" else ("trigger",)


def _payload(message: Message, network: str) -> dict[str, Any]:
    details = {name: value for name, value in message.details.items() if value not in (None, [])}
    return {
        "summary": message.title[:1024],
        "source": network or "gizzi",
        "severity": SEVERITIES[message.severity],
        "timestamp": message.at,
        "component": str(details.get("chain") or network),
        "class": str(details.get("rule") or "test"),
        "custom_details": {**details, "text": message.body},
    }
