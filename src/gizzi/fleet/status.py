"""A validator's status as every face shows it. Unknown is unknown: never healthy, never a made-up number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from gizzi.clock import iso
from gizzi.fleet.history import History
from gizzi.fleet.view import ValidatorView

Health = Literal["healthy", "warning", "critical", "unknown"]


class Trouble(Protocol):
    """What health is judged by; alerts are such."""

    severity: Any
    text: str
    state: Any


def status(v: ValidatorView, history: History, troubles: Sequence[Trouble]) -> dict[str, Any]:
    """The validator status object. `troubles`: the pending and firing alerts that concern it, its chain's too."""
    health, reasons = health_of(v, troubles)
    return {
        "number": v.number,
        "name": v.config.name,
        "chain": v.config.chain,
        "block_height": v.block_height,
        "finalized_height": v.finalized_height,
        "finalization_lag": v.finalization_lag,
        "peers": v.peers,
        "health": health,
        "reasons": reasons,
        "up": v.up,
        "syncing": v.syncing,
        "version": v.version,
        "observed_at": iso(history.last_at),
    }


def health_of(v: ValidatorView, troubles: Sequence[Trouble]) -> tuple[Health, list[str]]:
    """Firing high or critical: critical. Anything else firing: warning. Essentials not seen, or no answer: unknown.

    Pending ones are only reasons.
    """
    firing = [t for t in troubles if t.state == "firing"]
    texts = [t.text for t in firing] + [f"{t.text} (not yet confirmed)" for t in troubles if t.state == "pending"]
    reasons = list(dict.fromkeys(texts))
    if any(t.severity in ("high", "critical") for t in firing):
        return "critical", reasons
    missing = [name for name in ("block_height", "peers") if getattr(v, name) is None]
    if not v.up or missing:
        what = f"not seen: {', '.join(missing)}" if missing else "nothing of it answers"
        if v.up is None:
            what = "nothing fresh has been seen of it"
        failures = [v.failure_text(source) for source in ("metrics", "rpc", "prometheus") if v.failure(source)]
        return "unknown", [*reasons, what, *failures]
    if firing:
        return "warning", reasons
    return "healthy", reasons
