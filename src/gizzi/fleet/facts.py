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
SHOWS_WITHIN_S = 30.0
"""Votes of the rounds after that show within this time, on any chain whose rounds last some seconds."""
_WAYS = ("metrics_up", "rpc_up")


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
    """Whether it was observed since the validator went down or out of sight, if it did: what was true before says nothing."""
    if v.up:
        return True
    gone_since = _gone_since(v)
    since = max((v.seen_at(way) or 0.0) for way in _WAYS) if gone_since is None else gone_since
    return (v.seen_at(name) or 0.0) >= since


def _gone_since(v: ValidatorView) -> float | None:
    """Since when it was down when it was last looked at, however long ago; None where it was not."""
    ways = [name for name in _WAYS if v.last(name) is not None and (v.up is None or getattr(v, name) is not None)]
    if not ways or any(v.last(name) for name in ways):
        return None
    return max((v.stands_since(name) or 0.0) for name in ways)


def _db_lost(v: ValidatorView) -> bool | None:
    """Its height decides while it is up. Its log decides while it is not: a database created anew since we have known it finalized.

    An old copy shows in no log: where it stood too low when it was last seen, nothing but a height says that it no longer does.
    """
    if v.up and v.block_height is not None and v.watermark is not None:
        return _is_below(v.block_height, v.watermark)
    if v.genesis_line is None or not _is_current(v, "genesis_line"):
        return None
    if v.genesis_line and v.watermark:
        return True if v.moved("genesis_line") else None
    return None if _is_below(_last_height(v), v.watermark) else False


def _last_height(v: ValidatorView) -> int | None:
    """The latest it told, by page or RPC."""
    seen = [(v.seen_at(name) or 0.0, v.last(name)) for name in ("block_height", "rpc_block_height") if v.last(name) is not None]
    return max(seen)[1] if seen else None


def _is_below(height: int | None, watermark: int | None) -> bool:
    return height is not None and watermark is not None and height < watermark - DB_MARGIN_BLOCKS


def twin_running(v: ValidatorView, fleet: ChainView) -> bool | None:
    """Whether another machine signs with this validator's keys.

    Known to be so where its own authority id is named in an equivocation, or votes while our node is down; known not to be where the
    chain sees no vote of it while it is down, or nobody contradicts the operator's statement that there is no standby. What once spoke
    for it and has not been looked at since leaves it unknown.
    """
    if v.own_equivocations:
        return True
    identity = v.config.authority_id
    suspected = bool(v.last("own_equivocations"))
    if identity is not None:
        if any(identity in (other.equivocation_ids or ()) for other in fleet.validators):
            return True
        suspected = suspected or any(identity in (other.last("equivocation_ids") or ()) for other in fleet.validators)
        gone_since = _gone_since(v)
        if gone_since is not None and fleet.votes_elsewhere(v, gone_since, TWIN_AFTER_S) is not None:
            return True if v.up is False else None
        if not suspected and v.up is False and identity in fleet.absent_ids and _votes_are_seen(fleet):
            return False
        if twin_shows_soon(v, fleet) or _votes_for_it(v, fleet):
            return None
    return False if v.config.standby_hosts == () and not suspected else None


def twin_shows_soon(v: ValidatorView, fleet: ChainView) -> bool:
    """Whether it is down and its votes, or their absence, have yet to show that its keys do not go on voting elsewhere.

    One of the chain's voters is waited for as long as it takes; of one that was never seen among them nothing shows after a while.
    """
    gone_since = _gone_since(v)
    identity = v.config.authority_id
    if v.up or gone_since is None or identity is None:
        return False
    if identity in fleet.absent_ids and _votes_are_seen(fleet):
        return False
    if identity in fleet.votes.voted_at:
        return True
    looked_at = max(v.seen_at(way) or 0.0 for way in _WAYS)
    return fleet.votes.set_id is not None and looked_at - gone_since < TWIN_AFTER_S + SHOWS_WITHIN_S


def _votes_for_it(v: ValidatorView, fleet: ChainView) -> bool:
    """Whether the chain sees votes of it that it did not count itself when it was last read, and was up."""
    still_since = v.stands_since("prevotes_total")
    voted_at = fleet.votes.voted_at.get(v.config.authority_id or "")
    if _gone_since(v) is not None or still_since is None or voted_at is None:
        return False
    return voted_at > still_since + TWIN_AFTER_S


def in_session_change(fleet: ChainView) -> bool | None:
    votes = fleet.votes
    if votes.set_id is None or not _votes_are_seen(fleet):
        return None
    return votes.set_changed_at is not None and fleet.now - votes.set_changed_at < SESSION_CHANGE_S


def _votes_are_seen(fleet: ChainView) -> bool:
    """Whether any node still tells who votes: while none does, what the last one told says nothing of now."""
    return any(v.grandpa_set_id is not None for v in fleet.validators)
