"""What the host gives the node: processors, memory, open files, and the right time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gizzi import UNKNOWN, Answer, rule

if TYPE_CHECKING:
    from gizzi.fleet.view import ChainView, ValidatorView

_GIGABYTE = 1e9


@rule("cpu_high", severity="medium", hold="10m", needs=("cpu_ratio",))
def cpu_high(v: ValidatorView, fleet: ChainView, *, above: float = 0.95) -> Answer:
    """All processors of its host are busy all the time: blocks and votes come late."""
    busy = v.cpu_ratio
    if busy is None:
        return UNKNOWN
    return f"the processors are {busy:.0%} busy (more than {above:.0%})" if busy > above else None


@rule("memory_high", severity="high", hold="5m", needs=("memory_available_bytes",))
def memory_high(v: ValidatorView, fleet: ChainView, *, below: float = 0.05) -> Answer:
    """Almost no memory is left on its host: the kernel may kill the node at any moment, with its database open."""
    free, size = v.memory_available_bytes, v.memory_size_bytes
    if free is None or not size:
        return UNKNOWN
    if free >= below * size:
        return None
    return f"{free / size:.1%} of {size / _GIGABYTE:.0f} GB of memory is available (less than {below:.0%})"


@rule("fds_high", severity="medium", hold="5m", needs=("fds_open", "host_fds_open"), optional=True)
def fds_high(v: ValidatorView, fleet: ChainView, *, above: int = 10_000, host_above: int = 100_000) -> Answer:
    """The node, or its whole host, has very many files and connections open: soon it can open no more, and peers and database fail."""
    process, host = v.fds_open, v.host_fds_open
    if process is not None and process > above:
        return f"the node has {process} files open (more than {above})"
    if host is not None and host > host_above:
        return f"its host has {host} files open (more than {host_above})"
    return UNKNOWN if process is None and host is None else None


@rule("clock_drift", severity="medium", hold="5m", needs=("clock_offset_s",), optional=True)
def clock_drift(v: ValidatorView, fleet: ChainView, *, above_s: float = 0.5) -> Answer:
    """Its host's clock is wrong: it misses its slots, and its blocks are refused. Check chrony or systemd-timesyncd."""
    offset_s = v.clock_offset_s
    if offset_s is None:
        return UNKNOWN
    if -above_s <= offset_s <= above_s:
        return None
    return f"its clock is {abs(offset_s):.2f} s off (more than {above_s:g} s)"
