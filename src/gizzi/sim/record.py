"""Turns minutes of a live fleet into a scenario: what was wrong, where and for how long, as faults of a simulated fleet of the same shape.

It is played once before it is done: what was seen live and the playback shows too is what it expects; the rest is noted in it.
Beside scenario.toml lies observations.jsonl.gz, everything that was collected, one collection a line, for study.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gizzi.alerts.alert import Alert
from gizzi.app import App, open_app
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.engine.records import alert_of
from gizzi.errors import ConfigError
from gizzi.fleet.observation import Collected
from gizzi.sim.runner import run_scenario
from gizzi.sim.scenario import FILE_NAME, load_scenario
from gizzi.store import open_store

FAULT_OF_RULE = {
    "node_down": "node_down",
    "process_down": "node_down",
    "node_unresponsive": "hang",
    "metrics_down": "metrics_down",
    "metrics_unreadable": "garbage",
    "rpc_down": "rpc_down",
    "peers_low": "peers_drop",
    "best_stalled": "best_stall",
    "finality_stalled": "finality_stall",
    "finality_lagging": "lag",
    "syncing": "syncing",
    "fork": "fork",
    "not_voting": "not_voting",
    "not_validating": "para_silent",
    "tx_queue_high": "tx_queue",
    "disk_filling": "disk_fill",
    "twin_signer": "twin",
    "database_lost": "db_lost",
    "chain_finality_stalled": "chain_finality_stall",
    "chain_stalled": "best_stall",
}
"""Which fault shows as which rule's alert. Alerts of other rules are only noted."""
DISK_FILL_BYTES_PER_S = 100_000_000
LAG_BLOCKS = 20
LEAD_S, TAIL_S = 60.0, 180.0
"""The playback begins so long before the recording, calmly, and goes on so long after it: rules must have watched before they can tell."""


async def record(settings: Settings, folder: Path, span_s: float) -> Path:
    """Watch for that long and write the scenario. Raises ConfigError where the folder holds one already."""
    file = _new_file(folder)
    store = open_store("sqlite://")
    async with open_app(settings, store=store) as app:
        with gzip.open(folder / "observations.jsonl.gz", "wt", encoding="utf-8") as lines:
            app.watch.on_collected.append(lambda seen: print(json.dumps(_line(seen), ensure_ascii=True), file=lines))
            watching = asyncio.create_task(app.watch.run())
            await asyncio.wait({watching}, timeout=span_s)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        incidents = [row for row in await app.desk.incidents(limit=10_000) if not row["merged_into"]]
        alerts = [alert_of(row) for row in await store.alert_rows()]
        numbers = {number: place for place, number in enumerate(sorted(app.watch.fleet.validators), 1)}
        text = _scenario(app, span_s, alerts, numbers)
    store.close()
    file.write_text(text, encoding="utf-8")
    load_scenario(file)
    played = (await asyncio.to_thread(run_scenario, folder))["incidents"]
    file.write_text(text + "\n".join(_expected(incidents, played, numbers)) + "\n", encoding="utf-8")
    return file


def _new_file(folder: Path) -> Path:
    file = folder / FILE_NAME
    if file.exists():
        raise ConfigError(f"{file} exists already; record into another folder")
    folder.mkdir(parents=True, exist_ok=True)
    return file


def _line(seen: Collected) -> dict[str, Any]:
    failure = {"kind": seen.failure.kind, "text": seen.failure.text} if seen.failure else None
    return {"at": seen.at, "validator": seen.validator, "source": seen.by or seen.source, "values": dict(seen.values), "failure": failure}


