"""What `systemctl show` says of a unit: the command, and its output as values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "NRestarts",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
)

MAX_CHARS = 20_000
"""The nine properties take some 250 characters."""

_UNIT = re.compile(r"(?!-)[A-Za-z0-9:_.\\@-]{1,255}")
_LINE = re.compile(r"([A-Za-z]{1,64})=(.{0,4096})")
_NUMBER = re.compile(r"[0-9]{1,18}")
_WORD = re.compile(r"[a-z-]{1,40}")
_TIMESTAMP = re.compile(r"(?:[A-Za-z]{3} )?([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(?: \S{1,10})?")

# ExecMainCode: CLD_EXITED, CLD_KILLED and CLD_DUMPED of waitid(2).
EXITED, KILLED, DUMPED = 1, 2, 3
_CLEAN_SIGNALS = frozenset({2, 15})  # SIGINT, SIGTERM
_CLEAN_STATUSES = frozenset({0, 130, 143})  # 0; 128 + SIGINT and 128 + SIGTERM, as a shell around the node reports them
UNCLEAN_RESULTS = frozenset({"signal", "core-dump", "oom-kill", "watchdog", "timeout"})


class UnreadableUnit(ValueError):
    """The text is not what `systemctl show` prints, or the unit's name is none; the text says why."""


@dataclass(frozen=True, slots=True)
class UnitState:
    """None: it was not said. pid is None where nothing runs; started_local is the host's own wall clock, without its zone."""

    load: str | None
    active: str | None
    sub: str | None
    result: str | None
    pid: int | None
    restarts: int | None
    exit_code: int | None
    exit_status: int | None
    started_local: datetime | None

    @property
    def exists(self) -> bool:
        return self.load != "not-found"

    @property
    def running(self) -> bool | None:
        """Whether its process runs; None where systemd did not say, or where it is being stopped."""
        if self.active in ("active", "reloading", "refreshing"):
            return True
        if self.active in ("inactive", "failed"):
            return False
        if self.active == "activating":
            return self.pid is not None  # none between two attempts of Restart=
        return None

    @property
    def unclean_stop(self) -> bool | None:
        """Whether its last process died with its database open: killed, crashed, out of memory.

        False while it runs: that start is done. None where systemd cannot tell, as after a boot in which it has not run yet (`last_end`
        in the log may tell), or where it ended itself with an error of its own.
        """
        if self.running is not False:
            return False if self.running else None
        if self.result in UNCLEAN_RESULTS or self.exit_code == DUMPED:
            return True
        if self.exit_code == KILLED and self.exit_status is not None:
            return self.exit_status not in _CLEAN_SIGNALS
        if self.exit_code == EXITED and self.exit_status in _CLEAN_STATUSES:
            return False
        return None

    @property
    def ran_since_boot(self) -> bool:
        return self.started_local is not None


def unit_command(manager: str, unit: str) -> list[str]:
    """The arguments that ask for a unit's state. `manager` is `[ssh] manager`. Raises UnreadableUnit for what is no unit's name."""
    return [*manager.split(), "show", f"--property={','.join(PROPERTIES)}", checked_unit(unit)]


def checked_unit(unit: str) -> str:
    """The name, if systemd allows it and it is no pattern and no option. Raises UnreadableUnit."""
    if not _UNIT.fullmatch(unit):
        raise UnreadableUnit(f"{unit[:80]!r} is not the name of a systemd unit; correct `unit` of this validator")
    return unit


def unit_state(text: str) -> UnitState:
    """Read the output of `unit_command`. A property that is missing or odd is None. Raises UnreadableUnit where none can be read."""
    return _unit_state(text[:MAX_CHARS])


@lru_cache(maxsize=256)
def _unit_state(text: str) -> UnitState:
    """Kept, because a unit says the same for days, to every source that asks."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        match = _LINE.fullmatch(line.rstrip("\r"))
        if match and match[1] in PROPERTIES:
            found.setdefault(match[1], match[2])
    if "ActiveState" not in found:
        raise UnreadableUnit("systemctl show printed no ActiveState")
    pid = _number(found.get("MainPID"))
    return UnitState(
        load=_word(found.get("LoadState")),
        active=_word(found["ActiveState"]),
        sub=_word(found.get("SubState")),
        result=_word(found.get("Result")),
        pid=pid or None,
        restarts=_number(found.get("NRestarts")),
        exit_code=_number(found.get("ExecMainCode")),
        exit_status=_number(found.get("ExecMainStatus")),
        started_local=_timestamp(found.get("ExecMainStartTimestamp")),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None


def _word(text: str | None) -> str | None:
    return text if text is not None and _WORD.fullmatch(text) else None


def _timestamp(text: str | None) -> datetime | None:
    """ "Sat 2025-11-22 20:22:01 UTC" without its weekday and zone; None for what is no time."""
    match = _TIMESTAMP.fullmatch(text) if text else None
    if match is None:
        return None
    try:
        return datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
