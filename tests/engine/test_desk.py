"""What people ask and say, from any process, kept in the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gizzi import registry
from gizzi.alerts.alert import Alert
from gizzi.alerts.incident import Decision, Incident
from gizzi.config import Settings
from gizzi.engine import records
from gizzi.engine.desk import Desk, incident_number
from gizzi.errors import AlreadyOver, NotFound, UsageError
from gizzi.store import Store, open_store

NOW = 1_767_225_600.0
SETTINGS = Settings.model_validate({"validators": [{"number": 6}, {"number": 7}], "plugins": {"folder": "/nonexistent"}})


class Noon:
    def now(self) -> float:
        return NOW

    async def sleep(self, duration_s: float) -> None: ...


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    yield opened
    opened.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store, Noon())


def alert(number: int, rule: str = "peers_low", incident: int | None = 1, **more: Any) -> Alert:
    evidence = ((f"{number}/peers", "peers = 1"),)
    given = {"since": NOW - 20, "state": "firing", "fired_at": NOW - 5, "incident": incident, **more}
    return Alert(f"validator/{number}", rule, "main", "high", "1 peer", (number,), evidence, **given)


async def keep(store: Store, *alerts: Alert, number: int = 1, decision: Decision | None = None, state: Any = "triggered") -> Incident:
    own = {a.key: a for a in alerts if a.incident == number}
    incident = Incident(number, "main", NOW - 5, own, state=state, decision=decision)
    await store.record([(records.incident_row(incident), True)], [records.alert_row(a) for a in alerts], [])
    return incident


async def test_an_incident_is_shown_as_the_contract_says(store: Store, desk: Desk) -> None:
    decision = Decision("restart", "the known remedy", 1.0, (("6/peers", "peers = 1"),), 2)
    await keep(store, alert(6), alert(6, "best_stalled", muted="explained by peers_low on validator/6"), decision=decision)
    shown = await desk.incident("inc-1")
    contract = {
        *(
            "id",
            "rule",
            "severity",
            "chain",
            "validators",
            "state",
            "opened_at",
            "resolved_at",
            "summary",
            "decision",
            "actions",
            "cost_usd",
        ),
    }
    assert contract <= set(shown) and (shown["id"], shown["rule"], shown["validators"]) == ("inc-1", "peers_low", [6])
    assert shown["opened_at"] == "2025-12-31T23:59:55.000Z" and shown["resolved_at"] is None
    assert set(shown["decision"]) >= {
        "action",
        "reasoning",
        "confidence",
        "evidence",
        "estimated_downtime_min",
        "escalate_to",
        "tier",
        "model",
    }
    assert shown["decision"]["evidence"] == [{"observation": "6/peers", "quote": "peers = 1"}]
    assert [a["muted"] for a in shown["alerts"]] == [None, "explained by peers_low on validator/6"]


async def test_what_is_stored_comes_back_the_same(store: Store) -> None:
    decision = Decision("escalate", "so many", 1.0, (), None, "security")
    kept = await keep(store, alert(6), alert(7, "rpc_down", resolved_at=NOW, state="resolved", flaps=2), decision=decision)
    incident_rows, alert_rows, next_id = await store.open_state()
    (back,) = records.incidents_of(incident_rows, alert_rows)
    assert (back, next_id) == (kept, 2)


async def test_lists_are_newest_first_with_their_own_alerts(store: Store, desk: Desk) -> None:
    await keep(store, alert(6), number=1)
    await keep(store, alert(7, incident=2), number=2, state="resolved")
    everything = await desk.incidents()
    assert [(i["id"], [a["subject"] for a in i["alerts"]]) for i in everything] == [("inc-2", ["validator/7"]), ("inc-1", ["validator/6"])]
    assert [i["id"] for i in await desk.incidents(open_only=True)] == ["inc-1"]
    assert [i["id"] for i in await desk.incidents(limit=1, offset=1)] == ["inc-1"]
    assert [a["subject"] for a in await desk.firing()] == ["validator/6", "validator/7"]


async def test_acknowledging(store: Store, desk: Desk) -> None:
    await keep(store, alert(6))
    await desk.acknowledge("1", "ada")
    shown = await desk.incident("INC-1")
    assert (shown["state"], shown["acknowledged_by"]) == ("acknowledged", "ada")
    assert [(moment["kind"], moment["text"]) for moment in shown["timeline"]] == [("acknowledged", "acknowledged by ada")]
    await keep(store, alert(6, incident=2), number=2, state="resolved")
    for name, error, text in (
        ("inc-2", AlreadyOver, "already resolved"),
        ("3", NotFound, "inc-3"),
        ("peers", UsageError, "named like inc-3"),
    ):
        with pytest.raises(error, match=text):
            await desk.acknowledge(name, "ada")


@pytest.mark.parametrize("name", ["", "inc-", "inc--1", "inc-1.5", "inc-1234567890", "x", "inc-1; drop", "inc 1"])
def test_what_is_no_incident_is_told(name: str) -> None:
    with pytest.raises(UsageError, match="is not an incident"):
        incident_number(name)


async def test_silences_and_maintenance(store: Store, desk: Desk) -> None:
    rules = registry.load(SETTINGS)
    assert await desk.silence(rules, SETTINGS, "peers_low", 6, "2h", "  known  ", "ada") == NOW + 7200
    assert await desk.maintain(SETTINGS, ["main"], "7", "30m", "new disk", "bob") == NOW + 1800
    assert await desk.maintain(SETTINGS, ["main"], "main", "1h", "x" * 10_000, "bob") == NOW + 3600
    silences, windows = await store.mute_rows(NOW)
    assert [(s["rule"], s["validator"], s["why"], s["by"]) for s in silences] == [("peers_low", 6, "known", "ada")]
    assert [(w["validator"], w["chain"], len(w["why"])) for w in windows] == [(7, None, 8), (None, "main", 500)]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (("silence", "peers_lo", None, "2h", "why"), NotFound, "'peers_lo'; did you mean 'peers_low'"),
        (("silence", "peers_low", 8, "2h", "why"), NotFound, "no validator 8"),
        (("silence", "peers_low", 6, "soon", "why"), UsageError, "--for: 'soon' is not a duration"),
        (("silence", "peers_low", 6, "2h", "  "), UsageError, "--why"),
        (("maintain", "mian", "2h", "why"), NotFound, "no chain 'mian'; did you mean 'main'"),
        (("maintain", "8", "2h", "why"), NotFound, "no validator 8"),
        (("maintain", "6", "-2h", "why"), UsageError, "--for"),
        (("maintain", "6", "2h", ""), UsageError, "--why"),
    ],
)
async def test_what_cannot_be_is_told_and_nothing_is_kept(store: Store, desk: Desk, call: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        if call[0] == "silence":
            await desk.silence(registry.load(SETTINGS), SETTINGS, *call[1:], "ada")
        else:
            await desk.maintain(SETTINGS, ["main"], *call[1:], "ada")
    assert await store.mute_rows(0.0) == ([], [])
