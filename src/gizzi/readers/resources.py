"""What a Linux host says of its disk, memory, processors and open files: the commands, and their output as values."""

from __future__ import annotations

import re

CPU_AND_MEMORY_COMMAND = ("head", "-n", "3", "/proc/stat", "/proc/meminfo")
"""What matters stands in the first three lines of both."""

MIN_TICKS = 100
"""One second of one processor."""
MAX_CHARS = 20_000
_BIGGEST = 2**63
_NUMBER = re.compile(r"[0-9]{1,20}")
_CPU = re.compile(r"^cpu +([0-9 ]{7,400})$", re.MULTILINE)
_MEMORY = re.compile(r"^(MemTotal|MemAvailable): +([0-9]{1,16}) kB$", re.MULTILINE)


class UnreadableResource(ValueError):
    """The text is not what the command prints; the text says why."""


def disk_command(folder: str) -> list[str]:
    """Size and free space of the file system that holds `folder`."""
    return ["df", "--block-size=1", "--output=size,avail", "--", folder]


def fds_command(pid: int) -> list[str]:
    """The size of a process's fd folder: since Linux 6.2 the number of its open files, and readable by everybody; 0 before."""
    return ["stat", "--format=%s", f"/proc/{pid}/fd"]


def fds_list_command(pid: int) -> list[str]:
    """The open files one by one, for older kernels; only the process's own account may."""
    return ["ls", "-U", f"/proc/{pid}/fd"]


def disk(text: str) -> tuple[int, int]:
    """(size, free) in bytes. Raises UnreadableResource."""
    lines = text[:MAX_CHARS].split("\n")
    numbers = [line.split() for line in lines[1:] if line.strip()]
    if len(numbers) != 1 or len(numbers[0]) != 2 or not all(map(_NUMBER.fullmatch, numbers[0])):
        raise UnreadableResource("df did not print one size and one free space")
    size, free = (int(number) for number in numbers[0])
    if not 0 < size < _BIGGEST or free > size:
        raise UnreadableResource("df printed a size or a free space that cannot be")
    return size, free


def memory(text: str) -> tuple[int, int]:
    """(size, available) in bytes. Raises UnreadableResource."""
    found = dict(_MEMORY.findall(text[:MAX_CHARS]))
    if len(found) != 2:
        raise UnreadableResource("/proc/meminfo has no MemTotal and MemAvailable")
    size, available = int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024
    if not 0 < size < _BIGGEST or available > size:
        raise UnreadableResource("/proc/meminfo has a size that cannot be")
    return size, available


def cpu_times(text: str) -> tuple[int, int]:
    """(busy, all) ticks of all processors since the boot. Waiting for a disk is not busy. Raises UnreadableResource.

    The columns of /proc/stat: user nice system idle iowait irq softirq steal; what follows is counted in user already.
    """
    match = _CPU.search(text[:MAX_CHARS])
    columns = [int(number) for number in match[1].split()][:8] if match else []
    if len(columns) < 4 or max(columns) >= _BIGGEST:
        raise UnreadableResource("/proc/stat has no line of processor times")
    return sum(columns) - sum(columns[3:5]), sum(columns)


def cpu_ratio(before: tuple[int, int], after: tuple[int, int]) -> float | None:
    """Busy share of all processors between two readings, 0 to 1; None where they are too close or time ran backwards (a boot)."""
    busy, total = after[0] - before[0], after[1] - before[1]
    return min(1.0, busy / total) if total >= MIN_TICKS and busy >= 0 else None


def fds(text: str) -> int | None:
    """Open files by `fds_command`; None where the kernel does not count them. Raises UnreadableResource."""
    text = text[:MAX_CHARS].strip()
    if not _NUMBER.fullmatch(text) or int(text) >= _BIGGEST:
        raise UnreadableResource("stat printed no size")
    return int(text) or None


def fds_listed(text: str) -> int | None:
    """Open files by `fds_list_command`; None where it lists none."""
    return sum(1 for line in text.split("\n") if _NUMBER.fullmatch(line)) or None
