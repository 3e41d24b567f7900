"""Look at a validator's host: its log, its resources, its disk, its firewall. Nothing here changes anything."""

from __future__ import annotations

import asyncio

from gizzi import CommandFailed, Settings, SourceError, Ssh, Validator, action
from gizzi.actions._command import NO_COMMAND, no_unit, run, unit_of
from gizzi.readers import resources as host
from gizzi.readers.manager import FIREWALL_COMMANDS, SUDO, last_lines_command
from gizzi.readers.systemd import UnreadableUnit
from gizzi.readers.text import one_line

LINES, MOST_LINES = 200, 2000
LONGEST_LINE = 2000
MOST_FIREWALL_BYTES = 200_000
BETWEEN_LOOKS_S = 1.2
"""Enough ticks of one processor for a share."""


@action("logs", writes=False, idempotent=True)
async def logs(validator: Validator, ssh: Ssh | None, settings: Settings, lines: int = LINES) -> str:
    """Read the last lines of the node's log, at most 2,000."""
    if isinstance(lines, bool) or not isinstance(lines, int) or not 1 <= lines <= MOST_LINES:
        raise SourceError("unreadable", f"logs: `lines` must be a whole number from 1 to {MOST_LINES}")
    try:
        command = last_lines_command(settings.ssh.manager, unit_of(validator), lines)
    except UnreadableUnit as error:
        raise no_unit(validator, error) from None
    text = await run(validator, ssh, settings, command, with_stderr=settings.ssh.manager == "docker")
    return _clean(text)


@action("resources", writes=False, idempotent=True)
async def resources(validator: Validator, ssh: Ssh | None, settings: Settings) -> str:
    """Read how busy the host's processors are over a second, and how much memory is left."""
    first = await run(validator, ssh, settings, host.CPU_AND_MEMORY_COMMAND)
    await asyncio.sleep(BETWEEN_LOOKS_S)
    second = await run(validator, ssh, settings, host.CPU_AND_MEMORY_COMMAND)
    try:
        size, available = host.memory(second)
        busy = host.cpu_ratio(host.cpu_times(first), host.cpu_times(second))
    except host.UnreadableResource as error:
        raise SourceError("unreadable", f"{validator.host}: {error}") from None
    cpu = "unknown" if busy is None else f"{busy:.0%} busy"
    return f"processors {cpu}; memory {_gb(available)} of {_gb(size)} available"


@action("disk_use", writes=False, idempotent=True)
async def disk_use(validator: Validator, ssh: Ssh | None, settings: Settings) -> str:
    """Read how full the file system is that holds the node's database."""
    text = await run(validator, ssh, settings, host.disk_command(validator.data_dir))
    try:
        size, free = host.disk(text)
    except host.UnreadableResource as error:
        raise SourceError("unreadable", f"{validator.host}: {error}") from None
    return f"{validator.data_dir}: {_gb(free)} of {_gb(size)} free, {1 - free / size:.0%} used"


@action("firewall", writes=False, idempotent=True)
async def firewall(validator: Validator, ssh: Ssh | None, settings: Settings) -> str:
    """List the host's firewall rules, by nft, iptables-save or ufw, whichever is there. Needs a right of its own with sudo."""
    refused: CommandFailed | None = None
    for command in FIREWALL_COMMANDS:
        try:
            text = await run(validator, ssh, settings, [*SUDO, *command], limit_bytes=MOST_FIREWALL_BYTES)
        except CommandFailed as error:
            absent = error.status == NO_COMMAND or "command not found" in error.stderr
            refused = refused if absent else error
            continue
        if text.strip():
            return f"{' '.join(command)}:\n{_clean(text)}"
    if refused is not None:
        raise refused
    return f"{validator.host} shows no firewall rules, by nft, iptables-save or ufw"


def _clean(text: str) -> str:
    """Lines made harmless, each one still a line; without those that are empty."""
    return "\n".join(shown for line in text.split("\n") if (shown := one_line(line, LONGEST_LINE)))


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.3g} GB"
