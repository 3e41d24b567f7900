"""Upgrade a validator's node: the operator's own command brings the binary, then the unit is restarted."""

from __future__ import annotations

import re

from gizzi import CommandFailed, Settings, SourceError, Ssh, Validator, action
from gizzi.actions._command import run
from gizzi.actions.unit import restart

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", re.ASCII)
INSTALL_TAKES_S = 480.0


@action("upgrade", writes=True, longest="12m")
async def upgrade(validator: Validator, ssh: Ssh | None, settings: Settings, version: str) -> str:
    """Run `[upgrade] command` with the version on the host, then restart the unit. Where the command fails, nothing is restarted."""
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise SourceError("unreadable", f"{version!r} is not a version: letters, digits and . _ + -, at most 64, no sign first")
    if not settings.upgrade.command:
        raise SourceError("unreadable", "[upgrade] command is not set; write there what puts a version of the node on a host")
    command = [word.replace("{version}", version) for word in settings.upgrade.command]
    try:
        await run(validator, ssh, settings, command, timeout_s=INSTALL_TAKES_S)
    except CommandFailed as error:
        raise CommandFailed(f"{error}; the node was not restarted", error.status, error.stderr) from None
    await restart(validator, ssh, settings)
    return f"`{' '.join(command)}` was carried out on {validator.host}, and {validator.unit} restarted"
