from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gizzi.config import Settings, Validator, parse
from gizzi.errors import SourceError
from gizzi.fleet.names import OBSERVATIONS
from gizzi.readers.exposition import Scanner
from gizzi.registry import Registry
from gizzi.sources import metrics as module
from gizzi.sources.metrics import GIVES, NAMES, metrics, observe

REAL_PAGE = Path(__file__).parents[3] / "shared/data/node-metrics.txt"
"""What a real relay-chain validator exported, all of it."""


def page(*lines: str) -> dict[str, Any]:
    return observe(Scanner(NAMES).scan("".join(f"{line}\n" for line in lines).encode()))


def test_the_names_are_substrate_s() -> None:
    seen = page(
        'substrate_block_height{status="best",chain="x"} 130',
        'substrate_block_height{chain="x",status="finalized"} 128',
        'substrate_block_height{status="sync_target"} 131',
        'substrate_sub_libp2p_peers_count{chain="x"} 21',
        'substrate_sub_libp2p_is_major_syncing{chain="x"} 0',
        'substrate_build_info{name="bob",version="1.1.0-9b6e241ab63",chain="x"} 1',
        'substrate_process_start_time_seconds{chain="x"} 1695903683',
        'substrate_proposer_block_constructed_count{chain="x"} 5',
        'polkadot_parachain_approvals_produced_total{status="success"} 7',
        'polkadot_parachain_approvals_produced_total{status="error"} 2',
        "polkadot_node_is_active_validator 1",
    )
    assert seen == {
        "block_height": 130,
        "finalized_height": 128,
        "sync_target": 131,
        "peers": 21,
        "syncing": False,
        "version": "1.1.0-9b6e241ab63",
        "node_name": "bob",
        "process_start_at": 1695903683.0,
        "blocks_constructed_total": 5,
        "approvals_produced_total": 7,
        "is_active_validator": True,
    }
    assert all(type(seen[name]) is int for name in ("block_height", "finalized_height", "peers"))


def test_older_spellings_are_read_and_substrate_s_own_win() -> None:
    older = ["substrate_block_height 9", "substrate_finalized_height 8", "substrate_peers_count 4"]
    assert page(*older) == {"block_height": 9, "finalized_height": 8, "peers": 4}
    newer = [
        'substrate_block_height{status="best"} 19',
        'substrate_block_height{status="finalized"} 18',
        "substrate_sub_libp2p_peers_count 14",
    ]
    assert page(*older[1:], *newer) == page(*newer, *older[1:]) == {"block_height": 19, "finalized_height": 18, "peers": 14}


@pytest.mark.parametrize("value", ["NaN", "1e999", "+Inf", "-Inf", "-1", "1e19"])
@pytest.mark.parametrize("name", sorted(NAMES - {module._ENDED, module._BUILD}))
def test_a_value_that_cannot_be_is_not_observed(name: str, value: str) -> None:
    seen = page(f'{name}{{status="success",name="value_found",entity="x"}} {value}', 'substrate_block_height{status="sync_target"} 5')
    expected: dict[str, Any] = {"sync_target": 5}
    if name == module._DISCOVERY:
        expected |= {"authority_discovery_found_total": 0, "authority_discovery_failed_total": 0}
    assert seen == expected


def test_a_flag_is_0_or_1() -> None:
    assert page("substrate_sub_libp2p_is_major_syncing 1") == {"syncing": True}
    assert page("substrate_sub_libp2p_is_major_syncing 0.5") == {}


def test_the_fullest_channel_is_named() -> None:
    sizes = {"mpsc_network_worker": 3, "mpsc_import_queue": 15001, "odd": math.nan, "full": math.inf}
    seen = page(*(f'substrate_unbounded_channel_size{{entity="{name}"}} {size}' for name, size in sizes.items()))
    assert seen == {"channel_max_size": 15001, "channel_max_name": "mpsc_import_queue"}
    assert page('substrate_unbounded_channel_len{action="send",entity="x"} 1000') == {}


def test_authority_discovery_counts_what_was_found_and_what_failed() -> None:
    event = "substrate_authority_discovery_dht_event_received"
    found, lost = f'{event}{{name="value_found"}} 10', f'{event}{{name="value_not_found"}} 30'
    unusable = "substrate_authority_discovery_handle_value_found_event_failure 4"
    names = ("authority_discovery_found_total", "authority_discovery_failed_total")
    assert page(found) == dict(zip(names, (10, 0), strict=True))
    assert page(found, lost) == dict(zip(names, (10, 30), strict=True))
    assert page(found, lost, unusable) == dict(zip(names, (6, 34), strict=True))
    assert page(unusable) == {}