def _scenario(app: App, span_s: float, alerts: Iterable[Alert], numbers: Mapping[int, int]) -> str:
    watch = app.watch
    lines = [
        f"title = {_quoted(f'Recorded from {app.settings.network.name}')}",
        f"validators = {len(numbers)}",
        f"duration_s = {round(LEAD_S + span_s + TAIL_S, 1)}",
    ]
    renamed = [f"{number} is {place}" for number, place in numbers.items() if number != place]
    lines += [f"# validators are counted from 1 here: {', '.join(renamed)}"] if renamed else []
    for chain in watch.chains.values():
        members = [numbers[v.number] for v in watch.validators if v.chain == chain.id]
        if not members:
            continue
        lines += ["", "[[chains]]", f"id = {_quoted(chain.id)}", f"block_time_s = {chain.block_time_s}", f"validators = {members}"]
        parent = chain.parent if any(v.chain == chain.parent for v in watch.validators) else None
        lines += [f"parent = {_quoted(parent)}"] if parent else []
        authorities = watch.fleet.chain_view(chain.id, LiveClock().now()).authorities
        lines += [f"authorities = {max(authorities, len(members))}"] if authorities else []
    skipped = []
    for alert in alerts:
        if alert.fired_at is None or (alert.muted or "").startswith("explained by"):
            continue
        fault = _fault(alert, watch.started_at, numbers, span_s)
        if fault is None:
            skipped.append(f"# not played back: {alert.rule} on {alert.subject.translate(_PLAIN)}")
        else:
            lines += ["", "[[faults]]", *fault]
    return "\n".join([*lines, "", *skipped]) + "\n"


def _fault(alert: Alert, started_at: float, numbers: Mapping[int, int], span_s: float) -> list[str] | None:
    kind = FAULT_OF_RULE.get(alert.rule)
    whom = [numbers[number] for number in alert.validators if number in numbers]
    if kind is None or not whom:
        return None
    at_s = min(max(alert.since - started_at, 0.0), max(span_s - 1.0, 0.0))
    lasted_s = None if alert.resolved_at is None else max(1.0, round(alert.resolved_at - alert.since, 1))
    return [
        f"at_s = {round(LEAD_S + at_s, 1)}",
        f"validators = {whom}",
        f"kind = {_quoted(kind)}",
        *(f"{name} = {value}" for name, value in _parameters(kind, alert).items()),
        f"clears_on = {lasted_s if lasted_s is not None else _quoted('never')}",
    ]


def _observed(alert: Alert, name: str, otherwise: int) -> int:
    """The number that was seen, as the alert's evidence quotes it."""
    for observation, text in alert.evidence:
        figure = text.rpartition("= ")[2].replace(",", "")
        if observation.endswith(f"/{name}") and figure.isdigit():
            return int(figure)
    return otherwise


def _parameters(kind: str, alert: Alert) -> dict[str, int]:
    match kind:
        case "peers_drop":
            return {"peers": _observed(alert, "peers", 1)}
        case "tx_queue":
            return {"size": _observed(alert, "ready_transactions", 20_000)}
        case "lag":
            return {"blocks": max(LAG_BLOCKS, _observed(alert, "block_height", 0) - _observed(alert, "finalized_height", 0))}
        case "disk_fill":
            return {"bytes_per_s": DISK_FILL_BYTES_PER_S}
        case _:
            return {}


def _expected(seen: Sequence[Mapping[str, Any]], played: Sequence[Mapping[str, Any]], numbers: Mapping[int, int]) -> list[str]:
    """What the playback shows of what was seen."""
    rows, missed = [], []
    for incident in seen:
        rule, whom = incident["rule"], sorted(numbers[n] for n in incident["validators"] if n in numbers)
        if any(again["rule"] == rule and sorted(again["validators"]) == whom for again in played):
            rows.append(f"    {{ rule = {_quoted(rule)}, validators = {whom} }},")
        else:
            missed.append(f"# seen live, not in the playback: {rule.translate(_PLAIN)} of {whom}")
    most = max(len(seen), sum(not again["merged_into"] for again in played))
    return [*missed, "[expect]", "incidents = [", *rows, "]", f"max_incidents = {most}"]


_PLAIN = dict.fromkeys((*range(32), 127), " ")


def _quoted(text: str) -> str:
    """A TOML string; JSON's are such."""
    return json.dumps(text.translate(_PLAIN), ensure_ascii=False)
