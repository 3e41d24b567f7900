"""Which of an incident's alerts is its cause."""

from __future__ import annotations

CAUSE_ORDER: tuple[str, ...] = (
    "equivocation",
    "twin_signer",
    "database_lost",
    "node_down",
    "node_unresponsive",
    "process_down",
    "quorum_at_risk",
    "chain_stalled",
    "chain_finality_stalled",
    "chain_peers_low",
    "fork",
    "metrics_unreadable",
    "rpc_down",
    "metrics_down",
    "syncing",
    "peers_low",
    "best_stalled",
    "finality_stalled",
    "not_voting",
    "not_validating",
    "finality_lagging",
)
"""From the deepest cause to the shallowest symptom. Rules that are not listed, such as a plugin's, come last."""

_RANK = {name: rank for rank, name in enumerate(CAUSE_ORDER)}


def rank(rule: str) -> int:
    """The rule's place in CAUSE_ORDER; smaller is deeper."""
    return _RANK.get(rule, len(CAUSE_ORDER))
