"""What a validator's log says over SSH: equivocations, a database made anew, misbehaving peers.

The commands only read, are fixed lists of arguments, and stand with their readers in gizzi.readers.journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gizzi import CommandFailed, Settings, SourceError, Ssh, Validator, source
from gizzi.readers import journal as log
from gizzi.readers.systemd import UnitState, UnreadableUnit, unit_command, unit_state
from gizzi.sources._container import container_log

GIVES = ("equivocations", "equivocation_ids", "own_equivocations", "genesis_line", "peer_abuse_lines", "unclean_stop")


def _applies(validator: Validator, settings: Settings) -> bool:
    return bool(validator.host and validator.unit and settings.ssh.user)


@source("journal", every="host", applies=_applies, gives=GIVES)
async def journal(validator: Validator, ssh: Ssh, settings: Settings, memory: dict[str, Any]) -> dict[str, Any]:
    """The unit's log over SSH."""
    manager, unit = settings.ssh.manager, validator.unit
    if manager == "docker":
        return await container_log(validator, ssh, memory)
    try:
        state = await _state(validator, ssh, unit_command(manager, unit))
    except UnreadableUnit as error:
        raise SourceError("unreadable", f"validator {validator.number}: {error}") from None
    await _require_readable(validator, ssh, manager)
    found = log.equivocations(await _matches(validator, ssh, log.equivocations_command(manager, unit)))
    seen: dict[str, Any] = {
        "equivocations": found.count,
        "equivocation_ids": found.ids,
        "own_equivocations": found.own,
        "peer_abuse_lines": await _abuse(validator, ssh, manager),
        "genesis_line": await _genesis(validator, ssh, manager, state, memory),
        "unclean_stop": await _unclean(validator, ssh, manager, state),
    }
    return {name: value for name, value in seen.items() if value is not None}


async def _state(validator: Validator, ssh: Ssh, command: Sequence[str]) -> UnitState | None:
    try:
        state = unit_state(await ssh.run(validator, command))
    except CommandFailed:
        return None
    if not state.exists:
        raise SourceError("unreadable", f"{validator.host} has no unit {validator.unit}; correct `unit` of validator {validator.number}")
    return state


async def _require_readable(validator: Validator, ssh: Ssh, manager: str) -> None:
    """No lines must never read as no equivocations: without leave journalctl shows an empty log."""
    why = "it is empty"
    try:
        if next(log.lines(await ssh.run(validator, log.readable_command(manager, validator.unit))), None):
            return
    except CommandFailed as error:
        why = error.stderr or f"journalctl ended with exit status {error.status}"
    hint = "is the account in the group systemd-journal?"
    raise SourceError("unreadable", f"the log of {validator.unit} on {validator.host} cannot be read: {why}; {hint}")


async def _matches(validator: Validator, ssh: Ssh, command: Sequence[str]) -> str:
    """The lines that match. Where none does, journalctl ends with status 1: of a log that can be read that is an answer."""
    try:
        return await ssh.run(validator, command)
    except CommandFailed as error:
        if error.status != 1 or "pattern matching" in error.stderr:
            raise
        return ""


async def _abuse(validator: Validator, ssh: Ssh, manager: str) -> int | None:
    """None where peers have written more than can be read: that must not hide the rest."""
    try:
        return log.abuse_lines(await _matches(validator, ssh, log.abuse_command(manager, validator.unit)))
    except SourceError as error:
        if error.kind in ("timeout", "unreadable"):
            return None
        raise


async def _genesis(validator: Validator, ssh: Ssh, manager: str, state: UnitState | None, memory: dict[str, Any]) -> bool | None:
    """Whether its latest start made the database anew. Once the log has told, it is not asked again until the next start."""
    if state is None or state.started_local is None:
        return None
    if memory.get("started") != state.started_local:
        told = log.genesis(await _matches(validator, ssh, log.start_command(manager, validator.unit, state.started_local)))
        if told is None:
            return None
        memory.update(started=state.started_local, genesis=told)
    return bool(memory["genesis"])


async def _unclean(validator: Validator, ssh: Ssh, manager: str, state: UnitState | None) -> bool | None:
    """How the run before the boot ended, where systemd has seen none since: a power cut leaves no word of an end."""
    if state is None or state.running is not False or state.ran_since_boot:
        return None
    return log.ended_unclean(await ssh.run(validator, log.end_command(manager, validator.unit)))
