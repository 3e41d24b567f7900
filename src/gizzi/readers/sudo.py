"""What `sudo -n -l` says an account may run without a password."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

LIST_COMMAND = ("sudo", "-n", "-l")
"""It only reads."""
MAX_CHARS = 100_000
_ENTRY = re.compile(r"^    \([^)]*\) ?(.*)$")
_ITEM = re.compile(r"(?:\\.|[^,\\])+")
_TAG = re.compile(r"^([A-Z_]+): ?")
_FOLDERS = ("/usr/bin/", "/bin/")


def allowed_command(command: Sequence[str]) -> list[str]:
    """Asks whether sudo allows this command at all, with or without a password; the exit status is the answer."""
    return [*LIST_COMMAND, *command]


def passwordless(listing: str, command: Sequence[str]) -> bool | None:
    """Whether the listing lets this command run without a password. None where none of its entries is seen to cover the command.

    As sudo does, the last entry that covers it decides. A command of another folder than /usr/bin and /bin, or a regular expression, is
    not understood here.
    """
    verdict = None
    for entry in _entries(listing[:MAX_CHARS]):
        asks = True
        for item in _ITEM.findall(entry):
            spec = item.strip()
            while tag := _TAG.match(spec):
                asks = {"NOPASSWD": False, "PASSWD": True}.get(tag[1], asks)
                spec = spec[tag.end() :]
            if _covers(spec.removeprefix("!"), command):
                verdict = not asks and not spec.startswith("!")
    return verdict


def _entries(listing: str) -> list[str]:
    """What follows "(root)" in each entry; sudo breaks long ones over lines that are indented further."""
    found: list[str] = []
    for line in listing.split("\n"):
        match = _ENTRY.match(line)
        if match:
            found.append(match[1])
        elif found and line.startswith("        "):
            found[-1] += f" {line.strip()}"
    return found


def _covers(spec: str, command: Sequence[str]) -> bool:
    if spec == "ALL":
        return True
    plain = re.sub(r"\\([\\:,=])", r"\1", spec)
    for folder in _FOLDERS:
        path = folder + command[0]
        if plain == path or fnmatchcase(" ".join([path, *command[1:]]), plain):
            return True
    return False
