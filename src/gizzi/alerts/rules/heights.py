"""Blocks: whether a validator's best and finalized block rise with its chain's, and whether the chain's rise at all.

Everything is compared with the other validators of the chain, so that a pause of the whole chain blames nobody. How long something must
stand follows the block time, and how often the node is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gizzi import UNKNOWN, Answer, Finding, duration_text, rule

if TYPE_CHECKING:
    from gizzi.fleet.view import ChainView, ValidatorView

_DUTIES = ("not_voting", "not_validating", "not_authoring")
_FINALITY = ("finality_stalled", "finality_lagging")
_BEST = ("block_height", "rpc_block_height")
_FINAL = ("finalized_height", "rpc_finalized_height")

_PERIODS = 0.8
"""Of the time for which one observation is believed (three periods): so that nothing stands still because it was seen only once."""


@rule("best_stalled", severity="high", hold="0s", needs=_BEST, explains=(*_FINALITY, *_DUTIES))
def best_stalled(v: ValidatorView, fleet: ChainView, *, block_times: float = 2.4, at_least_s: float = 14.4, behind: int = 2) -> Answer:
    """Its best block stands still while the chain's other validators go on: it no longer imports blocks."""
    limit_s = block_times * fleet.chain.block_time_s
    if limit_s < at_least_s:
        limit_s = at_least_s
    moving = v.moving("block_height", limit_s)
    if moving is not False:
        return None if moving else UNKNOWN
    if v.syncing or fleet.median_height is None:
        return None
    return _stall(v, fleet, "block_height", limit_s, fleet.median_height, behind)


@rule("finality_stalled", severity="high", hold="4s", needs=_FINAL, explains=("finality_lagging", "not_voting", "not_validating"))
def finality_stalled(v: ValidatorView, fleet: ChainView, *, block_times: float = 6.0, at_least_s: float = 30.0, behind: int = 3) -> Answer:
    """Its finalized block stands still while other validators' rises: it no longer takes part in finality."""
    limit_s = block_times * fleet.chain.block_time_s
    if limit_s < at_least_s:
        limit_s = at_least_s
    moving = v.moving("finalized_height", limit_s)
    if moving is not False:
        return None if moving else UNKNOWN
    if v.syncing or fleet.median_finalized is None:
        return None
    return _stall(v, fleet, "finalized_height", limit_s, fleet.median_finalized, behind)


def _stall(v: ValidatorView, fleet: ChainView, name: str, limit_s: float, median: int, behind: int) -> Answer:
    """The alert for one of its heights, if it stands that long and that far behind the chain.

    What the others did since it was last asked, at most two thirds of `fresh_s` and the age of a Prometheus server's sample, is no lag.
    """
    own, stands_s, fresh_s = getattr(v, name), v.stands_s(name) or 0.0, v.fresh_s(name)
    unseen = (fresh_s * 2 / 3 + (v.sample_age_s or 0.0)) / fleet.chain.block_time_s
    if stands_s < max(limit_s, _PERIODS * fresh_s) or median - own < max(behind, unseen):
        return None
    which = "best" if name == "block_height" else "finalized"
    return f"{which} block {own} has stood for {duration_text(stands_s)}; the median of its chain is {median - own} further, at {median}"


@rule("finality_lagging", severity="medium", hold="30s", needs=("finalized_height", "rpc_finalized_height", "block_height"))
def finality_lagging(v: ValidatorView, fleet: ChainView, *, above: int = 10, high_above: int = 100) -> Answer:
    """Its finalized block falls far behind its best block."""
    lag = v.finalization_lag
    if lag is None:
        return UNKNOWN
    if lag <= above or v.syncing:
        return None
    usual = None
    if fleet.median_height is not None and fleet.median_finalized is not None:
        usual = max(0, fleet.median_height - fleet.median_finalized)
    compared = "" if usual is None else f"; the chain's median is {usual}"
    return Finding(
        f"finalized block {v.finalized_height} is {lag} behind its best block (more than {above}){compared}",
        severity="high" if lag > high_above else None,
    )


@rule("syncing", severity="low", hold="30s", needs=("syncing", "rpc_syncing"), explains=("best_stalled", *_FINALITY, *_DUTIES))
def syncing(v: ValidatorView, fleet: ChainView) -> Answer:
    """It is catching up with the chain after it was away or fell behind. It needs time, not a restart."""
    if not v.syncing:
        return UNKNOWN if v.syncing is None else None
    target = v.sync_target or v.rpc_highest_block or fleet.max_height
    if v.block_height is None or target is None:
        return "it says that it is syncing"
    return f"it is syncing: at block {v.block_height} of {target}"


