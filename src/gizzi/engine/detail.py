"""Everything known of one validator, as every face shows it."""

from __future__ import annotations

import math
from typing import Any

from gizzi.alerts.alert import chain_subject, validator_subject
from gizzi.alerts.external import whose
from gizzi.alerts.incident import alert_json
from gizzi.clock import iso
from gizzi.engine.foresight.foresight import forecast_json
from gizzi.engine.past.block import Stretch
from gizzi.engine.watch import Watch
from gizzi.errors import NotFound
from gizzi.fleet.history import Track
from gizzi.fleet.observation import text
from gizzi.fleet.status import status


def detail(watch: Watch, number: int) -> dict[str, Any]:
    """Its status, facts, alerts (its own first, then its chain's that concern it), observations and failures. Raises NotFound."""
    validator = watch.fleet.validators.get(number)
    if validator is None:
        raise NotFound(f"there is no validator {number}; those watched are listed by `gizzi status` and at /api/network/status")
    now = watch.clock.now()
    history = watch.fleet.histories[number]
    own = [alert for alert in watch.book.alerts.values() if whose(alert) == validator_subject(number)]
    of_chain = [a for a in watch.book.alerts.values() if a.subject == chain_subject(validator.chain) and number in a.validators]
    return {
        **status(watch.fleet.view(number, now), history, own),
        "facts": watch.facts(number).as_json(),
        "alerts": [alert_json(alert) for alert in (*own, *of_chain)],
        "observations": {name: _observation(number, name, track, now) for name, track in sorted(history.tracks.items())},
        "forecasts": [forecast_json(found, watch.record.get(what)) for what, found in sorted(history.outlooks.items())],
        "failures": {source: {"kind": failure.kind, "text": failure.text} for source, failure in sorted(history.failures.items())},
    }


def history_json(number: int, kept: Stretch) -> dict[str, Any]:
    """A validator's past as every face shows it; a sample stands for the step that begins at its time."""
    end = kept.begins_at + kept.step_s * len(next(iter(kept.columns.values())))
    return {"number": number, "from": iso(kept.begins_at), "to": iso(end), "step_s": kept.step_s, "samples": dict(kept.columns)}


def _observation(number: int, name: str, track: Track, now: float) -> dict[str, Any]:
    value = track.value
    finite = not isinstance(value, float) or math.isfinite(value)
    return {
        "id": f"{number}/{name}",
        "value": value if finite else None,
        "text": text(name, value) if finite else f"{name} = {value}",
        "at": iso(track.at),
        "since": iso(track.moved_at),
        "fresh": track.expires_at >= now,
    }
