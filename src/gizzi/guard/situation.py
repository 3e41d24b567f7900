"""What the guard takes and gives. All of it comes from observations, the store and gizzi.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Permission = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One suggested write. validator: None only for what concerns none, such as wait."""

    action: str
    validator: int | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's `[policy]`."""

    reserve: int = 2
    cooldown_s: float = 3600.0
    mode: Literal["suggest", "auto"] = "suggest"
    attempts_per_day: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One chain, and the validator a proposal is about, as they are known now. None: nobody could tell, which never counts as safe.

    authorities: of the chain. missing: those of them that are missing now, as validator numbers, or as authority ids where they are not
    ours. in_flight: validators an action of ours is under way for. rejoin_awaited: validators restarted and not back yet (peers >= 3,
    not syncing, lag <= 2, own votes rising). recent_restarts: validator -> seconds since its last restart. attempts_today: restarts of
    this validator in the last 24 h. facts: the six of `gizzi.fleet.facts.Facts`, by name. stopped: the kill switch. actions: the names
    of registered actions that write.
    """

    authorities: int | None
    missing: frozenset[int | str] | None
    in_flight: frozenset[int] | None
    rejoin_awaited: frozenset[int]
    recent_restarts: Mapping[int, float] | None
    attempts_today: int
    facts: Mapping[str, bool | None]
    stopped: bool = False
    actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """reasons: every one, in plain words. for_now: it asks or refuses only because of what passes by itself (something in flight, a
    rejoin, a session change), so that it is worth asking again at every poll."""

    permission: Permission
    reasons: tuple[str, ...]
    for_now: bool = False
