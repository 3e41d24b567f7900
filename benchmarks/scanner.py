"""How many times faster the scanner reads one node's page than prometheus_client's parser: one JSON object, exit 1 below the floor.

Both run in turn in one process and the best run of each counts. The scanner is timed as in service, with the labels of the page already
met; `gizzi_first_ms` is its first look at the page, with nothing met yet.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gizzi.readers.exposition import Scanner

FLOOR = 80
ROUNDS = 15
REAL_PAGE = Path(__file__).parents[2] / "shared/data/node-metrics.txt"
PAGE_BYTES = 491_194  # of the real page
NAMES = [
    "substrate_block_height",
    "substrate_build_info",
    "substrate_node_roles",
    "substrate_process_start_time_seconds",
    "substrate_number_leaves",
    "substrate_ready_transactions_number",
    "substrate_sub_libp2p_peers_count",
    "substrate_sub_libp2p_is_major_syncing",
    "substrate_sub_libp2p_incoming_connections_total",
    "substrate_sync_peers",
    "substrate_sync_queued_blocks",
    "substrate_finality_grandpa_round",
    "substrate_finality_grandpa_prevotes_total",
    "substrate_finality_grandpa_precommits_total",
    "substrate_proposer_block_constructed_count",
    "substrate_tasks_spawned_total",
    "substrate_tasks_ended_total",
    "substrate_unbounded_channel_size",
    "substrate_unbounded_channel_len",
    "substrate_authority_discovery_amount_external_addresses_last_published",
    "substrate_authority_discovery_authority_address_requests_pending",
    "substrate_authority_discovery_authority_addresses_requested_total",
    "substrate_authority_discovery_dht_event_received",
    "substrate_authority_discovery_handle_value_found_event_failure",
    "substrate_authority_discovery_known_authorities_count",
    "substrate_authority_discovery_times_published_total",
    "polkadot_node_is_active_validator",
    "polkadot_node_is_parachain_validator",
    "polkadot_parachain_approval_checking_finality_lag",
    "polkadot_parachain_approvals_no_shows_total",
    "polkadot_parachain_approvals_produced_total",
    "polkadot_parachain_candidate_disputes_total",
    "polkadot_parachain_bitfields_signed_total",
    "polkadot_parachain_candidate_backing_signed_statements_total",
    "substrate_peers_count",
    "substrate_finalized_height",
]


def made_page() -> bytes:
    """A page of the real one's size and make: the wanted families, two of them with 74 tasks, and histograms for the rest."""
    families = [(name, 74 if "_tasks_" in name else 30 if "_channel_" in name else 2) for name in NAMES[:-2]]
    lines = []
    for name, series in families:
        lines += [f"# HELP {name} One of the figures of this node", f"# TYPE {name} gauge"]
        lines += [f'{name}{{task_name="task-{i}",task_group="group-{i % 9}",kind="async",chain="made"}} {i * 7}' for i in range(series)]
    size, count = sum(map(len, lines)) + len(lines), 0
    while size < PAGE_BYTES:
        name = f"substrate_tasks_polling_duration_{count}"
        block = [f"# HELP {name} Duration in seconds", f"# TYPE {name} histogram"]
        labels = f'task_name="task-{count}",task_group="group",kind="async",chain="made"'
        block += [f'{name}_bucket{{{labels},le="{4**i}"}} {i}' for i in range(10)]
        block += [f"{name}_sum{{{labels}}} 0.0070964570000000005", f"{name}_count{{{labels}}} 9"]
        lines += block
        size, count = size + sum(map(len, block)) + len(block), count + 1
    return ("\n".join(lines) + "\n").encode()


def timed_ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def main() -> int:
    page = REAL_PAGE.read_bytes() if REAL_PAGE.exists() else made_page()
    scanner = Scanner(NAMES)
    first = timed_ms(lambda: scanner.scan(page))
    theirs, ours = [], []
    for _ in range(ROUNDS):
        theirs.append(timed_ms(lambda: list(text_string_to_metric_families(page.decode()))))
        ours += [timed_ms(lambda: scanner.scan(page)) for _ in range(20)]
    ratio = min(theirs) / min(ours)
    result = {
        "benchmark": "scanner",
        "page": "real" if REAL_PAGE.exists() else "made",
        "page_bytes": len(page),
        "names": len(NAMES),
        "samples": sum(map(len, scanner.scan(page).values())),
        "prometheus_client_ms": round(min(theirs), 2),
        "gizzi_ms": round(min(ours), 3),
        "gizzi_first_ms": round(first, 3),
        "ratio": round(ratio, 1),
        "floor": FLOOR,
        "ok": ratio >= FLOOR,
    }
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