def ended(task: str, reason: str, count: int = 1) -> str:
    return f'substrate_tasks_ended_total{{kind="async",reason="{reason}",task_group="default",task_name="{task}"}} {count}'


@pytest.mark.parametrize(
    ("task", "reason", "count", "is_reported"),
    [
        ("grandpa-voter", "finished", 1, True),
        ("grandpa-voter", "finished", 0, False),
        ("grandpa-voter", "interrupted", 1, False),
        ("block_request_handler", "finished", 1, True),
        ("approval-voting-subsystem", "finished", 1, True),
        ("basic-authorship-proposer", "finished", 1, False),
        ("basic-authorship-proposer", "panic", 1, True),
        ("libp2p-node", "finished", 8, False),
        ("substrate-rpc-subscription", "finished", 1, False),
        ("approval-checks", "finished", 1, False),
        ("recovery-task", "finished", 1, False),
        ("warm-up-trie-cache", "finished", 1, False),
        ("a-chain-s-own-task", "panic", 3, True),
    ],
)
def test_tasks_that_should_run_are_reported_when_they_end(task: str, reason: str, count: int, is_reported: bool) -> None:
    assert page(ended(task, reason, count)) == {"tasks_ended": (task,) if is_reported else ()}


def test_reported_tasks_are_few_short_and_in_order() -> None:
    seen = page(*(ended(f"task {n:03} " + "x" * 500, "panic") for n in range(100, 0, -1)))["tasks_ended"]
    assert len(seen) == 16
    assert seen[0].startswith("task 001 xxx")
    assert all(len(task) <= 100 for task in seen)


def test_texts_are_short_lines() -> None:
    seen = page('substrate_build_info{name="a\\nb\x1b[31m' + "c" * 500 + '",version=""} 1')
    assert seen["node_name"].startswith("a b [31mccc")
    assert len(seen["node_name"]) == 100
    assert "version" not in seen


@pytest.mark.skipif(not REAL_PAGE.exists(), reason="the real node's page is not beside this checkout")
def test_a_real_validator_s_page_gives_everything_and_reports_no_task() -> None:
    seen = observe(Scanner(NAMES).scan(REAL_PAGE.read_bytes()))
    assert seen.keys() == set(GIVES)
    assert seen["tasks_ended"] == ()
    assert (seen["block_height"], seen["finalized_height"], seen["peers"], seen["node_roles"]) == (13, 10, 2, 4)
    assert (seen["precommits_total"], seen["bitfields_signed_total"], seen["backing_statements_total"]) == (19, 14, 0)


LABELS = st.dictionaries(
    st.sampled_from(["status", "name", "entity", "reason", "task_name", "version", "chain"]), st.text(max_size=20), max_size=4
)


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), st.lists(st.tuples(LABELS, st.floats()), max_size=3)))
@example({"substrate_tasks_ended_total": [({}, 1.0), ({"reason": "panic"}, 1.0)]})
def test_no_samples_upset_it(samples: Any) -> None:
    for name, value in observe(samples).items():
        assert name in GIVES
        assert not isinstance(value, float) or math.isfinite(value)
        assert isinstance(value, bool) or not isinstance(value, int) or 0 <= value < 2**64


def test_everything_it_gives_has_a_meaning() -> None:
    assert set(GIVES) <= OBSERVATIONS.keys()


class OnePage:
    def __init__(self, *lines: str) -> None:
        self.text = "".join(f"{line}\n" for line in lines)

    async def metrics(self, validator: Validator, names: frozenset[str]) -> Any:
        return Scanner(names).scan(self.text.encode())


async def test_the_source_reads_the_page() -> None:
    assert await metrics(Validator(number=6), OnePage("substrate_sub_libp2p_peers_count 3")) == {"peers": 3}


async def test_another_exporter_s_page_is_unreadable() -> None:
    with pytest.raises(SourceError, match="no metric of a Substrate node") as caught:
        await metrics(Validator(number=6), OnePage("node_load1 0.5"))
    assert caught.value.kind == "unreadable"


def test_it_is_used_where_there_is_a_page_and_no_prometheus() -> None:
    registry = Registry()
    registry.add_module(module)
    found = registry.sources["metrics"]
    with_page, without = Validator(number=1, metrics_url="http://x:9615/metrics"), Validator(number=2)
    prometheus = parse({"prometheus": {"url": "http://x:9090"}}, "here")
    assert found.applies(with_page, Settings())
    assert not found.applies(without, Settings())
    assert not found.applies(with_page, prometheus)
