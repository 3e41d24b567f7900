"""Disk, memory, processors and open files, as a Linux host prints them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.readers import resources
from gizzi.readers.resources import UnreadableResource

DF = "     1B-blocks        Avail\n 270553174016  83443527680\n"
HEAD = """\
==> /proc/stat <==
cpu  1023 11 2048 90000 500 0 7 3 0 0
cpu0 512 5 1024 45000 250 0 4 2 0 0
cpu1 511 6 1024 45000 250 0 3 1 0 0

==> /proc/meminfo <==
MemTotal:       24684084 kB
MemFree:        22999304 kB
MemAvailable:   23005804 kB
"""


def test_a_disk() -> None:
    assert resources.disk(DF) == (270553174016, 83443527680)


@pytest.mark.parametrize(
    "text",
    [
        "",
        DF.splitlines()[0],
        DF + "1 2\n",
        "x\n1 2 3\n",
        "x\n1e9 5\n",
        "x\n-1 5\n",
        "x\n10 11\n",
        "x\n0 0\n",
        "x\n" + "9" * 19 + " 1\n",
        "x\n- -\n",
    ],
)
def test_what_df_does_not_print(text: str) -> None:
    with pytest.raises(UnreadableResource):
        resources.disk(text)


def test_memory() -> None:
    assert resources.memory(HEAD) == (24684084 * 1024, 23005804 * 1024)


@pytest.mark.parametrize("text", ["", "MemTotal: 5 kB\n", "MemTotal: 5 kB\nMemAvailable: 6 kB\n", "MemTotal: x kB\nMemAvailable: 6 kB\n"])
def test_what_meminfo_does_not_say(text: str) -> None:
    with pytest.raises(UnreadableResource):
        resources.memory(text)


def test_waiting_for_a_disk_is_not_busy() -> None:
    assert resources.cpu_times(HEAD) == (1023 + 11 + 2048 + 7 + 3, 1023 + 11 + 2048 + 90000 + 500 + 7 + 3)


@pytest.mark.parametrize("text", ["", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  1 2 3\n", "cpu  a b c d e\n", "cpu  " + "9" * 30 + " 1 1 1\n"])
def test_what_is_no_line_of_processor_times(text: str) -> None:
    with pytest.raises(UnreadableResource):
        resources.cpu_times(text)


@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        ((0, 0), (50, 200), 0.25),
        ((100, 1000), (400, 1300), 1.0),
        ((100, 1000), (100, 1000), None),
        ((100, 1000), (105, 1010), None),  # too close to say
        ((100, 1000), (5, 20), None),  # the host was started anew
        ((100, 1000), (90, 1200), None),
    ],
)
def test_the_busy_share_between_two_readings(before: tuple[int, int], after: tuple[int, int], ratio: float | None) -> None:
    assert resources.cpu_ratio(before, after) == ratio


def test_open_files() -> None:
    assert resources.fds("312\n") == 312
    assert resources.fds("0\n") is None  # a kernel before 6.2
    assert resources.fds_listed("0\n1\n2\n10\n") == 4
    assert resources.fds_listed("") is None
    with pytest.raises(UnreadableResource):
        resources.fds("stat: cannot statx")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_machine(tmp_path: Path) -> None:
    def run(command: list[str] | tuple[str, ...]) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    size, free = resources.disk(run(resources.disk_command(str(tmp_path))))
    assert size == os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize
    assert 0 <= free <= size
    text = run(resources.CPU_AND_MEMORY_COMMAND)
    assert resources.memory(text)[0] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    busy, total = resources.cpu_times(text)
    assert 0 < busy < total
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        listed = resources.fds_listed(run(resources.fds_list_command(sleeping.pid)))
        counted = resources.fds(run(resources.fds_command(sleeping.pid)))
        sleeping.kill()
    assert listed == 3
    assert counted in (None, 3)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (resources.disk, resources.memory, resources.cpu_times, resources.fds, resources.fds_listed):
        try:
            read(text)
        except UnreadableResource:
            continue
