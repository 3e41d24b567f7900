"""What a node's metrics page tells, in our names (fleet/names.py). The same mapping serves pages read through a Prometheus server.

Substrate's own names are read, and those of older dashboards and rules (`substrate_peers_count`, `substrate_finalized_height`, a
`substrate_block_height` without a status). A value that cannot be, such as NaN or a negative count, is not observed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from gizzi import Settings, SourceError, Validator, source
from gizzi.readers.text import one_line

Series = Sequence[tuple[Mapping[str, str], float]]
Samples = Mapping[str, Series]

_COUNTS = (
    ("substrate_finalized_height", "finalized_height"),
    ("substrate_peers_count", "peers"),
    ("substrate_sub_libp2p_peers_count", "peers"),
    ("substrate_node_roles", "node_roles"),
    ("substrate_number_leaves", "number_leaves"),
    ("substrate_ready_transactions_number", "ready_transactions"),
    ("substrate_sync_queued_blocks", "queued_blocks"),
    ("substrate_sub_libp2p_incoming_connections_total", "incoming_connections_total"),
    ("substrate_finality_grandpa_round", "grandpa_round"),
    ("substrate_finality_grandpa_prevotes_total", "prevotes_total"),
    ("substrate_finality_grandpa_precommits_total", "precommits_total"),
    ("substrate_proposer_block_constructed_count", "blocks_constructed_total"),
    ("polkadot_parachain_approval_checking_finality_lag", "approval_finality_lag"),
    ("polkadot_parachain_approvals_no_shows_total", "no_shows_total"),
    ("polkadot_parachain_candidate_disputes_total", "disputes_total"),
    ("polkadot_parachain_bitfields_signed_total", "bitfields_signed_total"),
    ("polkadot_parachain_candidate_backing_signed_statements_total", "backing_statements_total"),
)
"""Whole numbers, one sample each. Of two spellings the later one wins."""

_FLAGS = (
    ("substrate_sub_libp2p_is_major_syncing", "syncing"),
    ("polkadot_node_is_active_validator", "is_active_validator"),
    ("polkadot_node_is_parachain_validator", "is_parachain_validator"),
)

_HEIGHT = "substrate_block_height"
_HEIGHTS = {"best": "block_height", "finalized": "finalized_height", "sync_target": "sync_target"}
_BUILD = "substrate_build_info"
_START = "substrate_process_start_time_seconds"
_CHANNEL = "substrate_unbounded_channel_size"
_APPROVALS = "polkadot_parachain_approvals_produced_total"
_DISCOVERY = "substrate_authority_discovery_dht_event_received"
_DISCOVERY_FAILURES = "substrate_authority_discovery_handle_value_found_event_failure"
_ENDED = "substrate_tasks_ended_total"
_DISCOVERY_FOUND = "authority_discovery_found_total"
_DISCOVERY_FAILED = "authority_discovery_failed_total"

NAMES = frozenset(
    [name for name, _ in _COUNTS + _FLAGS] + [_HEIGHT, _BUILD, _START, _CHANNEL, _APPROVALS, _DISCOVERY, _DISCOVERY_FAILURES, _ENDED]
)
"""The samples that `observe` looks at."""

GIVES = tuple(
    dict.fromkeys(
        [name for _, name in _COUNTS + _FLAGS]
        + [*_HEIGHTS.values(), "version", "node_name", "process_start_at", "channel_max_size", "channel_max_name", "tasks_ended"]
        + [_DISCOVERY_FOUND, _DISCOVERY_FAILED, "approvals_produced_total"]
    )
)

LONG_RUNNING_TASKS = frozenset(
    (
        *("aura", "authority-discovery-worker", "babe", "babe-proposer", "babe-worker", "basic-block-import-worker", "beefy-gadget"),
        *("block-request-handler", "candidate-responder", "chain-sync-network-service-provider", "chunk-receiver", "disputes-receiver"),
        *("grandpa-voter", "import-queue", "informant", "large-statement-responder", "light-client-request-handler", "mmr-gadget"),
        *("network-transactions-handler", "network-worker", "offchain-workers-runner", "on-transaction-imported", "overseer"),
        *("peer-store", "pov-receiver", "pvf-validation-host", "state-request-handler", "statement-store", "storage-monitor", "syncing"),
        *("system-rpc-handler", "txpool-background", "txpool-notifications", "unpin-worker", "warp-sync-request-handler"),
    )
)
"""Tasks that a node spawns once and that run as long as it does; older nodes write some with underscores. Polkadot's `…-subsystem`s too.

