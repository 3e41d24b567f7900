"""What a model opened, as the API shows it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gizzi.alerts.by_model import finding
from gizzi.api import models, records
from tools.api import Api


async def test_it_is_marked_counted_and_changes_no_health(api: Api) -> None:
    watch = api.app.watch
    await api.until(lambda: all(status["health"] != "unknown" for status in watch.statuses()))
    validator = watch.fleet.validators[3]
    given = {"severity": "high", "text": "odd", "shown": "peers = 31", "role": "watcher", "model": "<i>m</i>"}
    await watch.hear([finding(validator, "peers", now=watch.clock.now(), **given)])
    (row,) = [row for row in (await api.get("/api/incidents"))[1] if row["source"] == "model"]
    shown = models.Incident.model_validate(row)
    assert (shown.rule, shown.severity, shown.validators) == ("model:peers", "medium", [3])
    assert not any("odd" in reason for status in watch.statuses() for reason in status["reasons"])
    await api.app.desk.false_alarm(shown.id, "ada")
    await api.app.watcher.settle()
    roles = {row["name"]: records.Role.model_validate(row) for row in (await api.get("/api/roles"))[1]}
    assert roles["watcher"].findings == records.Findings(open=0, hits=0, false_alarms=1) and roles["on-call"].findings is None
    assert (await api.app.desk.incident(shown.id))["state"] == "resolved"
    samples = [one for family in text_string_to_metric_families((await api.get("/metrics"))[1]) for one in family.samples]
    counted = {one.labels["outcome"]: one.value for one in samples if one.name == "gizzi_model_findings"}
    assert counted == {"open": 0, "hit": 0, "false_alarm": 1}


async def test_a_firing_one_is_one_series_whatever_it_is_about(api: Api) -> None:
    watch = api.app.watch
    for number, name in ((1, "peers"), (3, "log")):
        given = {"severity": "low", "text": "odd", "shown": "x", "role": "watcher", "model": "m"}
        await watch.hear([finding(watch.fleet.validators[number], name, now=watch.clock.now(), **given)])
    samples = [one for family in text_string_to_metric_families((await api.get("/metrics"))[1]) for one in family.samples]
    firing = {one.labels["rule"]: one.value for one in samples if one.name == "gizzi_alerts_firing"}
    assert firing["model"] == 2 and not any(":" in rule for rule in firing)
