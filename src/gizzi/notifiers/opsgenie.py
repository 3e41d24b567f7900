"""Opsgenie by its Alert API: one of its alerts for each incident, with the incident's id as alias, closed with it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gizzi import Http, Message, Settings, notifier
from gizzi.notifiers._keyed import base_and_key

REGIONS = {"us": "https://api.opsgenie.com", "eu": "https://api.eu.opsgenie.com"}
PRIORITIES = {"low": "P4", "medium": "P3", "high": "P2", "critical": "P1"}


@notifier("opsgenie", one_by_one=True)
async def opsgenie(http: Http, url: str, message: Message, settings: Settings) -> None:
    """`opsgenie://API_KEY`, with `?region=eu` in Europe: creates, acknowledges and closes an alert, and notes what changes meanwhile."""
    base, key = base_and_key(url, REGIONS, "opsgenie://API_KEY")
    headers = {"Authorization": f"GenieKey {key}"}
    alias = message.incident or "gizzi-test"
    alert = f"{base}/v2/alerts/{quote(alias, safe='')}"
    said: dict[str, Any] = {"source": "gizzi", "note": f"{message.title}\n{message.body}"[:25_000]}
    if message.change in ("opened", "escalated", "test") and not message.over:
        await http.post_json(f"{base}/v2/alerts", _alert(message, alias, settings.network.name), headers)
    if message.over or message.change == "test":
        await http.post_json(f"{alert}/close?identifierType=alias", said, headers)
    elif message.change == "acknowledged":
        await http.post_json(f"{alert}/acknowledge?identifierType=alias", said, headers)
    elif message.change == "changed":
        await http.post_json(f"{alert}/notes?identifierType=alias", said, headers)


def _alert(message: Message, alias: str, network: str) -> dict[str, Any]:
    details = {name: str(value) for name, value in message.details.items() if value not in (None, [])}
    return {
        "message": message.title[:130],
        "alias": alias,
        "description": message.body[:15_000],
        "priority": PRIORITIES[message.severity],
        "source": "gizzi",
        "entity": network,
        "details": details,
        "tags": [message.severity, *([details["rule"]] if "rule" in details else [])],
    }
