"""The samples of a simulated page that anybody reads: fixed ones made once, the rest renewed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gizzi.sim.chain import mix

if TYPE_CHECKING:
    from gizzi.sim.node import SimNode

Labels = Mapping[str, str]

VERSION = "1.20.2-3f1a7c5e9d2"
"""What every simulated node runs until it is upgraded."""

_CHANNELS = ("mpsc_chain_sync", "mpsc_finality_notification_stream", "mpsc_import_notification_stream", "mpsc_network_worker")
_TASKS = (
    ("blocking", "default", "babe", 0),
    ("blocking", "default", "grandpa-voter", 0),
    ("blocking", "networking", "network-worker", 0),
    ("async", "default", "import-queue", 0),
    ("async", "approval-voting", "approval-checks", 1),
    ("async", "provisioner", "send-inherent-data", 412),
)


class PageSamples:
    """`samples` is one dict for the node's whole life; `renew` replaces the lists in it."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        chain = {"chain": node.chain.id}
        self._plain = chain
        self._best, self._finalized, self._target = ({"status": s, **chain} for s in ("best", "finalized", "sync_target"))
        self._success: Labels = {"status": "success", **chain}
        self._found: Labels = {"name": "value_found", **chain}
        self._put_failed: Labels = {"name": "value_put_failed", **chain}
        self._in: Labels = {"direction": "in", **chain}
        self._out: Labels = {"direction": "out", **chain}
        self.samples: dict[str, list[tuple[Labels, float]]] = self._fixed()
        self._renewed_at = node.started_at

    def _fixed(self) -> dict[str, list[tuple[Labels, float]]]:
        from_chain = self._plain
        active = 1.0 if self._node.votes else 0.0
        plain = {
            "substrate_node_roles": 4.0 if self._node.votes else 1.0,
            "substrate_number_leaves": 1.0,
            "substrate_sync_queued_blocks": 0.0,
            "polkadot_node_is_active_validator": active,
            "polkadot_node_is_parachain_validator": active,
            "polkadot_parachain_approval_checking_finality_lag": 0.0,
            "polkadot_parachain_approvals_no_shows_total": 3.0,
            "polkadot_parachain_candidate_disputes_total": 0.0,
            "substrate_authority_discovery_handle_value_found_event_failure": 0.0,
        }
        fixed: dict[str, list[tuple[Labels, float]]] = {name: [(from_chain, value)] for name, value in plain.items()}
        fixed["substrate_build_info"] = self._build_info()
        fixed["substrate_unbounded_channel_size"] = [({"entity": entity, **from_chain}, 0.0) for entity in _CHANNELS]
        fixed["substrate_tasks_ended_total"] = [
            ({"kind": kind, "reason": "finished", "task_group": group, "task_name": task, **from_chain}, float(ended))
            for kind, group, task, ended in _TASKS
        ]
        return fixed

    def _build_info(self) -> list[tuple[Labels, float]]:
        return [({"name": self._node.identity.name, "version": self._node.version, **self._plain}, 1.0)]

    def upgraded(self) -> None:
        """Another version runs now."""
        self.samples["substrate_build_info"] = self._build_info()

    def renew(self, now: float) -> None:
        node, plain, samples = self._node, self._plain, self.samples
        self._renewed_at = now
        best, finalized = node.heights(now)
        age_s = int(now - node.started_at)
        votes = node.rounds_voted
        para = node.para_blocks
        samples["substrate_block_height"] = [
            (self._best, best),
            (self._finalized, finalized),
            (self._target, max(best, node.chain.height)),
        ]
        samples["substrate_sub_libp2p_peers_count"] = samples["substrate_sync_peers"] = [(plain, node.peers(now))]
        samples["substrate_sub_libp2p_is_major_syncing"] = [(plain, 1 if node.syncing else 0)]
        samples["substrate_ready_transactions_number"] = [(plain, node.ready_transactions(now))]
        samples["substrate_process_start_time_seconds"] = [(plain, int(node.started_at))]
        samples["substrate_finality_grandpa_round"] = [(plain, node.chain.round)]
        samples["substrate_finality_grandpa_prevotes_total"] = samples["substrate_finality_grandpa_precommits_total"] = [(plain, votes)]
        samples["substrate_proposer_block_constructed_count"] = [(plain, node.authored)]
        samples["substrate_sub_libp2p_incoming_connections_total"] = [(plain, age_s // 7)]
        samples["polkadot_parachain_bitfields_signed_total"] = [(plain, para)]
        samples["polkadot_parachain_approvals_produced_total"] = [(self._success, para * 3)]
        samples["polkadot_parachain_candidate_backing_signed_statements_total"] = [(plain, para // 3)]
        samples["substrate_authority_discovery_dht_event_received"] = [(self._found, age_s // 30), (self._put_failed, age_s // 3600)]

    def traffic(self) -> dict[str, list[tuple[Labels, float]]]:
        """What only the written page shows, as nobody who watches reads it."""
        at = int(self._renewed_at)
        age_s = at - int(self._node.started_at)
        moved: list[tuple[Labels, float]] = [
            (self._in, age_s * 1_200_000 + mix(at) % 900_000),
            (self._out, age_s * 1_100_000 + mix(at + 1) % 900_000),
        ]
        return {"substrate_sub_libp2p_network_bytes_total": moved}
