from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.config import Settings, Validator
from gizzi.engine.discover import Answers, discover, validators_of
from gizzi.errors import ConfigError, SourceError
from gizzi.reach.http import HttpClient
from gizzi.readers.promql import Target
from tools.pages import node_page, serving
from tools.prometheus import prometheus as real_prometheus
from tools.prometheus import static_job


def target(instance: str, *, url: str = "", job: str = "nodes", health: Any = "up", **labels: str) -> Target:
    return Target({"instance": instance, "job": job, **labels}, url or f"http://{instance}/metrics", job, health, "")


def height(instance: str, *, job: str = "nodes", chain: str = "flare") -> tuple[dict[str, str], float]:
    return {"instance": instance, "job": job, "chain": chain, "status": "best"}, 100.0


def of(instance: str, value: float = 1, **labels: str) -> tuple[dict[str, str], float]:
    return {"instance": instance, "job": "nodes", **labels}, value


def found(*instances: str, names: Mapping[str, str] | None = None, roles: Mapping[str, float] | None = None) -> tuple[Validator, ...]:
    builds = [of(instance, name=name) for instance, name in (names or {}).items()]
    role_rows = [of(instance, value) for instance, value in (roles or {}).items()]
    return validators_of(Answers([target(i) for i in instances], [height(i) for i in instances], builds, role_rows), "chain")


def numbers(*instances: str, names: Mapping[str, str] | None = None) -> dict[str, int]:
    return {str(v.metrics_url).removeprefix("http://").removesuffix("/metrics"): v.number for v in found(*instances, names=names)}


def test_a_target_becomes_a_validator() -> None:
    (six,) = found("validator-6.example:9615", names={"validator-6.example:9615": "runtime-dev01-a"}, roles={"validator-6.example:9615": 4})
    assert six == Validator(
        number=6,
        name="runtime-dev01-a",
        chain="flare",
        host="validator-6.example",
        metrics_url="http://validator-6.example:9615/metrics",
        authority=True,
    )


def test_roles_tell_who_votes() -> None:
    votes = {v.number: v.authority for v in found("v-1:9615", "v-2:9615", "v-3:9615", roles={"v-1:9615": 1, "v-2:9615": 4})}
    assert votes == {1: False, 2: True, 3: True}


@pytest.mark.parametrize(
    ("instances", "names", "expected"),
    [
        (["val-3.x:9615", "val-12.x:9615"], {}, {"val-3.x:9615": 3, "val-12.x:9615": 12}),
        (["val-003:9615"], {}, {"val-003:9615": 3}),
        (["10.0.0.7:9615", "10.0.0.5:9615"], {}, {"10.0.0.5:9615": 1, "10.0.0.7:9615": 2}),
        (
            ["10.0.0.7:9615", "10.0.0.5:9615"],
            {"10.0.0.7:9615": "Alice 1", "10.0.0.5:9615": "Bob 9"},
            {"10.0.0.7:9615": 1, "10.0.0.5:9615": 9},
        ),
        (["h:9615", "h:9616"], {"h:9615": "Bob", "h:9616": "Alice"}, {"h:9616": 1, "h:9615": 2}),
        (["a-1:9615", "b-1:9615", "c-2:9615", "d:9615"], {}, {"a-1:9615": 1, "b-1:9615": 3, "c-2:9615": 2, "d:9615": 4}),
        (["node-20261101:9615"], {}, {"node-20261101:9615": 1}),
    ],
)
def test_numbers(instances: list[str], names: dict[str, str], expected: dict[str, int]) -> None:
    assert numbers(*instances, names=names) == expected
    assert numbers(*reversed(instances), names=names) == expected


def test_only_targets_with_the_metric_are_validators() -> None:
    answers = Answers([target("v-1:9615"), target("v-1:9100", job="machines")], [height("v-1:9615"), height("gone-2:9615")])
    assert [v.metrics_url for v in validators_of(answers, "chain")] == ["http://v-1:9615/metrics"]


def test_a_node_that_died_long_ago_is_found_by_its_job() -> None:
    dead = [target("v-2:9615", health="down"), target("v-3:9615", health="unknown")]
    seen = validators_of(Answers([target("v-1:9615"), *dead], [height("v-1:9615")]), "chain")
    assert {v.number: v.chain for v in seen} == {1: "flare", 2: "flare", 3: "flare"}


def test_a_dead_target_of_a_mixed_job_is_not_taken_for_a_node() -> None:
    active = [target("v-1:9615"), target("web:80"), target("v-2:9615", health="down")]
    assert [v.number for v in validators_of(Answers(active, [height("v-1:9615")]), "chain")] == [1]


def test_a_dead_target_of_a_job_with_several_chains_is_on_none_of_them() -> None:
    active = [target("v-1:9615"), target("v-2:9615"), target("v-3:9615", health="down"), target("v-4:9615", health="down", chain="c")]
    seen = validators_of(Answers(active, [height("v-1:9615", chain="a"), height("v-2:9615", chain="b")]), "chain")
    assert [v.chain for v in seen] == ["a", "b", "main", "c"]


