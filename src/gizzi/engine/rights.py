"""Whether Gizzi's account may restart what it should on each host. It asks sudo, which only reads; nothing is ever changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gizzi.config import Settings, Validator
from gizzi.errors import CommandFailed, SourceError
from gizzi.reach import Ssh
from gizzi.readers.manager import SUDO, VERBS, sudoers_line, write_command
from gizzi.readers.sudo import LIST_COMMAND, allowed_command, passwordless
from gizzi.readers.systemd import UnreadableUnit


async def rights(settings: Settings, validators: Sequence[Validator], ssh: Ssh | None) -> list[dict[str, Any]]:
    """`{"host", "validators", "ok", "text", "sudoers"}` of each host, sudoers being the line that it needs; empty where none needs sudo.

    ok is None where it is worth a word only: in the mode suggest nothing is carried out without a person, who may do it by hand.
    """
    if ssh is None or settings.ssh.manager != "systemctl":
        return []
    hosts: dict[str, list[Validator]] = {}
    for validator in validators:
        if validator.host and validator.unit:
            hosts.setdefault(validator.host, []).append(validator)
    return list(await asyncio.gather(*(_host(settings, host, theirs, ssh) for host, theirs in hosts.items())))


async def _host(settings: Settings, host: str, validators: Sequence[Validator], ssh: Ssh) -> dict[str, Any]:
    found: dict[str, Any] = {"host": host, "validators": [v.number for v in validators], "sudoers": None}
    try:
        found["sudoers"] = sudoers_line(settings.ssh.user or "", (v.unit for v in validators))
        ok, text = await _asked(validators, ssh)
    except UnreadableUnit as error:
        ok, text = False, str(error)
    except SourceError as error:
        return {**found, "ok": None, "text": f"could not be asked: {error}"}
    return {**found, "ok": None if ok is False and settings.policy.mode == "suggest" else ok, "text": text}


async def _asked(validators: Sequence[Validator], ssh: Ssh) -> tuple[bool | None, str]:
    """Raises SourceError where the host cannot be asked."""
    try:
        listing = await ssh.run(validators[0], LIST_COMMAND)
    except CommandFailed as error:
        return False, "there is no sudo" if error.status == 127 else "sudo lets it run nothing without a password"
    unclear = False
    for unit in dict.fromkeys(v.unit for v in validators):
        for verb in VERBS:
            command = write_command("systemctl", verb, unit)[len(SUDO) :]
            free = passwordless(listing, command)
            if not await _allowed(validators[0], ssh, command) or free is False:
                return False, f"sudo does not let it run `{' '.join(command)}` without a password"
            unclear = unclear or free is None
    if unclear:
        return None, "sudo lets it restart, start and stop; whether it then asks for a password cannot be seen"
    return True, "may restart, start and stop its units"


async def _allowed(validator: Validator, ssh: Ssh, command: Sequence[str]) -> bool:
    try:
        await ssh.run(validator, allowed_command(command))
    except CommandFailed:
        return False
    return True