"Spawned once, ended once" does not tell them from the rest: on a healthy node `approval-checks`, `chunk-fetcher`, `recovery-task`,
`validate-from-exhaustive` and `warm-up-trie-cache` have ended after their only run so far.
"""

_LARGEST = 2.0**63
_NAME_LENGTH = 100
_MOST_TASKS = 16


def observe(samples: Samples) -> dict[str, Any]:
    """The observations in a page's samples; what is not on the page is not in the result."""
    seen: dict[str, Any] = {}
    get = samples.get
    for name, observation in _COUNTS:
        found = get(name)
        if found:
            value = found[0][1]
            if 0 <= value < _LARGEST:
                seen[observation] = int(value)
    for name, observation in _FLAGS:
        found = get(name)
        if found:
            value = found[0][1]
            if value in (0, 1):
                seen[observation] = value == 1
    for labels, value in get(_HEIGHT, ()):
        height = _HEIGHTS.get(labels.get("status", "best"))
        if height is not None and 0 <= value < _LARGEST:
            seen[height] = int(value)
    for name, add in _OTHERS:
        found = get(name)
        if found:
            add(seen, found)
    if _DISCOVERY_FOUND in seen:
        _subtract_unusable(seen, get(_DISCOVERY_FAILURES))
    return seen


def _add_text(seen: dict[str, Any], observation: str, text: str | None) -> None:
    if text:
        seen[observation] = text if len(text) <= _NAME_LENGTH and text.isprintable() else one_line(text, _NAME_LENGTH)


def _add_build(seen: dict[str, Any], found: Series) -> None:
    labels = found[0][0]
    _add_text(seen, "version", labels.get("version"))
    _add_text(seen, "node_name", labels.get("name"))


def _add_start(seen: dict[str, Any], found: Series) -> None:
    if 0 < found[0][1] < _LARGEST:
        seen["process_start_at"] = float(found[0][1])


def _add_channel(seen: dict[str, Any], found: Series) -> None:
    largest, fullest = -1.0, ""
    for labels, value in found:
        if largest < value < _LARGEST:
            largest, fullest = value, labels.get("entity", "")
    if largest >= 0:
        seen["channel_max_size"] = int(largest)
        _add_text(seen, "channel_max_name", fullest)


def _add_approvals(seen: dict[str, Any], found: Series) -> None:
    for labels, value in found:
        if labels.get("status") == "success" and 0 <= value < _LARGEST:
            seen["approvals_produced_total"] = int(value)


def _add_discovery(seen: dict[str, Any], found: Series) -> None:
    """An event that never happened has no sample: with any of them there, another one's count is 0."""
    events = {labels.get("name"): value for labels, value in found if 0 <= value < _LARGEST}
    seen[_DISCOVERY_FOUND] = int(events.get("value_found", 0))
    seen[_DISCOVERY_FAILED] = int(events.get("value_not_found", 0))


def _subtract_unusable(seen: dict[str, Any], failures: Series | None) -> None:
    """A value that was found and could not be used (wrongly signed, or of nobody we know) is a failed look-up too."""
    if failures and 0 <= failures[0][1] < _LARGEST:
        unusable = int(failures[0][1])
        seen[_DISCOVERY_FOUND] = max(0, seen[_DISCOVERY_FOUND] - unusable)
        seen[_DISCOVERY_FAILED] += unusable


def _add_tasks(seen: dict[str, Any], found: Series) -> None:
    """Long-running tasks that finished, and any task that panicked; `interrupted` is the ordinary end of a node that stops."""
    ended = [labels for labels, value in found if value > 0 and _is_wrong(labels.get("task_name", ""), labels.get("reason"))]
    names = sorted({labels.get("task_name", "?") for labels in ended}) if ended else ()
    seen["tasks_ended"] = tuple([one_line(task, _NAME_LENGTH) for task in names[:_MOST_TASKS]])


@lru_cache(maxsize=1024)
def _is_wrong(name: str, reason: str | None) -> bool:
    task = name.replace("_", "-")
    return reason == "panic" or (reason == "finished" and (task in LONG_RUNNING_TASKS or task.endswith("-subsystem")))


_OTHERS = (
    (_BUILD, _add_build),
    (_START, _add_start),
    (_CHANNEL, _add_channel),
    (_APPROVALS, _add_approvals),
    (_DISCOVERY, _add_discovery),
    (_ENDED, _add_tasks),
)


def _applies(validator: Validator, settings: Settings) -> bool:
    return validator.metrics_url is not None and settings.prometheus.url is None


@source("metrics", every="collect", applies=_applies, gives=GIVES)
async def metrics(validator: Validator, node: Any) -> dict[str, Any]:
    """The node's own metrics page."""
    seen = observe(await node.metrics(validator, NAMES))
    if not seen:
        raise SourceError("unreadable", "the page holds no metric of a Substrate node; does metrics_url point at another exporter?")
    return seen
