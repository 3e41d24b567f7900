"""How a host is set up: the account that runs the node, its command line, and sshd's settings: the commands, and their output as values."""

from __future__ import annotations

import re

from gizzi.readers.systemd import checked_unit

SSHD_COMMAND = ("sudo", "-n", "/usr/sbin/sshd", "-T")
"""Needs a right of its own with sudo: `/usr/sbin/sshd -T`."""
MAX_CHARS = 100_000
_PROPERTY = re.compile(r"^(User|MainPID|DynamicUser)=(.{0,200})$", re.MULTILINE)
_SETTING = re.compile(r"^([a-z0-9]{2,40}) (.{0,4000})$", re.MULTILINE)
_PROCESS = re.compile(r"\s*([A-Za-z0-9_.+-]{1,64}|#?[0-9]{1,10})\s+(\S.*)", re.DOTALL)


class UnreadableSetup(ValueError):
    """The text is not what the command prints; the text says why."""


def user_command(manager: str, unit: str) -> list[str]:
    """The account and the process of a unit. `manager` is `[ssh] manager`. Raises UnreadableUnit for what is no unit's name."""
    return [*manager.split(), "show", "--property=User,DynamicUser,MainPID", checked_unit(unit)]


def process_command(pid: int) -> list[str]:
    """The account and the command line of a process."""
    return ["ps", "-ww", "-o", "user=,args=", "-p", str(pid)]


def unit_user(text: str) -> str:
    """The account a system unit runs under: root where it names none. Raises UnreadableSetup."""
    found = dict(_PROPERTY.findall(text[:MAX_CHARS]))
    if "User" not in found:
        raise UnreadableSetup("systemctl show printed no User")
    if found.get("DynamicUser") == "yes":
        return found["User"] or "(dynamic)"
    return found["User"] or "root"


def unit_pid(text: str) -> int | None:
    """The main process of the unit, as the same command tells it; None where none runs."""
    told = dict(_PROPERTY.findall(text[:MAX_CHARS])).get("MainPID", "")
    return int(told) or None if told.isascii() and told.isdigit() else None


def process(text: str) -> tuple[str, str]:
    """(account, command line). Raises UnreadableSetup."""
    found = _PROCESS.match(text[:MAX_CHARS].strip("\n"))
    if found is None:
        raise UnreadableSetup("ps printed no process")
    return found[1], found[2].strip()


def sshd_settings(text: str) -> dict[str, str]:
    """What `sshd -T` prints; of a setting that stands there several times, all values, one a line. Raises UnreadableSetup."""
    found: dict[str, str] = {}
    for name, value in _SETTING.findall(text[:MAX_CHARS]):
        found[name] = f"{found[name]}\n{value.strip()}" if name in found else value.strip()
    if "permitrootlogin" not in found:
        raise UnreadableSetup("it is not what `sshd -T` prints")
    return found
