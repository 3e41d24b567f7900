from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gizzi.config import Settings, Validator
from gizzi.errors import SourceError
from gizzi.reach.http import HttpClient
from gizzi.sources import metrics
from gizzi.sources import prometheus as source
from tools.pages import node_page, serving
from tools.prometheus import node_exporter as real_node_exporter
from tools.prometheus import prometheus as real_prometheus
from tools.prometheus import static_job

Rows = list[dict[str, Any]]


def row(metric: str, value: float, **labels: str) -> dict[str, Any]:
    return {"metric": ({"__name__": metric} if metric else {}) | labels, "value": [1732300000.0, str(value)]}


def node(instance: str, height: int, *, up: float = 1, age_s: float = 3, job: str = "nodes", **labels: str) -> tuple[Rows, Rows]:
    """What the server says of one target: its rows, and its age."""
    own = {"instance": instance, "job": job, **labels}
    rows = [row("up", up, **own)]
    if up:
        rows.append(row("substrate_block_height", height, status="best", chain="flare", **own))
    return rows, [row("", age_s, **own)]


class FakeHttp:
    """Answers each query with the rows it was given, and remembers what it was asked."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    async def get_json(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        query = (params or {})["query"]
        self.asked.append((url, query))
        answer = self.answers.get(query, [])
        if isinstance(answer, Exception):
            raise answer
        return {"status": "success", "data": {"resultType": "vector", "result": answer}} if isinstance(answer, list) else answer

    async def get(self, url: str) -> bytes:
        raise AssertionError("a fleet is read by queries")


def settings(url: str = "http://prometheus.example:9090") -> Settings:
    return Settings.model_validate({"prometheus": {"url": url}})


def validator(number: int, **keys: Any) -> Validator:
    return Validator.model_validate({"number": number, **keys})


async def read(
    validators: Sequence[Validator], *targets: tuple[Rows, Rows], memory: dict[str, Any] | None = None
) -> dict[int, dict[str, Any]]:
    http = FakeHttp({source.NODES: [r for rows, _ in targets for r in rows], source.AGES: [r for _, ages in targets for r in ages]})
    return await source.prometheus(validators, http, settings(), {} if memory is None else memory)


async def heights(validators: Sequence[Validator], *targets: tuple[Rows, Rows]) -> dict[int, Any]:
    return {number: seen.get("block_height") for number, seen in (await read(validators, *targets)).items()}


SIX = validator(6, metrics_url="http://10.0.0.6:9615/metrics")
SEVEN = validator(7, host="validator-7.example")


async def test_series_become_observations_of_their_validators() -> None:
    seen = await read([SIX, SEVEN], node("10.0.0.6:9615", 100), node("validator-7.example:9615", 101), node("10.0.0.99:9615", 555))
    assert seen == {
        6: {"metrics_up": True, "sample_age_s": 3.0, "block_height": 100},
        7: {"metrics_up": True, "sample_age_s": 3.0, "block_height": 101},
    }


async def test_the_queries_are_as_many_for_a_thousand_as_for_one() -> None:
    many = [validator(n, metrics_url=f"http://10.{n // 250}.0.{n % 250}:9615/metrics") for n in range(1000)]
    for fleet in (many[:1], many):
        http = FakeHttp({})
        assert await source.prometheus(fleet, http, settings("http://p.example:9090/base/"), {}) == {}
        assert len(http.asked) == 2
        assert {url for url, _ in http.asked} == {"http://p.example:9090/base/api/v1/query"}
        http = FakeHttp({})
        assert await source.prometheus_slow(fleet, http, settings()) == {}
        assert len(http.asked) == 6


async def test_a_target_that_is_down_says_so_and_nothing_else() -> None:
    assert await read([SIX], node("10.0.0.6:9615", 0, up=0)) == {6: {"metrics_up": False}}


async def test_the_last_value_of_a_dead_target_is_not_believed() -> None:
    rows, ages = node("10.0.0.6:9615", 100)
    rows[0] = row("up", 0, instance="10.0.0.6:9615", job="nodes")
    assert await read([SIX], (rows, ages)) == {6: {"metrics_up": False}}


async def test_what_nobody_scrapes_any_more_is_unknown() -> None:
    old = source.MAX_AGE_S + 1
    assert await read([SIX], node("10.0.0.6:9615", 100, age_s=old)) == {6: {}}
    assert await read([SIX], node("10.0.0.6:9615", 100, up=0, age_s=old)) == {6: {}}
    assert await read([SIX], node("10.0.0.6:9615", 100, age_s=float("nan"))) == {6: {}}
    assert await read([SIX], (node("10.0.0.6:9615", 100)[0], [])) == {6: {}}


async def test_a_page_of_another_exporter_tells_nothing() -> None:
    rows, ages = node("10.0.0.6:9615", 100)
    assert await read([SIX], (rows[:1], ages)) == {6: {}}


async def test_of_two_targets_one_is_believed_and_always_the_same() -> None:
    pair = [node("10.0.0.6:9615", 100, job="a", age_s=9), node("10.0.0.6:9615", 102, job="b", age_s=2)]
    assert await heights([SIX], *pair) == await heights([SIX], *reversed(pair)) == {6: 100}
    stale = [node("10.0.0.6:9615", 100, job="a", age_s=90), node("10.0.0.6:9615", 102, job="b", age_s=2)]
    assert await heights([SIX], *stale) == await heights([SIX], *reversed(stale)) == {6: 102}
    half = [node("10.0.0.6:9615", 0, job="a", up=0), node("10.0.0.6:9615", 102, job="b")]
    assert await heights([SIX], *half) == {6: 102}


async def test_replicas_of_one_job_are_kept_apart() -> None:
    pair = [node("10.0.0.6:9615", 100, replica="x"), node("10.0.0.6:9615", 102, replica="y", up=0)]
    assert await heights([SIX], *pair) == {6: 100}


async def test_a_validators_label_names_its_instance() -> None:
    six = validator(6, metrics_url="http://127.0.0.1:19615/metrics", labels={"instance": "runtime-dev01-a"})
    assert await heights([six], node("runtime-dev01-a", 100), node("127.0.0.1:19615", 7)) == {6: 100}


async def test_two_validators_on_one_host_differ_by_their_ports() -> None:
    six = validator(6, host="h.example", metrics_url="http://h.example:9616/metrics")
    seven = validator(7, host="h.example", metrics_url="http://h.example:9615/metrics")
    assert await heights([six, seven], node("h.example:9615", 107), node("h.example:9616", 106), node("h.example", 1)) == {6: 106, 7: 107}


async def test_the_surest_address_of_a_validator_is_the_one_that_counts() -> None:
    six = validator(6, host="h.example", metrics_url="http://10.0.0.6:9616/metrics")
    assert await heights([six], node("h.example:9616", 7), node("10.0.0.6:9616", 106)) == {6: 106}
    assert await heights([six], node("h.example:9616", 106)) == {6: 106}
    assert await heights([six], node("h.example:9615", 7)) == {}


async def test_what_two_validators_claim_alike_is_nobodys() -> None:
    assert await read([validator(6, host="h.example"), validator(7, host="h.example")], node("h.example:9615", 100)) == {}


async def test_capital_letters_in_an_instance_do_not_matter() -> None:
    assert await heights([SEVEN], node("Validator-7.Example:9615", 100)) == {7: 100}


async def test_labels_name_a_validator_where_its_instance_does_not() -> None:
    assert await heights([validator(6)], node("pod-a:9615", 100, validator="6"), node("pod-b:9615", 7)) == {6: 100}
    assert await heights([validator(6, name="alice")], node("pod-a:9615", 100, name="alice")) == {6: 100}


async def test_by_labels_only_a_job_that_scrapes_nodes_counts() -> None:
    machine = (
        [row("up", 0, instance="pod-a:9100", job="machines", validator="6")],
        [row("", 1, instance="pod-a:9100", job="machines", validator="6")],
    )
    memory: dict[str, Any] = {}
    assert await read([validator(6)], machine, memory=memory) == {}
    assert 6 in await read([validator(6)], machine, node("pod-a:9615", 100, validator="6"), memory=memory)
    assert await read([validator(6)], machine, node("pod-a:9615", 0, up=0, validator="6"), memory=memory) == {6: {"metrics_up": False}}


async def test_a_page_cannot_speak_for_another_validator() -> None:
    """`name` of the build info is the page's own word."""
    rows, ages = node("10.0.0.99:9615", 555)
    rows.append(row("substrate_build_info", 1, name="validator-6", version="6.6.6", instance="10.0.0.99:9615", job="nodes"))
    assert await read([SIX], node("10.0.0.6:9615", 100), (rows, ages)) == {
        6: {"metrics_up": True, "sample_age_s": 3.0, "block_height": 100}
    }


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (SourceError("refused", "no connection to p.example:9090"), "refused", "no connection"),
        ({"status": "error", "error": "parse\nerror"}, "unreadable", "is an error: parse error"),
        ({"status": "success", "data": {}}, "unreadable", "holds no instant vector"),
        (7, "unreadable", "is no JSON object"),
    ],
)
async def test_a_server_that_cannot_be_read_is_one_line_that_names_the_key(answer: Any, kind: str, says: str) -> None:
    http = FakeHttp({source.NODES: answer})
    with pytest.raises(SourceError) as raised:
        await source.prometheus([SIX], http, settings("http://user:secret@p.example:9090"), {})
    text = str(raised.value)
    assert raised.value.kind == kind
    assert text.startswith("[prometheus] url http://p.example:9090: ")
    assert says in text
    assert "\n" not in text
    assert "secret" not in text


