"""What a validator's host says of itself over SSH: the unit's state, the disk, the memory, the processors, the open files.

Every command only reads, is a fixed list of arguments, and stands with its reader: `state_command` in gizzi.readers.manager, the others in
gizzi.readers.resources. What one of them cannot tell is left out; only where nothing can be told does the source fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gizzi import CommandFailed, Settings, SourceError, Validator, source
from gizzi.readers import resources
from gizzi.readers.docker import is_absent
from gizzi.readers.manager import state_command, state_reader
from gizzi.readers.resources import CPU_AND_MEMORY_COMMAND, disk_command, fds_command, fds_list_command
from gizzi.readers.systemd import UnitState, UnreadableUnit

GIVES = (
    "unit_active",
    "unit_state",
    "unit_restarts",
    "unclean_stop",
    "disk_free_bytes",
    "disk_size_bytes",
    "memory_available_bytes",
    "memory_size_bytes",
    "cpu_ratio",
    "fds_open",
)
_UNREACHABLE = frozenset(("refused", "unauthorised", "host_key"))


class Ssh(Protocol):
    async def run(self, validator: Validator, command: Sequence[str]) -> str: ...


class _Asker:
    """Runs commands on one host; keeps what went wrong instead of raising it."""

    def __init__(self, ssh: Ssh, validator: Validator) -> None:
        self._ssh = ssh
        self._validator = validator
        self.failures: list[SourceError] = []

    async def ask(self, command: Sequence[str], *readers: Callable[[str], Any]) -> list[Any]:
        """What each reader makes of the output; None where it, or the command, failed."""
        try:
            text = await self._ssh.run(self._validator, command)
        except SourceError as error:
            self.failures.append(error)
            return [None] * len(readers)
        return [self._read(read, text) for read in readers]

    def _read(self, read: Callable[[str], Any], text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            self.failures.append(SourceError("unreadable", f"validator {self._validator.number}: {error}"))
            return None


def _applies(validator: Validator, settings: Settings) -> bool:
    return bool(validator.host and settings.ssh.user)


@source("host", every="host", applies=_applies, gives=GIVES)
async def host(validator: Validator, ssh: Ssh, settings: Settings, memory: dict[str, Any]) -> dict[str, Any]:
    """The unit's state and the host's resources over SSH."""
    asker = _Asker(ssh, validator)
    try:
        command = state_command(settings.ssh.manager, validator.unit) if validator.unit else None
    except UnreadableUnit as error:
        raise SourceError("unreadable", f"validator {validator.number}: {error}") from None
    seen: dict[str, Any]
    seen, (disk,), (cpu, ram) = await asyncio.gather(
        _unit(asker, command, state_reader(settings.ssh.manager)),
        asker.ask(disk_command(validator.data_dir), resources.disk),
        asker.ask(CPU_AND_MEMORY_COMMAND, resources.cpu_times, resources.memory),
    )
    if disk:
        seen["disk_size_bytes"], seen["disk_free_bytes"] = disk
    if ram:
        seen["memory_size_bytes"], seen["memory_available_bytes"] = ram
    if cpu:
        before = memory.setdefault("cpu_times", cpu)
        ratio = resources.cpu_ratio(before, cpu)
        if ratio is not None:
            seen["cpu_ratio"] = ratio
        if ratio is not None or cpu[1] < before[1]:
            memory["cpu_times"] = cpu
    gone = next((error for error in asker.failures if error.kind in _UNREACHABLE), None)
    if gone or not seen:
        raise gone or asker.failures[0]
    return seen


async def _unit(asker: _Asker, command: Sequence[str] | None, read: Callable[[str], UnitState]) -> dict[str, Any]:
    if command is None:
        return {}
    unit: UnitState | None = (await asker.ask(command, read))[0]
    if unit is None:
        absent = any(isinstance(error, CommandFailed) and is_absent(error.stderr) for error in asker.failures)
        return {"unit_state": "not-found"} if absent else {}
    open_files = await _open_files(asker, unit.pid) if unit.pid else None
    return unit_values(unit) if open_files is None else {**unit_values(unit), "fds_open": open_files}


def unit_values(unit: UnitState) -> dict[str, Any]:
    """A unit's state in our names; what systemd did not say is left out."""
    if not unit.exists:
        return {"unit_state": "not-found"}
    seen = {"unit_active": unit.running, "unit_restarts": unit.restarts, "unclean_stop": unit.unclean_stop}
    return {"unit_state": f"{unit.active}/{unit.sub}"} | {name: value for name, value in seen.items() if value is not None}


async def _open_files(asker: _Asker, pid: int) -> int | None:
    """None where neither the kernel counts them nor the account may list them."""
    counted: int | None = (await asker.ask(fds_command(pid), resources.fds))[0]
    if counted is None:
        counted = (await asker.ask(fds_list_command(pid), resources.fds_listed))[0]
    return counted
