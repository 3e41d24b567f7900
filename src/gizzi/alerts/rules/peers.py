"""Peers: without them a node sees no blocks and nobody hears its votes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gizzi import UNKNOWN, Answer, Finding, Series, duration_text, outlook, rule

if TYPE_CHECKING:
    from gizzi.fleet.view import ChainView, ValidatorView

_FOLLOWS = ("best_stalled", "finality_stalled", "finality_lagging", "syncing", "not_voting", "not_validating", "not_authoring")


@rule(
    "peers_low",
    severity="high",
    hold="15s",
    needs=("peers", "rpc_peers"),
    explains=(*_FOLLOWS, "fork", "no_incoming", "authority_discovery_failing", "peers_falling"),
)
def peers_low(v: ValidatorView, fleet: ChainView, *, below: int = 3, grace_s: float = 40.0) -> Answer:
    """It has almost no peers: blocks and votes no longer reach it, or leave it. For `grace_s` after its start it may look for them."""
    peers = v.peers
    if peers is None:
        return UNKNOWN
    if peers >= below or v.should_have_peers is False:
        return None
    if v.process_start_at is not None and 0 <= v.now - v.process_start_at < grace_s:
        return UNKNOWN
    return f"{_count(peers)}; fewer than {below}"


@rule(
    "chain_peers_low",
    severity="medium",
    hold="15s",
    scope="chain",
    needs=("peers", "rpc_peers"),
    explains=("peers_low", *_FOLLOWS, "chain_stalled", "chain_finality_stalled", "quorum_at_risk"),
)
def chain_peers_low(
    fleet: ChainView, *, below: int = 3, share: float = 0.3, critical_share: float = 0.5, at_least: int = 3, grace_s: float = 40.0
) -> Answer:
    """A large part of the chain's nodes has almost no peers: the network is split, or something blocks it."""
    known, low = 0, []
    for v in fleet.validators:
        if v.peers is not None:
            known += 1
            if v.peers < below:
                low.append(v)
    if len(low) < at_least:
        return None if known else UNKNOWN
    low = [v for v in low if v.should_have_peers is not False and not 0 <= v.now - (v.process_start_at or 0) < grace_s]
    if len(low) < at_least or len(low) <= share * known:
        return None
    return Finding(
        f"{len(low)} of {known} nodes have fewer than {below} peers",
        validators=tuple(sorted(v.number for v in low)),
        severity="critical" if len(low) > critical_share * known else None,
    )


_ABOVE = 3.0
"""So many of its usual errors above the line, or peers at least, is no longer on it."""


@rule("peers_falling", severity="low", hold="1m", needs=("peers",), series=("peers",))
def peers_falling(v: ValidatorView, fleet: ChainView, *, below: int = 3, within_s: float = 3600.0, after_s: float = 1200.0) -> Answer:
    """Its peers fall, and will be too few within the hour: its network, a firewall, or peers that ban it. Look while it still votes.

    It is told after `after_s`, where the 80 % interval of the forecast leaves out that they stop falling.
    """
    peers = v.peers
    if peers is None or v.watched_s("peers") < after_s:
        return UNKNOWN
    span_s, change = v.change("peers", after_s)
    if peers < below or not span_s or (peers - below) * span_s > -change * 2 * within_s or v.should_have_peers is False:
        return None
    seen = outlook(Series("", "peers", v.window("peers", after_s), float(below)))
    if not seen.sure or seen.likely_s is None or seen.likely_s > within_s:
        return None
    if seen.now is None or peers > seen.now + _ABOVE * max(1.0, seen.past_error or 0.0):
        return None  # it has risen since
    soon = f"fewer than {below} in about {duration_text(seen.likely_s)}"
    return f"{_count(peers)}, {-change:.0f} fewer than {duration_text(span_s)} ago: {soon} ({seen.between()})"


@rule("no_incoming", severity="low", hold="10s", needs=("incoming_connections_total",), optional=True)
def no_incoming(v: ValidatorView, fleet: ChainView, *, for_s: float = 1200.0) -> Answer:
    """Nobody connects to it any more, while others of its chain are connected to: a firewall or a wrong public address."""
    moving = v.moving("incoming_connections_total", for_s)
    if moving is not False:
        return None if moving else UNKNOWN
    others = [m for o in fleet.validators if o is not v and (m := o.moving("incoming_connections_total", for_s)) is not None]
    reached = sum(others)
    if not v.moved("incoming_connections_total") or reached * 2 <= len(others):
        return None
    still_s = v.still_s("incoming_connections_total") or 0.0
    return f"no incoming connection for {duration_text(still_s)}, while {reached} of {len(others)} others had some"


_STILL_FAILING_S = 1200.0
"""A node looks authorities up every ten minutes."""


@rule(
    "authority_discovery_failing",
    severity="medium",
    hold="30m",
    needs=("authority_discovery_failed_total", "authority_discovery_found_total"),
    series=("authority_discovery_failed_total", "authority_discovery_found_total"),
    optional=True,
)
def authority_discovery_failing(
    v: ValidatorView, fleet: ChainView, *, above: float = 0.5, for_s: float = 5400.0, at_least: int = 10
) -> Answer:
    """Most look-ups of other authorities' addresses fail, for two hours by now: soon it cannot reach whom it should vote with."""
    failed_total = v.authority_discovery_failed_total
    if failed_total is None:
        return UNKNOWN
    if not failed_total or v.moving("authority_discovery_failed_total", _STILL_FAILING_S) is False:
        return None
    span_s, failed = v.change("authority_discovery_failed_total", for_s)
    if span_s < for_s - 60.0:
        return UNKNOWN if v.watched_s("authority_discovery_failed_total") < for_s else None
    found = v.change("authority_discovery_found_total", for_s)[1]
    total = failed + found
    if failed < 0 or found < 0 or total < at_least or failed <= above * total:
        return None
    return f"{failed / total:.0%} of {total:.0f} look-ups failed in the last {duration_text(for_s)} (more than {above:.0%})"


def _count(peers: int) -> str:
    return f"{peers:.0f} peer{'' if peers == 1 else 's'}"
