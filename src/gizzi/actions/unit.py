"""Restart, start and stop a validator's unit, and ask for its state. All by `[ssh] manager`: sudo systemctl, systemctl --user or docker."""

from __future__ import annotations

from gizzi import Settings, Ssh, Validator, action
from gizzi.actions._command import no_unit, run, unit_of
from gizzi.readers.manager import WRITE_TAKES_S, state_command, state_reader, write_command
from gizzi.readers.systemd import UnreadableUnit


@action("restart", writes=True)
async def restart(validator: Validator, ssh: Ssh | None, settings: Settings) -> str:
    """Restart the unit that runs the node."""
    return await _write("restart", validator, ssh, settings)


@action("start", writes=True)
async def start(validator: Validator, ssh: Ssh | None, settings: Settings) -> str:
    """Start the unit that runs the node."""
    return await _write("start", validator, ssh, settings)


@action("stop", writes=True)
async def stop(validator: Validator, ssh: Ssh | None, settings: Settings) -> str:
    """Stop the unit that runs the node."""
    return await _write("stop", validator, ssh, settings)


async def _write(verb: str, validator: Validator, ssh: Ssh | None, settings: Settings) -> str:
    """Returns once the manager has done it, so that what it says of a failure is seen."""
    unit = unit_of(validator)
    try:
        command = write_command(settings.ssh.manager, verb, unit)
    except UnreadableUnit as error:
        raise no_unit(validator, error) from None
    await run(validator, ssh, settings, command, timeout_s=max(WRITE_TAKES_S, settings.ssh.timeout_s))
    return f"`{' '.join(command)}` was carried out on {validator.host}"


@action("unit_status", writes=False, idempotent=True)
async def unit_status(validator: Validator, ssh: Ssh | None, settings: Settings) -> str:
    """Tell the state of the unit that runs the node."""
    unit = unit_of(validator)
    try:
        text = await run(validator, ssh, settings, state_command(settings.ssh.manager, unit))
        state = state_reader(settings.ssh.manager)(text)
    except UnreadableUnit as error:
        raise no_unit(validator, error) from None
    if not state.exists:
        return f"{validator.host} has no unit {unit}; correct `unit` of validator {validator.number}"
    told = [f"{state.active or 'unknown'}/{state.sub or 'unknown'}"]
    told += [f"process {state.pid}"] if state.pid else []
    told += [f"started {state.started_local.isoformat(' ')} by the host's clock"] if state.started_local else []
    told += [f"{state.restarts} restarts by its manager"] if state.restarts is not None else []
    told += ["its last process died with its database open"] if state.unclean_stop else []
    return f"{unit}: {', '.join(told)}"
