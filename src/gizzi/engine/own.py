"""How Gizzi itself is doing."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version as installed_version
from typing import Any

from gizzi.engine.watch import Watch

LATE_S = 5.0
"""A poll or an evaluation this late is told."""
START_S = 15.0
"""For how long, besides one poll and its time-outs, the first answers are awaited."""


@cache
def version() -> str:
    return installed_version("gizzi")


def own_health(watch: Watch) -> dict[str, Any]:
    """`status`: ok, starting (not everything has been asked yet), late (it cannot keep its pace), blind (nothing at all answers:
    the fleet, or this machine's network), store_failing (what happens is not being kept). The worst of them, and why.
    """
    now = watch.clock.now()
    troubles = _troubles(watch, now)
    status = troubles[0][0] if troubles else "ok"
    return {
        "status": status,
        "reasons": [text for _, text in troubles],
        "version": version(),
        "validators": len(watch.validators),
        "watching_s": round(now - watch.started_at, 3),
        "late_s": round(watch.collector.lateness_s(), 3),
    }


def _troubles(watch: Watch, now: float) -> list[tuple[str, str]]:
    """(status, why), worst first."""
    found: list[tuple[str, str]] = []
    if watch.books.trouble is not None:
        waiting = f"; what happened in {watch.books.waiting} evaluations waits for it" if watch.books.waiting else ""
        found.append(("store_failing", f"{watch.books.trouble}{waiting}"))
    idle_s = now - watch.evaluated_at if watch.evaluated_at is not None else 0.0
    if idle_s > LATE_S:
        found.append(("late", f"the last evaluation was {idle_s:.0f} s ago"))
    late_s = watch.collector.lateness_s()
    if late_s > LATE_S:
        found.append(("late", f"polls begin up to {late_s:.1f} s late"))
    return found + _first_answers(watch, now)


def _first_answers(watch: Watch, now: float) -> list[tuple[str, str]]:
    histories = watch.fleet.histories.values()
    if any(history.last_at is not None for history in histories) or not histories:
        unasked = sum(not history.tracks for history in histories)
        waiting = unasked and now - watch.started_at < _start_s(watch)
        return [("starting", f"{unasked} validators have not been asked yet")] if waiting else _blindness(watch, now)
    if now - watch.started_at < _start_s(watch):
        return [("starting", "nothing has answered yet")]
    return [("blind", "nothing has ever answered; is it the fleet, or this machine's network?")]


def _blindness(watch: Watch, now: float) -> list[tuple[str, str]]:
    """Everything that is read fails at once."""
    ups = [watch.fleet.view(number, now).up for number in watch.fleet.validators]
    if len(ups) > 1 and not any(ups) and any(up is False for up in ups):
        return [("blind", "nothing answers any more; is it the fleet, or this machine's network?")]
    return []


def _start_s(watch: Watch) -> float:
    return watch.settings.collect.every_s + watch.settings.collect.timeout_s + START_S
