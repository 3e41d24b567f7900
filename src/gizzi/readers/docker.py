"""What docker says of a container: the commands, and their output as the values a systemd unit has.

With `[ssh] manager = "docker"` a validator's `unit` is the name of its container. Everything here only reads.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from gizzi.readers.journal import MAX_LINE_CHARS
from gizzi.readers.systemd import DUMPED, EXITED, KILLED, UnitState, UnreadableUnit

MAX_CHARS = 50_000
MAX_LOG_BYTES = 2_000_000
"""An hour of a busy node's log has some 200 KB."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_WORD = re.compile(r"[a-z-]{1,40}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")
_FORMAT = '{"State":{{json .State}},"RestartCount":{{json .RestartCount}} }'
_NEVER_STARTED = "0001-01-01"
_CORE_SIGNALS = frozenset({3, 4, 5, 6, 7, 8, 11, 31})
_STATES = {
    "running": ("active", "running"),
    "paused": ("active", "paused"),
    "restarting": ("activating", "restarting"),
    "created": ("inactive", "created"),
    "exited": ("inactive", "exited"),
    "dead": ("failed", "dead"),
    "removing": ("deactivating", "removing"),
}
"""docker's word for a container's state as systemd's two."""


def checked_container(name: str) -> str:
    """The name, if docker allows it and it is no option. Raises UnreadableUnit."""
    if not _NAME.fullmatch(name):
        raise UnreadableUnit(f"{name[:80]!r} is not the name of a container; correct `unit` of this validator")
    return name


def inspect_command(name: str) -> list[str]:
    """The arguments that ask for a container's state. Raises UnreadableUnit for what is no container's name."""
    return ["docker", "inspect", "--type=container", f"--format={_FORMAT}", checked_container(name)]


def logs_command(name: str, *, since: str = "", until: str = "", lines: int | None = None) -> list[str]:
    """The container's log with docker's own time stamps; what it wrote to stderr comes there. since, until: docker's, such as 1h."""
    given = {"--since": since, "--until": until, "--tail": "" if lines is None else str(lines)}
    return ["docker", "logs", "--timestamps", *(f"{key}={value}" for key, value in given.items() if value), checked_container(name)]


def is_absent(stderr: str) -> bool:
    """Whether docker said that there is no such container."""
    return "no such container" in stderr.lower() or "no such object" in stderr.lower()


def container_state(text: str) -> UnitState:
    """Read the output of `inspect_command`. What is missing or odd is None. Raises UnreadableUnit where no state can be read."""
    try:
        said: Any = json.loads(text[:MAX_CHARS])
        state = dict(said["State"])
        status = state["Status"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UnreadableUnit("docker inspect printed no state") from None
    if not isinstance(status, str) or not _WORD.fullmatch(status):
        raise UnreadableUnit("docker inspect printed no state")
    active, sub = _STATES.get(status, (None, status))
    started = _time(state.get("StartedAt"))
    code, signal = _ended(_number(state.get("ExitCode"))) if started and active in ("inactive", "failed") else (None, None)
    return UnitState(
        load="loaded",
        active=active,
        sub=sub,
        result="oom-kill" if state.get("OOMKilled") is True else None,
        pid=_number(state.get("Pid")) or None,
        restarts=_number(said.get("RestartCount")),
        exit_code=code,
        exit_status=signal,
        started_local=started,
    )


def journal_text(text: str, pattern: str = "") -> str:
    """The lines of `logs_command` that hold the pattern, as `gizzi.readers.journal` reads a journal's."""
    wanted = re.compile(pattern)
    found = []
    for line in text.split("\n"):
        stamp, _, message = line[:MAX_LINE_CHARS].partition(" ")
        at = _time(stamp)
        if at is not None and wanted.search(message):
            found.append(f"{at.replace(tzinfo=UTC).timestamp():.6f} container: {message}\n")
    return "".join(found)


def _ended(status: int | None) -> tuple[int | None, int | None]:
    """(how, status or signal) as systemd tells it: docker adds 128 to the signal that ended the process."""
    if status is None or not 128 < status <= 192:
        return (None if status is None else EXITED), status
    signal = status - 128
    return (DUMPED if signal in _CORE_SIGNALS else KILLED), signal


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _time(value: Any) -> datetime | None:
    """UTC, without its zone; None for what is no time, and for "never"."""
    if not isinstance(value, str) or not _TIME.fullmatch(value) or value.startswith(_NEVER_STARTED):
        return None
    try:
        return datetime.fromisoformat(value[:19])
    except ValueError:
        return None
