"""What a container's log says, for the source `journal` where `[ssh] manager` is docker.

Docker cannot search, so an hour of the log is read whole. Where that is more than MAX_LOG_BYTES the source fails, and what only the log can
tell is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gizzi import CommandFailed, SourceError, Ssh, Validator
from gizzi.readers import docker
from gizzi.readers import journal as log
from gizzi.readers.systemd import UnitState, UnreadableUnit


async def container_log(validator: Validator, ssh: Ssh, memory: dict[str, Any]) -> dict[str, Any]:
    """The values that the journal of a unit would give."""
    host, name = validator.host, validator.unit
    try:
        state = docker.container_state(await ssh.run(validator, docker.inspect_command(name)))
        text = await _lines(validator, ssh, docker.logs_command(name, since="1h"))
        if not docker.journal_text(text) and not docker.journal_text(await _lines(validator, ssh, docker.logs_command(name, lines=1))):
            raise SourceError(
                "unreadable", f"the log of the container {name} on {host} is empty; does docker keep it (its logging driver)?"
            )
        genesis = await _genesis(validator, ssh, state, memory)
    except UnreadableUnit as error:
        raise SourceError("unreadable", f"validator {validator.number}: {error}") from None
    except CommandFailed as error:
        if not docker.is_absent(error.stderr):
            raise
        wrong = f"{host} has no container {name}; correct `unit` of validator {validator.number}"
        raise SourceError("unreadable", wrong) from None
    return _values(text, genesis)


def _values(text: str, genesis: bool | None) -> dict[str, Any]:
    found = log.equivocations(docker.journal_text(text, log.EQUIVOCATION_GREP))
    seen = {
        "equivocations": found.count,
        "equivocation_ids": found.ids,
        "own_equivocations": found.own,
        "peer_abuse_lines": log.abuse_lines(docker.journal_text(text, log.ABUSE_GREP)),
    }
    return seen if genesis is None else {**seen, "genesis_line": genesis}


async def _genesis(validator: Validator, ssh: Ssh, state: UnitState, memory: dict[str, Any]) -> bool | None:
    """Whether its latest start made the database anew. Once the log has told, it is not asked again until the next start."""
    started = state.started_local
    if started is None:
        return None
    if memory.get("started") != started:
        since, until = f"{started.isoformat()}Z", f"{(started + log.START_TAKES).isoformat()}Z"
        text = await _lines(validator, ssh, docker.logs_command(validator.unit, since=since, until=until))
        told = log.genesis(docker.journal_text(text, log.START_GREP))
        if told is None:
            return None
        memory.update(started=started, genesis=told)
    return bool(memory["genesis"])


async def _lines(validator: Validator, ssh: Ssh, command: Sequence[str]) -> str:
    """What it wrote to stdout and to stderr; nodes log to the second."""
    return await ssh.run(validator, command, limit_bytes=docker.MAX_LOG_BYTES, with_stderr=True)
