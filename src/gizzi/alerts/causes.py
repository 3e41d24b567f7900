"""Which alert is the cause, where several tell of the same trouble. An incident carries the rule that stands highest here."""

from __future__ import annotations

CAUSE_ORDER: tuple[str, ...] = (
    # what can cost stake, whatever else it brings about
    "twin_signer",
    "equivocation",
    "database_lost",
    # the machine or the process is gone, so everything it does stops
    "node_down",
    "process_down",
    "node_unresponsive",
    # the whole chain, from its network to its finality
    "chain_peers_low",
    "chain_stalled",
    "quorum_at_risk",
    "chain_finality_stalled",
    # what starves one node
    "disk_filling",
    "memory_high",
    "clock_drift",
    "fds_high",
    "cpu_high",
    "restarts_unplanned",
    # one node, from its network to its duties
    "peers_low",
    "fork",
    "task_ended",
    "channel_clogged",
    "syncing",
    "best_stalled",
    "finality_stalled",
    "finality_lagging",
    "not_voting",
    "not_validating",
    "not_authoring",
    "left_active_set",
    # how it is reached, and what is around it
    "metrics_unreadable",
    "rpc_down",
    "metrics_down",
    "unsafe_rpc",
    "tx_queue_high",
    "authority_discovery_failing",
    "no_incoming",
    "peers_falling",
    "version_skew",
    # ourselves
    "collector_late",
    "rule_dead",
)
"""From the deepest cause to the shallowest symptom."""

_RANKS = {name: place for place, name in enumerate(CAUSE_ORDER)}


def rank(rule_name: str) -> int:
    """Place in the order of causes, 0 the deepest; rules of plugins come last."""
    return _RANKS.get(rule_name, len(CAUSE_ORDER))
