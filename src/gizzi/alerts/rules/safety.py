"""What can cost stake, or finality itself. The first three are told at once, without waiting for a second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gizzi import UNKNOWN, Answer, Finding, duration_text, rule

if TYPE_CHECKING:
    from gizzi.fleet.view import ChainView, ValidatorView

_GONE = ("node_down", "node_unresponsive", "process_down")
_STATE = ("peers_low", "best_stalled", "finality_stalled", "finality_lagging", "syncing")
_DUTIES = ("not_voting", "not_validating", "not_authoring")


@rule("equivocation", severity="critical", hold="0s", scope="chain", needs=("equivocations", "equivocation_ids"))
def equivocation(fleet: ChainView) -> Answer:
    """A node's log reports that an authority voted twice in one round. If it is ours, find and stop its second signer."""
    reporters, known = [], False
    for v in fleet.validators:
        count = v.equivocations
        if count:
            reporters.append(v)
        elif count is not None:
            known = True
    if not reporters:
        return None if known else UNKNOWN
    named = fleet.equivocators
    ours = sorted(v.number for v in fleet.validators if v.config.authority_id in named)
    quoted = tuple(f"{v.number}/{name}" for v in reporters[:3] for name in ("equivocations", "equivocation_ids"))
    where = f"reported in the last hour by {_whom(sorted(v.number for v in reporters))}"
    if ours:
        return Finding(f"{_whom(ours)} voted twice in one round, {where}", validators=tuple(ours), evidence=quoted)
    if named:
        return Finding(f"an authority that is not one of ours ({min(named)[:70]}) voted twice in one round, {where}")
    return Finding(f"an authority voted twice in one round, {where}; the log does not say which", evidence=quoted)


@rule(
    "twin_signer",
    severity="critical",
    hold="0s",
    needs=("grandpa_missing", "equivocation_ids", "own_equivocations"),
    explains=("equivocation", *_GONE, *_DUTIES),
)
def twin_signer(v: ValidatorView, fleet: ChainView, *, after_s: float = 30.0) -> Answer:
    """Another machine signs with this validator's keys. Never start ours as well: find the other one and stop it."""
    if v.own_equivocations:
        return Finding("its log reports equivocations of its own keys: another machine signs with them", evidence=("own_equivocations",))
    identity = v.config.authority_id
    if identity is None:
        return None
    if identity in fleet.equivocators:
        return "the chain's nodes report that its keys voted twice in one round: another machine signs with them"
    if v.up or (v.up is None and v.unit_active is not False):
        return None if v.up else UNKNOWN
    gone_at = _gone_at(v)
    if gone_at is None:
        return UNKNOWN
    voted_at = fleet.votes_elsewhere(v, gone_at, after_s)
    if voted_at is None:
        return None if identity in fleet.absent_ids else UNKNOWN
    return Finding(
        f"its keys voted {duration_text(voted_at - gone_at)} after its node was gone: another machine signs with them",
        evidence=("unit_active", "metrics_up", "rpc_up"),
    )


def _gone_at(v: ValidatorView) -> float | None:
    """Since when its process is known not to run; None where that is not known: it may only be out of our reach."""
    since: float | None = None
    for name in ("metrics_up", "rpc_up"):
        seen_at, still_s = v.seen_at(name), v.still_s(name)
        if seen_at is not None and still_s is not None:
            since = max(since or 0.0, seen_at - still_s)
    unit_at = v.seen_at("unit_active")
    if v.unit_active is not None and unit_at is not None and unit_at >= (since or 0.0):
        if v.unit_active:
            return None
        return unit_at - (v.still_s("unit_active") or 0.0) if since is None else since
    refused = all(v.failure(way) in (None, "refused") for way in ("metrics", "rpc"))
    return since if refused and v.seen_at("host_up") is None else None


@rule(
    "database_lost",
    severity="critical",
    hold="0s",
    needs=("block_height", "rpc_block_height", "genesis_line"),
    explains=(*_GONE, *_STATE, *_DUTIES, "restarts_unplanned"),
)
def database_lost(v: ValidatorView, fleet: ChainView, *, margin: int = 5) -> Answer:
    """Its database was lost or is an old copy: it stands below what it had itself finalized. It must not sign before the next session."""
    finalized = v.watermark
    if not finalized:
        return None
    height = v.block_height
    if height is not None and height < finalized - margin:
        return f"best block {height} is {finalized - height} below block {finalized}, which it had already finalized"
    if v.genesis_line and height is None and v.moved("genesis_line"):
        return f"it has started from an empty database, though it had finalized block {finalized} before"
    return UNKNOWN if height is None else None


@rule(
    "quorum_at_risk",
    severity="high",
    hold="15s",
    scope="chain",
    needs=("grandpa_missing", "metrics_up", "rpc_up"),
    explains=("chain_finality_stalled", "finality_stalled", "finality_lagging", "not_voting"),
)
def quorum_at_risk(fleet: ChainView, *, reserve: int = 2) -> Answer:
    """So many of the chain's authorities are missing that a few more, or these already, stop finality. Restart nothing without care."""
    can_lose = fleet.can_lose
    if can_lose is None:
        return UNKNOWN
    if not fleet.absent_ids and all(v.up is not False for v in fleet.validators):
        return UNKNOWN if _not_seen_long(fleet) else None
    ours, count, pauses = fleet.missing, fleet.missing_count, not _makes_blocks(fleet)
    if pauses:
        ours = [v.number for v in fleet.validators if v.config.authority and v.up is False]
        count = len(ours)
    if not count or count <= can_lose - reserve:
        return UNKNOWN if pauses or _not_seen_long(fleet) else None
    needed = (fleet.authorities or 0) - can_lose
    who = f"{count} of {fleet.authorities} authorities are missing{f' (of ours: {_numbers(ours)})' if ours else ''}"
    if count > can_lose:
        return Finding(f"{who}; finality needs {needed}, so it stops", validators=tuple(ours), severity="critical")
    left = can_lose - count
    more = f"{left} more can be lost" if left else "not one more can be lost"
    return Finding(f"{who}; {more} before finality stops", validators=tuple(ours))


def _makes_blocks(fleet: ChainView, block_times: float = 5.0) -> bool:
    """Whether any validator has seen a new block lately. While the chain pauses nobody votes, and nobody is missing for that."""
    limit_s = max(block_times * fleet.chain.block_time_s, 30.0)
    return any((s := v.stands_s("block_height")) is not None and s < limit_s for v in fleet.validators)


def _not_seen_long(fleet: ChainView) -> bool:
    """Too early to say who does not vote, as after a restart of ours."""
    seen = False
    for v in fleet.validators:
        watched_s = v.watched_s("grandpa_missing")
        if watched_s >= 2 * fleet.ABSENT_AFTER_S:
            return False
        seen = seen or watched_s > 0
    return seen


def _whom(numbers: list[int]) -> str:
    return f"validator{'' if len(numbers) == 1 else 's'} {_numbers(numbers)}"


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
