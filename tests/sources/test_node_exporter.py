from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.config import Validator
from gizzi.errors import SourceError
from gizzi.reach.http import HttpClient
from gizzi.sources.node_exporter import GIVES, directories_above, node_exporter, observe
from tools.prometheus import node_exporter as real_node_exporter


class FakeHttp:
    def __init__(self, *pages: str) -> None:
        self.pages = list(pages)

    async def get(self, url: str) -> bytes:
        return self.pages.pop(0).encode()

    async def get_json(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        raise AssertionError("it has a page")


def validator(data_dir: str = "/data/flare", url: str = "http://10.0.0.6:9100/metrics") -> Validator:
    return Validator(number=6, node_exporter_url=url, data_dir=data_dir)


async def read(*pages: str, data_dir: str = "/data/flare") -> dict[str, Any]:
    """What the last of the pages tells."""
    http, memory, seen = FakeHttp(*pages), {}, {}
    for _ in pages:
        seen = await node_exporter(validator(data_dir), http, memory)
    return seen


def file_system(mountpoint: str, free: float, size: float, **labels: str) -> str:
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    return (
        f'node_filesystem_avail_bytes{{mountpoint="{mountpoint}"{more}}} {free}\n'
        f'node_filesystem_size_bytes{{mountpoint="{mountpoint}"{more}}} {size}\n'
    )


def cpu(idle: float, user: float, iowait: float = 0) -> str:
    return "".join(
        f'node_cpu_seconds_total{{cpu="{n}",mode="{mode}"}} {value}\n'
        for n in (0, 1)
        for mode, value in (("idle", idle), ("user", user), ("iowait", iowait))
    )


async def test_a_page_becomes_observations() -> None:
    page = (
        file_system("/", 10e9, 50e9)
        + file_system("/data", 4.5e11, 1e12)
        + "node_memory_MemAvailable_bytes 8.1e+09\nnode_memory_MemTotal_bytes 1.6e+10\n"
        + "node_filefd_allocated 5000\nnode_timex_offset_seconds -0.0025\nnode_timex_sync_status 1\n"
    )
    assert await read(page) == {
        "disk_free_bytes": 450_000_000_000,
        "disk_size_bytes": 1_000_000_000_000,
        "memory_available_bytes": 8_100_000_000,
        "memory_size_bytes": 16_000_000_000,
        "host_fds_open": 5000,
        "clock_offset_s": -0.0025,
    }


@pytest.mark.parametrize(
    ("data_dir", "free"),
    [
        ("/data", 2),
        ("/data/flare/db", 3),
        ("/data/flare-old", 2),
        ("/database", 1),
        ("/", 1),
        ("/data/flare/", 3),
        ("data/../srv", 1),
        ("//data", 2),
    ],
)
async def test_the_disk_is_the_nearest_one_above_the_database(data_dir: str, free: int) -> None:
    page = file_system("/", 1, 10) + file_system("/data", 2, 10) + file_system("/data/flare", 3, 10) + file_system("/dat", 4, 10)
    assert (await read(page, data_dir=data_dir))["disk_free_bytes"] == free


@pytest.mark.parametrize(
    "page",
    [
        file_system("/data", float("nan"), 10),
        file_system("/data", 5, float("inf")),
        file_system("/data", -1, 10),
        file_system("/data", 11, 10),
        file_system("/data", 0, 0),
        'node_filesystem_size_bytes{mountpoint="/data"} 10\n',
        file_system("/data", 5, 10, device="a") + file_system("/data", 6, 10, device="b"),
        file_system("/other", 5, 10),
    ],
)
async def test_a_disk_that_is_not_sure_is_not_observed(page: str) -> None:
    """Nor is another one taken for it, such as the root file system for a database's own that cannot be read."""
    root = file_system("/", 7, 10) if "/data" in page else ""
    assert "disk_free_bytes" not in await read(page + root + "node_filefd_allocated 1\n")


async def test_a_disk_that_node_exporter_leaves_out_by_default_is_not_taken_for_the_root() -> None:
    root, own = file_system("/", 1, 10), file_system("/mnt/nvme", 2, 10)
    assert "disk_free_bytes" not in await read(root, data_dir="/mnt/nvme/db")
    assert (await read(root + own, data_dir="/mnt/nvme/db"))["disk_free_bytes"] == 2


async def test_one_file_system_seen_twice_is_one() -> None:
    page = file_system("/data", 5, 10, device="a") + file_system("/data", 5, 10, device="b") + file_system("/data", 1, 2, fstype="rootfs")
    assert (await read(page))["disk_free_bytes"] == 5


async def test_cpu_takes_two_looks() -> None:
    assert "cpu_ratio" not in await read(cpu(1000, 10) + "node_filefd_allocated 1\n")
    assert (await read(cpu(1000, 10), cpu(1015, 15)))["cpu_ratio"] == 0.25
    assert (await read(cpu(1000, 10, 5), cpu(1005, 15, 15)))["cpu_ratio"] == 0.25


async def test_after_a_restart_of_the_host_cpu_begins_anew() -> None:
    more = "node_filefd_allocated 1\n"
    assert "cpu_ratio" not in await read(cpu(1000, 10) + more, cpu(5, 1) + more)
    assert (await read(cpu(1000, 10) + more, cpu(5, 1) + more, cpu(6, 2) + more))["cpu_ratio"] == 0.5
    assert "cpu_ratio" not in await read(cpu(1000, 10) + more, cpu(1000, 10) + more)


@pytest.mark.parametrize("sync", ["", "node_timex_sync_status 0\n"])
async def test_the_offset_of_a_clock_that_nobody_sets_says_nothing(sync: str) -> None:
    assert await read(f"node_timex_offset_seconds 0\nnode_filefd_allocated 1\n{sync}") == {"host_fds_open": 1}


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("<html>no</html>", "is HTML or XML, not metrics"),
        ("", "is empty"),
        ("substrate_block_height 1\n", "holds no metric of node_exporter"),
    ],
)
async def test_another_page_is_one_line_that_names_the_validator(page: str, says: str) -> None:
    with pytest.raises(SourceError) as raised:
        await read(page)
    assert raised.value.kind == "unreadable"
    assert "validator 6" in str(raised.value)
    assert says in str(raised.value)