@rule("fork", severity="critical", hold="10s", needs=("checked_hash",), explains=("best_stalled", *_FINALITY, *_DUTIES))
def fork(v: ValidatorView, fleet: ChainView) -> Answer:
    """At the same height it has another block than most nodes of its chain: it follows a chain of its own."""
    own = v.checked_hash
    if own is None:
        return UNKNOWN
    usual = fleet.usual_hashes.get(v.checked_height)
    if usual == own:
        return None
    if usual is None:
        return UNKNOWN
    same = sum(1 for o in fleet.validators if o.checked_height == v.checked_height and o.checked_hash == usual)
    return f"at block {v.checked_height} it has {own[:10]}…, while {same} other nodes have {usual[:10]}…"


@rule(
    "chain_stalled",
    severity="critical",
    hold="0s",
    scope="chain",
    needs=_BEST,
    explains=("best_stalled", *_FINALITY, "syncing", *_DUTIES, "tx_queue_high", "chain_finality_stalled", "quorum_at_risk"),
)
def chain_stalled(
    fleet: ChainView, *, share: float = 0.5, while_some_rise_s: float = 30.0, while_none_rises_s: float = 50.0, behind: int = 2
) -> Answer:
    """More than half of the chain's validators see no new block: the chain stands still, or is split."""
    still, known, unclear = _still(fleet, "block_height", while_some_rise_s)
    if len(still) <= share * known:
        return UNKNOWN if len(still) + unclear > share * known or not known else None
    some_rise = (fleet.max_height or 0) - (fleet.median_height or 0) >= behind
    limit_s = _limit(fleet, while_some_rise_s if some_rise else while_none_rises_s, 5 if some_rise else 8, still[0].fresh_s("block_height"))
    standing = [v for v in still if (v.stands_s("block_height") or 0.0) >= limit_s]
    if len(standing) <= share * known:
        return None
    others = f"others have reached {fleet.max_height}" if some_rise else "nobody sees a newer one"
    return Finding(
        f"{len(standing)} of {known} validators have seen no block after {fleet.median_height} for {duration_text(limit_s)}; {others}",
        validators=tuple(sorted(v.number for v in standing)),
    )


@rule(
    "chain_finality_stalled",
    severity="critical",
    hold="5s",
    scope="chain",
    needs=_FINAL,
    explains=(*_FINALITY, "not_voting", "not_validating"),
)
def chain_finality_stalled(fleet: ChainView, *, share: float = 0.5, for_s: float = 40.0, behind: int = 5) -> Answer:
    """Blocks are made but no longer finalized on more than half of the chain's validators: nothing on the chain is settled."""
    still, known, unclear = _still(fleet, "finalized_height", for_s)
    if len(still) <= share * known:
        return UNKNOWN if len(still) + unclear > share * known or not known else None
    limit_s = _limit(fleet, for_s, 6, still[0].fresh_s("finalized_height"))
    standing = [v for v in still if (v.stands_s("finalized_height") or 0.0) >= limit_s and (v.finalization_lag or 0) >= behind]
    if len(standing) <= share * known:
        return None
    return Finding(
        f"finality has stood at block {fleet.median_finalized} for {duration_text(limit_s)} or longer on {len(standing)} of {known} "
        f"validators, while blocks have reached {fleet.max_height}",
        validators=tuple(sorted(v.number for v in standing)),
    )


def _limit(fleet: ChainView, for_s: float, blocks: float, fresh_s: float) -> float:
    """For how long the whole chain must stand: longer where blocks are slow, or nodes seldom asked."""
    return max(for_s, blocks * fleet.chain.block_time_s, 1.2 * fresh_s)


def _still(fleet: ChainView, name: str, for_s: float) -> tuple[list[ValidatorView], int, int]:
    """The validators of which it has stood for that long, of how many it is known, and of how many it is too early to say."""
    still, moving, unclear = [], 0, 0
    for v in fleet.validators:
        moves = v.moving(name, for_s)
        if moves:
            moving += 1
        elif moves is False:
            still.append(v)
        elif getattr(v, name) is not None:
            unclear += 1
    return still, len(still) + moving + unclear, unclear