def test_heavy_families_are_among_the_wanted_ones() -> None:
    assert source.HEAVY < metrics.NAMES
    assert not any(name in source.NODES for name in source.HEAVY)


async def slowly(
    validators: Sequence[Validator], hosts: Rows, *, cpu: Rows | None = None, up: Rows | None = None
) -> dict[int, dict[str, Any]]:
    places = {(r["metric"]["instance"], r["metric"]["job"]) for r in hosts}
    answers = {
        source.UP: up or [row("up", 1, instance=instance, job=job) for instance, job in sorted(places)],
        source.AGES: [row("", 3, instance=instance, job=job) for instance, job in sorted(places)],
        source._hosts_query(validators): hosts,
        source.CPU_RATIO: cpu or [],
    }
    return await source.prometheus_slow(validators, FakeHttp(answers), settings())


def machine(instance: str, free: float = 40e9) -> Rows:
    own = {"instance": instance, "job": "machines"}
    return [
        row("node_filesystem_avail_bytes", free, mountpoint="/", device="/dev/sda1", **own),
        row("node_filesystem_size_bytes", 100e9, mountpoint="/", device="/dev/sda1", **own),
        row("node_memory_MemAvailable_bytes", 8e9, **own),
        row("node_filefd_allocated", 5000, **own),
    ]