NUMBERS = st.floats() | st.integers(-(2**70), 2**70).map(float)


@given(
    st.dictionaries(
        st.sampled_from(
            ["node_filesystem_avail_bytes", "node_filesystem_size_bytes", "node_filefd_allocated", "node_timex_offset_seconds"]
        ),
        st.lists(
            st.tuples(st.dictionaries(st.sampled_from(["mountpoint", "fstype"]), st.sampled_from(["/", "/data", "", "x"])), NUMBERS),
            min_size=1,
            max_size=4,
        ),
    ),
    st.text(max_size=20),
)
def test_whatever_the_samples_are(samples: dict[str, list[tuple[dict[str, str], float]]], data_dir: str) -> None:
    seen = observe(samples, data_dir)
    assert set(seen) <= set(GIVES)
    assert all(abs(value) < 2**63 for value in seen.values())


@given(st.text(max_size=40))
def test_the_directories_above_end_at_the_root(path: str) -> None:
    assert directories_above(path)[-1] == "/"


@pytest.mark.real
async def test_a_real_node_exporter(tmp_path: Path, free_port: Callable[[], int]) -> None:
    http = HttpClient(5.0)
    memory: dict[str, Any] = {}
    async with real_node_exporter(tmp_path, free_port()) as url:
        page = (await http.get(url)).decode()
        mountpoints = [
            line.split('mountpoint="')[1].split('"')[0] for line in page.splitlines() if line.startswith("node_filesystem_avail_bytes{")
        ]
        here = validator(data_dir=f"{mountpoints[0]}/db" if mountpoints else "/", url=url)
        await node_exporter(here, http, memory)
        await asyncio.sleep(1.0)
        seen = await node_exporter(here, http, memory)
    await http.close()
    assert 0 <= seen["cpu_ratio"] <= 1
    assert 0 < seen["memory_available_bytes"] < seen["memory_size_bytes"]
    assert seen["host_fds_open"] > 0
    if mountpoints:
        assert 0 <= seen["disk_free_bytes"] <= seen["disk_size_bytes"]
