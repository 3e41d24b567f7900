"""The six facts about a validator on which a restart stands (the guard's input). None: nobody could read it; it never counts as safe."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from gizzi.fleet.view import ChainView, ValidatorView

SESSION_CHANGE_S = 60.0
"""How long after a change of the authority set votes may still settle."""
DB_MARGIN_BLOCKS = 5
"""So far below what it had finalized a node may seem to stand, while page and RPC are read at different moments."""
TWIN_AFTER_S = 30.0
"""Votes seen this long after our node went away are somebody else's."""


@dataclass(frozen=True, slots=True)
class Facts:
    up: bool | None
    db_lost: bool | None
    twin_running: bool | None
    unclean_stop: bool | None
    in_session_change: bool | None
    maintenance: bool | None

    def as_json(self) -> dict[str, bool | None]:
        return asdict(self)

    def unclean(self) -> list[str]:
        """Names of the facts that speak against a restart."""
        bad = {name: value for name, value in self.as_json().items() if name != "up"}
        return [name for name, value in bad.items() if value]

    def unknown(self) -> list[str]:
        return [name for name, value in self.as_json().items() if value is None]


def facts_of(v: ValidatorView, fleet: ChainView, maintenance: bool | None) -> Facts:
    return Facts(
        up=v.up,
        db_lost=_db_lost(v),
        twin_running=twin_running(v, fleet),
        unclean_stop=v.unclean_stop if _is_current(v, "unclean_stop") else None,
        in_session_change=in_session_change(fleet),
        maintenance=maintenance,
    )


def _is_current(v: ValidatorView, name: str) -> bool:
    """Whether it was observed since the validator went down, if it is down: what was true before says nothing."""
    down_since = _down_since(v)
    return down_since is None or (v.seen_at(name) or 0.0) >= down_since


def _down_since(v: ValidatorView) -> float | None:
    if v.up is not False:
        return None
    ages: list[float] = [still for name in ("metrics_up", "rpc_up") if getattr(v, name) is False and (still := v.still_s(name)) is not None]
    return float(v.now - min(ages, default=0.0))


def _db_lost(v: ValidatorView) -> bool | None:
    """Its height decides while it is up. Its log decides while it is not: a database created anew since we have known it finalized."""
    if v.up and v.block_height is not None and v.watermark is not None:
        return bool(v.block_height < v.watermark - DB_MARGIN_BLOCKS)
    if v.genesis_line is None or not _is_current(v, "genesis_line"):
        return None
    if v.genesis_line and v.watermark:
        return True if v.moved("genesis_line") else None
    return False


def twin_running(v: ValidatorView, fleet: ChainView) -> bool | None:
    """Whether another machine signs with this validator's keys.

    Known to be so where its own authority id is named in an equivocation, or votes while our node is down; known not to be where the
    chain sees no vote of it while it is down, or nobody contradicts the operator's statement that there is no standby.
    """
    if v.own_equivocations:
        return True
    identity = v.config.authority_id
    if identity is not None:
        if any(identity in (other.equivocation_ids or ()) for other in fleet.validators):
            return True
        down_since = _down_since(v)
        if down_since is not None and fleet.votes_elsewhere(v, down_since, TWIN_AFTER_S) is not None:
            return True
        if down_since is not None and identity in fleet.absent_ids:
            return False
    return False if v.config.standby_hosts == () else None


def in_session_change(fleet: ChainView) -> bool | None:
    votes = fleet.votes
    if votes.set_id is None:
        return None
    return votes.set_changed_at is not None and fleet.now - votes.set_changed_at < SESSION_CHANGE_S
