"""The commands by which a validator's node is restarted, started and stopped, and the right that its account needs for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from gizzi.readers import docker, journal, systemd
from gizzi.readers.systemd import UnitState, checked_unit

VERBS = ("restart", "start", "stop")
STOP_TAKES_S = 90
"""So long docker waits before it kills a node that is to stop; as systemd does by default. Docker's own 10 s leave databases open."""
WRITE_TAKES_S = 120.0
"""How long a command that restarts or stops may take."""
SUDO = ("sudo", "-n")
FIREWALL_COMMANDS = (("nft", "list", "ruleset"), ("iptables-save",), ("ufw", "status", "verbose"))
_FIREWALL_RIGHTS = ("/usr/sbin/nft list ruleset", '/usr/sbin/iptables-save ""', "/usr/sbin/ufw status verbose")
_TO_ESCAPE = re.compile(r"([\\:,=])")


def write_command(manager: str, verb: str, unit: str) -> list[str]:
    """The arguments that restart, start or stop a unit. `manager` is `[ssh] manager`. Raises UnreadableUnit for what is no unit's name."""
    if verb not in VERBS:
        raise ValueError(f"{verb!r} is none of {', '.join(VERBS)}")
    if manager == "docker":
        patience = ["-t", str(STOP_TAKES_S)] if verb != "start" else []
        return ["docker", verb, *patience, docker.checked_container(unit)]
    sudo = SUDO if manager == "systemctl" else ()
    return [*sudo, *manager.split(), verb, checked_unit(unit)]


def state_command(manager: str, unit: str) -> list[str]:
    """The arguments that ask for its state. Raises UnreadableUnit."""
    return docker.inspect_command(unit) if manager == "docker" else systemd.unit_command(manager, unit)


def state_reader(manager: str) -> Callable[[str], UnitState]:
    """What reads the output of `state_command`."""
    return docker.container_state if manager == "docker" else systemd.unit_state


def last_lines_command(manager: str, unit: str, lines: int) -> list[str]:
    """The arguments that ask for the last lines of its log. Raises UnreadableUnit."""
    return docker.logs_command(unit, lines=lines) if manager == "docker" else journal.log_command(manager, unit, lines=lines)


def sudoers_line(user: str, units: Iterable[str]) -> str:
    """The one line of /etc/sudoers.d that lets this account restart, start and stop these units, and nothing else."""
    commands = [f"/usr/bin/systemctl {verb} {_escaped(checked_unit(unit))}" for unit in dict.fromkeys(units) for verb in VERBS]
    return f"{user} ALL=(root) NOPASSWD: {', '.join(commands)}"


def firewall_sudoers_line(user: str) -> str:
    """The same for listing the firewall's rules, for those who want that."""
    return f"{user} ALL=(root) NOPASSWD: {', '.join(_FIREWALL_RIGHTS)}"


def _escaped(argument: str) -> str:
    """As sudoers(5) wants it in a command's arguments."""
    return _TO_ESCAPE.sub(r"\\\1", argument)
