"""The demo's story: what is done to a simulated fleet and when, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gizzi.config import Settings
from gizzi.sim.faults import Fault
from gizzi.sim.fleet import SimFleet

LONELY, RESTARTED = 6, 11
"""The validator that loses its peers, and the one that a person restarts. Fleets too small for them use their last two."""
SHORTENED: dict[str, Any] = {
    "collect": {"every": "1s", "timeout": "1s", "host_every": "3s"},
    "policy": {"mode": "auto", "verify_after": "22s", "cooldown": "60s"},
    "rules": {"peers_low": {"hold": "4s"}, "chain_finality_stalled": {"hold": "2s", "for_s": 18}},
}
SHORTENED_TEXT = (
    "Shortened here: blocks 3 s apart; polls every 1 s, not 5; few peers for 4 s, not 15; no finality: 18 s, not 40; "
    "effects are judged after 22 s, not 120; a cooldown of 60 s, not an hour."
)
BLOCK_TIME_S = 3.0
AUTHORITIES = 21
"""At least so many has the chain: with fewer the quorum leaves no room for a restart, and there would be little to show."""
VERDICT_DUE_S = 60.0
"""By then Gizzi has restarted the lonely validator and judged the effect."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One thing that happens, at_s after the start. rule: the incident it must open by due_s; None where it must stay quiet.

    note: what the person who does it leaves in memory, about these validators.
    """

    at_s: float
    text: str
    happen: Callable[[SimFleet, float], None]
    rule: str | None
    due_s: float
    note: str | None = None
    validators: tuple[int, ...] = ()


def story(validators: int) -> Sequence[Beat]:
    lonely, restarted = (LONELY, RESTARTED) if validators >= RESTARTED else (validators - 1, validators)
    return (
        Beat(20, f"Validator {lonely} loses its peers.", _inject("peers_drop", lonely, {"peers": 1.0}), "peers_low", 40),
        Beat(
            27,
            f"Somebody restarts validator {restarted}; it is away for 6 s.",
            lambda fleet, _: fleet.restart(restarted),
            None,
            60,
            f"Restarted validator {restarted} by hand",
            (restarted,),
        ),
        Beat(28, "The whole chain stops finalizing.", _stall_finality, "chain_finality_stalled", 60),
    )


def demo_settings(base: Settings, fleet_settings: dict[str, Any]) -> Settings:
    """The demo's configuration: the environment's store, everything else the demo's own."""
    raw = {**SHORTENED, "network": {"name": "Demo network"}, "ssh": {"user": "demo"}, "plugins": {"folder": "/nonexistent"}}
    return Settings.model_validate(raw).model_copy(update={"store": base.store, **fleet_settings})


def _inject(kind: str, validator: int, parameters: dict[str, float]) -> Callable[[SimFleet, float], None]:
    def happen(fleet: SimFleet, elapsed_s: float) -> None:
        fleet.inject(Fault(kind, elapsed_s, (validator,), "restart", parameters=parameters))

    return happen


def _stall_finality(fleet: SimFleet, elapsed_s: float) -> None:
    fleet.inject(Fault("chain_finality_stall", elapsed_s, None, 30.0))