def test_one_page_in_two_jobs_is_one_validator() -> None:
    active = [target("v-1:9615"), target("v-1:9615", job="again")]
    assert len(validators_of(Answers(active, [height("v-1:9615"), height("v-1:9615", job="again")]), "chain")) == 1


@pytest.mark.parametrize("targets", [None, []])
def test_an_engine_without_targets(targets: list[Target] | None) -> None:
    seen = validators_of(Answers(targets, [height("v-6:9615"), height("just a name")]), "chain")
    assert [(v.number, v.metrics_url, v.labels) for v in seen] == [
        (1, None, {"instance": "just a name"}),
        (6, "http://v-6:9615/metrics", {}),
    ]


def test_two_targets_that_cannot_be_told_apart_are_one() -> None:
    active = [target("v-1:9615"), target("v-1:9615", url="http://other:9615/metrics")]
    assert [v.number for v in validators_of(Answers(active, [height("v-1:9615")]), "chain")] == [1]


def test_an_instance_that_is_not_the_address_is_kept_as_a_label() -> None:
    active = [target("runtime-dev01-a", url="http://127.0.0.1:19615/metrics")]
    (only,) = validators_of(Answers(active, [height("runtime-dev01-a")]), "chain")
    assert (only.labels, only.host, only.metrics_url) == ({"instance": "runtime-dev01-a"}, None, "http://127.0.0.1:19615/metrics")


def test_another_label_may_name_the_chain() -> None:
    active = [target("v-1:9615", network="etrid")]
    assert [v.chain for v in validators_of(Answers(active, [height("v-1:9615")]), "network")] == ["etrid"]
    assert [v.chain for v in validators_of(Answers([target("v-1:9615")], [height("v-1:9615")]), "network")] == ["main"]


@given(st.lists(st.tuples(st.text(max_size=15), st.text(max_size=300), st.text(max_size=10), st.floats()), max_size=6))
def test_hostile_labels(rows: list[tuple[str, str, str, float]]) -> None:
    """Whatever labels say, there are validators with numbers of their own, in settings that are valid."""
    answers = Answers(
        [target(instance, url=f"http://h:{n + 1}/", job=job) for n, (instance, _, job, _) in enumerate(rows)],
        [height(instance, job=job, chain=name) for instance, name, job, _ in rows],
        [of(instance, name=name) for instance, name, _, _ in rows],
        [of(instance, value) for instance, _, _, value in rows],
    )
    seen = validators_of(answers, "chain")
    Settings(validators=seen)
    assert len(seen) == len({(job, instance) for instance, _, job, _ in rows})
    assert all(v.name.isprintable() and len(v.name) <= 100 and v.chain.isprintable() and v.chain for v in seen)


def settings(url: str) -> Settings:
    return Settings.model_validate({"prometheus": {"url": url}})


@pytest.mark.real
async def test_a_real_prometheus(tmp_path: Path, free_port: Callable[[], int]) -> None:
    async with serving() as pages:
        pages.by_path["/1/metrics"] = node_page(100, 90, name="Alice 7")
        pages.by_path["/2/metrics"] = node_page(100, 90, name="Bob", roles=1)
        pages.by_path["/other/metrics"] = "other_metric 1\n"
        nodes = static_job("nodes", pages.address)
        nodes["static_configs"] = [
            {"targets": [pages.address], "labels": {"instance": f"node-{n}", "__metrics_path__": f"/{n}/metrics"}} for n in (1, 2, 3)
        ]
        other = {**static_job("other", pages.address), "metrics_path": "/other/metrics"}
        http = HttpClient(5.0)
        async with real_prometheus(tmp_path, free_port(), [nodes, other]) as url:
            with pytest.raises(ConfigError) as raised:
                await discover(Settings.model_validate({"prometheus": {"url": url, "match": "no_such_metric"}}), http)
            assert str(raised.value).startswith(f"[prometheus] url {url}: none of its targets has the metric 'no_such_metric'")
            for _ in range(100):
                try:
                    seen = await discover(settings(url), http)
                except ConfigError:
                    seen = ()
                if [v.name for v in seen] == ["Alice 7", "Bob", "validator-3"]:
                    break
                await asyncio.sleep(0.2)
            assert {v.number: (v.name, v.chain, v.authority, v.labels) for v in seen} == {
                1: ("Alice 7", "flare", True, {"instance": "node-1"}),
                2: ("Bob", "flare", False, {"instance": "node-2"}),
                3: ("validator-3", "flare", True, {"instance": "node-3"}),
            }
            assert seen[0].metrics_url == f"http://{pages.address}/1/metrics"
        with pytest.raises(SourceError) as refused:
            await discover(settings(url), http)
        assert str(refused.value).startswith(f"[prometheus] url {url}: ")
        await http.close()
