"""An authority's duties: GRANDPA votes, parachain votes, blocks. Counters that stand still while others' go on.

Nobody is blamed for what is no duty of theirs: outside the active set, just activated, catching up, or while the whole chain stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gizzi import UNKNOWN, Answer, duration_text, rule

if TYPE_CHECKING:
    from gizzi.fleet.view import ChainView, ValidatorView

_PARA = ("bitfields_signed_total", "approvals_produced_total", "backing_statements_total")
_MOVES_S = 60.0
"""A height that changed within this time moves."""
_SETTLING_S = 30.0
_LATELY = 4
"""Others must have authored within this part of the time, so that a chain on which nobody does blames nobody."""


@rule(
    "not_voting",
    severity="high",
    hold="10s",
    needs=("precommits_total", "prevotes_total", "grandpa_missing"),
    explains=("not_validating", "not_authoring"),
)
def not_voting(v: ValidatorView, fleet: ChainView, *, for_s: float = 120.0) -> Answer:
    """In the active set, but it casts no GRANDPA votes while the chain's finality goes on. A few more like it and finality stops."""
    if v.moving("precommits_total", for_s):
        return None
    active = v.is_active_validator
    if (active is not None and not active) or v.moving("prevotes_total", for_s):
        return None
    if v.syncing or (active is None and not v.config.authority):
        return None
    finality_s = v.still_s("finalized_height")
    if finality_s is None or finality_s > _MOVES_S or not v.up:
        return UNKNOWN
    still_s = min((s for s in (v.stands_s("precommits_total"), v.stands_s("prevotes_total")) if s is not None), default=0.0)
    if active:
        if v.moving("is_active_validator", for_s) is not False:
            return None if v.moved("is_active_validator") else UNKNOWN
        if still_s >= for_s:
            return f"in the active set, but no vote of its own for {duration_text(still_s)}, while finality goes on"
    return _not_seen_voting(v, fleet, still_s, for_s)


def _not_seen_voting(v: ValidatorView, fleet: ChainView, still_s: float, for_s: float) -> Answer:
    """For nodes that do not tell whether they are in the set, or do not count their votes: what the chain's round states say."""
    identity = v.config.authority_id
    since = fleet.votes.missing_since.get(identity) if identity is not None else None
    if since is not None:
        if v.now - since < for_s:
            return None if still_s >= for_s else UNKNOWN
        return f"the chain has seen no vote of it for {duration_text(v.now - since)}, while finality goes on"
    if identity is not None and fleet.votes.set_id is not None:
        return None
    if still_s < for_s or not v.moved("precommits_total"):
        return UNKNOWN
    changed_at = fleet.votes.set_changed_at
    if changed_at is not None and changed_at + _SETTLING_S > v.now - still_s:
        return UNKNOWN  # it may have left the set with that change
    return f"it voted before, but has not for {duration_text(still_s)}, while finality goes on"


@rule("not_validating", severity="high", hold="10s", needs=_PARA, optional=True)
def not_validating(v: ValidatorView, fleet: ChainView, *, for_s: float = 180.0) -> Answer:
    """A parachain validator of this session that casts no parachain votes, though all else looks fine: its rewards are lost."""
    on_duty = v.is_parachain_validator
    if not on_duty:
        return UNKNOWN if on_duty is None else None
    moving = _votes_on_parachains(v, for_s)
    if moving is not False:
        return None if moving else UNKNOWN
    if v.syncing or v.moving("is_parachain_validator", for_s):
        return None
    if v.moving("is_parachain_validator", for_s) is None or not v.up:
        return UNKNOWN
    others = [o for o in fleet.validators if o is not v and o.is_parachain_validator and not o.syncing]
    known = [m for o in others if (m := _votes_on_parachains(o, for_s)) is not None]
    working = sum(known)
    if known and working * 2 <= len(known):
        return None
    if not known and ((v.still_s("finalized_height") or 0.0) > _MOVES_S or not any(v.moved(name) for name in _PARA)):
        return UNKNOWN
    still_s = max(v.stands_s(name) or 0.0 for name in _PARA)
    compared = f", while {working} of {len(known)} others vote" if known else ", while finality goes on"
    return f"no bitfield, approval or backing statement of its own for {duration_text(still_s)}{compared}"


def _votes_on_parachains(v: ValidatorView, within_s: float) -> bool | None:
    """Whether any of its parachain counters changed within that time; None where that is not known."""
    stands: bool | None = None
    for name in _PARA:
        moving = v.moving(name, within_s)
        if moving:
            return True
        if moving is False:
            stands = False
        elif getattr(v, name) is not None:
            return None
    return stands


@rule("not_authoring", severity="medium", hold="1m", needs=("blocks_constructed_total",), optional=True)
def not_authoring(v: ValidatorView, fleet: ChainView, *, turns: float = 20.0, at_least_s: float = 900.0) -> Answer:
    """In the active set, but it has authored no block in `turns` times the time in which each authority gets one, while others have."""
    active = v.is_active_validator
    if not active:
        return UNKNOWN if active is None else None
    if fleet.authorities is None:
        return UNKNOWN
    limit_s = turns * fleet.authorities * fleet.chain.block_time_s
    if limit_s < at_least_s:
        limit_s = at_least_s
    moving = v.moving("blocks_constructed_total", limit_s)
    if moving is not False:
        return None if moving else UNKNOWN
    if v.syncing or v.moving("is_active_validator", limit_s) is not False or not v.moving("block_height", _MOVES_S):
        return UNKNOWN
    active_others = [o for o in fleet.validators if o is not v and o.is_active_validator]
    others = [m for o in active_others if (m := o.moving("blocks_constructed_total", limit_s / _LATELY)) is not None]
    authored = sum(others)
    if authored * 2 < len(others):
        return None
    still_s = v.still_s("blocks_constructed_total") or 0.0
    usual = duration_text(fleet.authorities * fleet.chain.block_time_s)
    return f"no block authored for {duration_text(still_s)}, where one every {usual} is usual; {authored} of {len(others)} others authored"


@rule("left_active_set", severity="low", hold="10m", needs=("is_active_validator",), optional=True)
def left_active_set(v: ValidatorView, fleet: ChainView, *, for_s: float = 86400.0) -> Answer:
    """It was in the active set and no longer is: not elected, chilled, or kicked out. Told for a day, or until it is back."""
    active = v.is_active_validator
    if active or not v.config.authority:
        return None
    if active is None:
        return UNKNOWN
    out_s = v.still_s("is_active_validator") or 0.0
    if out_s >= for_s:
        return None
    return f"it left the active set {duration_text(out_s)} ago" if v.moved("is_active_validator") else UNKNOWN
