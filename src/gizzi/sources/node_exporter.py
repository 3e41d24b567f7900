"""A host's disk, memory, processors, descriptors and clock, as node_exporter's page tells them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from gizzi import Http, Samples, Settings, SourceError, Validator, source
from gizzi.readers.exposition import Scanner, UnreadablePage

Series = Sequence[tuple[Mapping[str, str], float]]

_FREE = "node_filesystem_avail_bytes"
_SIZE = "node_filesystem_size_bytes"
_CPU = "node_cpu_seconds_total"
_OFFSET = "node_timex_offset_seconds"
_SYNCHRONISED = "node_timex_sync_status"
_PLAIN = (
    ("node_memory_MemAvailable_bytes", "memory_available_bytes"),
    ("node_memory_MemTotal_bytes", "memory_size_bytes"),
    ("node_filefd_allocated", "host_fds_open"),
)

FILE_SYSTEM_NAMES = frozenset((_FREE, _SIZE))
PLAIN_NAMES = frozenset([name for name, _ in _PLAIN] + [_OFFSET, _SYNCHRONISED])
GIVES = (
    "disk_free_bytes",
    "disk_size_bytes",
    "memory_available_bytes",
    "memory_size_bytes",
    "host_fds_open",
    "clock_offset_s",
    "cpu_ratio",
)

_OFTEN_LEFT_OUT = ("/mnt", "/media", "/run", "/var/lib/docker", "/var/lib/containers/storage")
"""node_exporter's defaults (Debian's for the first two) leave out file systems mounted here; then the root's is not the database's."""

_IDLE_MODES = frozenset(("idle", "iowait"))
_LARGEST = 2.0**63


def observe(samples: Samples, data_dir: str) -> dict[str, Any]:
    """All but cpu_ratio, which takes two looks. The disk is the file system that holds `data_dir`."""
    seen: dict[str, Any] = {}
    for name, observation in _PLAIN:
        found = samples.get(name)
        if found and 0 <= found[0][1] < _LARGEST:
            seen[observation] = int(found[0][1])
    seen.update(_disk(samples.get(_FREE, ()), samples.get(_SIZE, ()), data_dir))
    offset, synchronised = samples.get(_OFFSET), samples.get(_SYNCHRONISED)
    # A kernel whose clock nobody disciplines reports an offset of 0, which says nothing.
    if offset and synchronised and synchronised[0][1] == 1 and abs(offset[0][1]) < _LARGEST:
        seen["clock_offset_s"] = float(offset[0][1])
    return seen


def directories_above(path: str) -> list[str]:
    """The path itself and every directory above it, nearest first: where the file system that holds it may be mounted."""
    path = posixpath.normpath(posixpath.join("/", path)).replace("//", "/")
    found = [path]
    while found[-1] != "/":
        found.append(posixpath.dirname(found[-1]))
    return found


def _disk(free: Series, size: Series, data_dir: str) -> dict[str, Any]:
    free_at, size_at = _by_mountpoint(free), _by_mountpoint(size)
    for directory in directories_above(data_dir):
        if directory in free_at or directory in size_at:
            available, total = free_at.get(directory), size_at.get(directory)
            if available is None or total is None or not 0 < total < _LARGEST or not 0 <= available <= total:
                return {}
            return {"disk_free_bytes": int(available), "disk_size_bytes": int(total)}
        if directory in _OFTEN_LEFT_OUT:
            return {}
    return {}


def _by_mountpoint(series: Series) -> dict[str, float | None]:
    """Value by mountpoint; None where two file systems claim the same one and differ."""
    found: dict[str, float | None] = {}
    for labels, value in series:
        mountpoint = labels.get("mountpoint")
        if mountpoint is not None and labels.get("fstype") != "rootfs":
            found[mountpoint] = value if found.get(mountpoint, value) == value else None
    return found


def _cpu_seconds(series: Series) -> tuple[float, float]:
    """Busy and all seconds of all cores since the host started. Waiting for a disk is not busy."""
    busy = total = 0.0
    for labels, value in series:
        if 0 <= value < _LARGEST:
            total += value
            if labels.get("mode") not in _IDLE_MODES:
                busy += value
    return busy, total


def _cpu_ratio(series: Series, memory: dict[str, Any]) -> dict[str, Any]:
    """Busy share since the last look, whose counters `memory` keeps; nothing at the first look and after the host's restart."""
    if not series:
        return {}
    busy, total = _cpu_seconds(series)
    last_busy, last_total = memory.get("cpu_seconds", (busy, total))
    memory["cpu_seconds"] = busy, total
    if total <= last_total or busy < last_busy:
        return {}
    return {"cpu_ratio": min(1.0, (busy - last_busy) / (total - last_total))}


@cache
def _scanner() -> Scanner:
    return Scanner(FILE_SYSTEM_NAMES | PLAIN_NAMES | {_CPU})


def _applies(validator: Validator, settings: Settings) -> bool:
    return validator.node_exporter_url is not None


@source("node_exporter", every="host", applies=_applies, gives=GIVES)
async def node_exporter(validator: Validator, http: Http, memory: dict[str, Any]) -> dict[str, Any]:
    """The host's node_exporter page."""
    page = await http.get(validator.node_exporter_url or "")
    try:
        samples = _scanner().scan(page)
    except UnreadablePage as error:
        raise SourceError("unreadable", f"the node_exporter page of validator {validator.number} {error}") from None
    if not samples:
        raise SourceError("unreadable", f"the page at validator {validator.number}'s node_exporter_url holds no metric of node_exporter")
    return {**observe(samples, validator.data_dir), **_cpu_ratio(samples.get(_CPU, ()), memory)}
