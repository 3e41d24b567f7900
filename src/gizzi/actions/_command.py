"""What the actions share: a command on the validator's host, and its failure in one line that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from gizzi import CommandFailed, OutcomeUnknown, Settings, SourceError, Ssh, Validator
from gizzi.readers.docker import is_absent
from gizzi.readers.systemd import UnreadableUnit

NO_COMMAND = 127
_SUDO_REFUSES = ("password is required", "not allowed to execute", "not in the sudoers", "may not run sudo", "must have a tty")
_LOOK_FIRST = "whether it was carried out is not known: look at the unit before anybody does it again"
_LESS = "ask for less, or allow more with [ssh] timeout"
_NO_BUS = ("failed to connect to bus", "no medium found")


async def run(
    validator: Validator,
    ssh: Ssh | None,
    settings: Settings,
    command: Sequence[str],
    *,
    limit_bytes: int = 1_000_000,
    timeout_s: float | None = None,
    with_stderr: bool = False,
) -> str:
    """Its output. Raises SourceError, CommandFailed and OutcomeUnknown as Ssh does, in words for whoever has to put it right.

    timeout_s: given only for what writes.
    """
    if ssh is None:
        raise SourceError("unauthorised", "[ssh] user is not set; name the account on the validators' hosts, and its key_file")
    try:
        return await ssh.run(validator, command, limit_bytes=limit_bytes, timeout_s=timeout_s, with_stderr=with_stderr)
    except CommandFailed as error:
        remedy = _remedy(error, validator, settings, command)
        raise (CommandFailed(remedy, error.status, error.stderr) if remedy else error) from None
    except OutcomeUnknown as error:
        raise OutcomeUnknown(error.kind, f"{error}; {_LOOK_FIRST if timeout_s is not None else _LESS}") from None
    except SourceError as error:
        _unsent(error)


def _unsent(error: SourceError) -> NoReturn:
    """Nothing was sent. What refuses or does not answer says so itself; where to look is added."""
    hint = {
        "refused": "does sshd run there, is `host` right, and does a firewall let this machine in?",
        "timeout": "is the host up, and does a firewall let this machine in?",
    }.get(error.kind)
    if hint is None or hint in str(error):
        raise error
    raise SourceError(error.kind, f"{error}; {hint}") from None


def unit_of(validator: Validator) -> str:
    if not validator.unit:
        raise SourceError("unreadable", f"validator {validator.number} has no `unit`; name what runs its node")
    return validator.unit


def no_unit(validator: Validator, error: UnreadableUnit) -> SourceError:
    return SourceError("unreadable", f"validator {validator.number}: {error}")


def _remedy(error: CommandFailed, validator: Validator, settings: Settings, command: Sequence[str]) -> str | None:
    """None where the command's own words must do."""
    said, host, account = error.stderr.lower(), validator.host, settings.ssh.user
    if any(words in said for words in _SUDO_REFUSES):
        asked = " ".join(word for word in command if word not in ("sudo", "-n"))
        return f"sudo on {host} does not let {account} run `{asked}` without a password; `gizzi doctor` prints the line that it needs"
    if is_absent(said) or ("unit" in said and ("not found" in said or "not loaded" in said)):
        return f"{host} has no unit {validator.unit}; correct `unit` of validator {validator.number}, or [ssh] manager"
    if any(words in said for words in _NO_BUS):
        return f"no user manager of {account} runs on {host}; run `loginctl enable-linger {account}` there"
    if "docker daemon" in said:
        if "permission denied" in said:
            return f"{account} may not use docker on {host}; add it to the group docker there"
        return f"docker does not run on {host}; start it there"
    if error.status == NO_COMMAND:
        return f"{host} has no `{command[0]}`; is [ssh] manager right?"
    return None