async def test_a_hosts_exporter_belongs_to_the_validators_on_it() -> None:
    both = [SIX, validator(8, metrics_url="http://10.0.0.6:9616/metrics")]
    cpu = [row("", 0.25, instance="10.0.0.6:9100", job="machines")]
    expected = {"disk_free_bytes": 40e9, "disk_size_bytes": 100e9, "memory_available_bytes": 8e9, "host_fds_open": 5000, "cpu_ratio": 0.25}
    assert await slowly(both, machine("10.0.0.6:9100"), cpu=cpu) == {6: expected, 8: expected}


async def test_where_the_host_is_not_sure_nothing_is_observed() -> None:
    assert await slowly([SIX], machine("10.0.0.6:9100") + machine("10.0.0.6:9101")) == {}
    assert await slowly([SIX], machine("10.0.0.7:9100")) == {}
    assert await slowly([validator(6, metrics_url="http://127.0.0.1:19615/metrics")], machine("127.0.0.1:9100")) == {}
    assert await slowly([SIX.model_copy(update={"node_exporter_url": "http://10.0.0.6:9100/metrics"})], machine("10.0.0.6:9100")) == {}
    assert await slowly([SIX], machine("10.0.0.6:9100"), up=[row("up", 0, instance="10.0.0.6:9100", job="machines")]) == {}


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 30.0) -> None:
    for _ in range(round(within_s * 10)):
        if await condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not within {within_s} s")


@pytest.mark.real
async def test_a_real_prometheus(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Three nodes; one dies: its height, which the server still remembers, is not given again."""
    async with serving() as pages:
        for n in (1, 2, 3):
            pages.by_path[f"/{n}/metrics"] = node_page(100 + n, 90 + n, name=f"node {n}")
        jobs = [
            {
                "job_name": "nodes",
                "static_configs": [
                    {"targets": [pages.address], "labels": {"instance": f"10.0.0.{n}:9615", "__metrics_path__": f"/{n}/metrics"}}
                    for n in (1, 2, 3)
                ],
            }
        ]
        fleet = [validator(n, metrics_url=f"http://10.0.0.{n}:9615/metrics") for n in (1, 2, 3)]
        http = HttpClient(5.0)
        memory: dict[str, Any] = {}
        async with real_prometheus(tmp_path, free_port(), jobs) as url:

            async def look() -> dict[int, dict[str, Any]]:
                return await source.prometheus(fleet, http, settings(url), memory)

            async def all_seen() -> bool:
                return len([seen for seen in (await look()).values() if "block_height" in seen]) == 3

            async def third_is_down() -> bool:
                seen = await look()
                return seen[3].get("metrics_up") is False and seen[1]["block_height"] == 201

            await until(all_seen)
            seen = await look()
            assert 0 <= seen[1].pop("sample_age_s") < 10
            assert seen[1] == {
                "metrics_up": True,
                "block_height": 101,
                "finalized_height": 91,
                "peers": 21,
                "node_roles": 4,
                "version": "1.2.3",
                "node_name": "node 1",
            }
            slow = await source.prometheus_slow(fleet, http, settings(url))
            assert slow[1] == {"channel_max_size": 300, "channel_max_name": "mpsc_network", "tasks_ended": ()}

            del pages.by_path["/3/metrics"]
            pages.by_path["/1/metrics"] = node_page(201, 191).replace('"informant",chain="flare"} 0', '"informant",chain="flare"} 1')
            await until(third_is_down)
            seen = await look()
            assert seen[3] == {"metrics_up": False}
            slow = await source.prometheus_slow(fleet, http, settings(url))
            assert slow[1]["tasks_ended"] == ("informant",)
            assert slow[3] == {}
        with pytest.raises(SourceError) as raised:
            await look()
        assert raised.value.kind == "refused"
        assert str(raised.value).startswith(f"[prometheus] url {url}: ")
        await http.close()


@pytest.mark.real
async def test_a_real_node_exporter_through_a_real_prometheus(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    fleet = [SIX]
    http = HttpClient(5.0)
    async with real_node_exporter(tmp_path, port):
        jobs = [static_job("machines", f"127.0.0.1:{port}", instance="10.0.0.6:9100")]
        async with real_prometheus(tmp_path, free_port(), jobs) as url:

            async def cpu_seen() -> bool:
                return "cpu_ratio" in (await source.prometheus_slow(fleet, http, settings(url))).get(6, {})

            await until(cpu_seen)
            seen = (await source.prometheus_slow(fleet, http, settings(url)))[6]
    await http.close()
    assert 0 <= seen["cpu_ratio"] <= 1
    assert 0 < seen["memory_available_bytes"] < seen["memory_size_bytes"]
    assert seen["host_fds_open"] > 0
