"""A validator's host: answers the commands that sources and actions run over SSH, also while the node is down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gizzi.errors import CommandFailed
from gizzi.sim import log
from gizzi.sim.chain import mix
from gizzi.sim.log import UNIT

if TYPE_CHECKING:
    from gizzi.sim.fleet import SimFleet
    from gizzi.sim.node import SimNode

DATA_DIR = "/var/lib/sim-node"
DISK_BYTES = 500_000_000_000
DISK_GROWTH_BYTES_PER_S = 15_000
"""A healthy chain fills the rest of the disk in half a year."""
MEMORY_KB = 65_536_000
CORES = 8
TICKS_PER_S = 100

_SPANS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


class SimHost:
    def __init__(self, fleet: SimFleet, node: SimNode) -> None:
        self._fleet = fleet
        self._node = node
        self._chance = mix(fleet.seed * 104_729 + node.number)
        self._free_bytes = DISK_BYTES * (45 + self._chance % 20) // 100
        self._busy_percent = 15 + (self._chance >> 8) % 20
        self._shown: tuple[tuple[object, ...], str] = ((), "")

    def run(self, command: Sequence[str], now: float) -> str:
        """Standard output of a command. Raises CommandFailed as ssh would report it."""
        words = list(command)
        if words[:1] == ["sudo"]:
            words = [word for word in words[1:] if word != "-n"]
        if not words:
            raise CommandFailed("no command was given", 2)
        match words[0].rpartition("/")[2]:
            case "systemctl":
                return self._systemctl([word for word in words[1:] if word != "--user"], now)
            case "journalctl":
                return self._journalctl(words[1:], now)
            case "df":
                return self._df(words[1:], now)
            case "head" | "cat":
                return self._proc(words[1:], now)
            case "stat" | "ls":
                return self._fds(words)
            case "upgrade-node" if len(words) == 2:
                self._node.installed = words[1]
                return f"{words[1]} is installed\n"
            case name:
                raise CommandFailed(f"{name}: command not found", 127)

    # systemd

    def _systemctl(self, words: list[str], now: float) -> str:
        verb, unit = (words[0], words[-1]) if len(words) > 1 else ("", "")
        known = unit in (UNIT, UNIT.removesuffix(".service"))
        number = self._node.number
        if verb == "show":
            return self._unit_text() if known else _NO_UNIT
        if verb not in ("restart", "start", "stop", "is-active"):
            raise CommandFailed(f"systemctl: unknown command {verb!r}", 1)
        if not known:
            raise CommandFailed(f"Unit {unit} not found.", 5)
        if verb == "is-active":
            if self._node.running:
                return "active\n"
            raise CommandFailed("inactive", 3)
        {"restart": self._fleet.restart, "start": self._fleet.start, "stop": self._fleet.stop}[verb](number)
        return ""

    def _unit_text(self) -> str:
        node = self._node
        unclean = not node.running and node.has("unclean_stop") is not None
        key = (node.running, node.started_at, unclean)
        if self._shown[0] != key:
            state = ("active", "running", "success") if node.running else ("inactive", "dead", "success")
            if unclean:
                state = ("failed", "failed", "signal")
            code, status = (0, 0) if node.running else (2, 9) if unclean else (1, 0)
            pairs = {
                "LoadState": "loaded",
                **dict(zip(("ActiveState", "SubState", "Result"), state, strict=True)),
                "MainPID": self._pid() if node.running else 0,
                "NRestarts": 0,
                "ExecMainCode": code,
                "ExecMainStatus": status,
                "ExecMainStartTimestamp": f"{datetime.fromtimestamp(int(node.started_at), UTC):%a %Y-%m-%d %H:%M:%S} UTC",
            }
            self._shown = (key, "".join(f"{name}={value}\n" for name, value in pairs.items()))
        return self._shown[1]

    def _pid(self) -> int:
        return 1000 + mix(int(self._node.started_at) + self._node.number) % 60_000

    # the log

    def _journalctl(self, words: list[str], now: float) -> str:
        given = {word.partition("=")[0]: word.partition("=")[2] for word in words}
        unit = given.get("--unit", given.get("--user-unit", ""))
        if unit not in (UNIT, UNIT.removesuffix(".service")):
            return ""
        since, until = _moment(given.get("--since"), now, 0.0), _moment(given.get("--until"), now, now)
        lines = [line for line in self._node.log if since <= line[0] <= until]
        identifier, pattern = given.get("--identifier"), given.get("--grep")
        if identifier is not None:
            lines = [line for line in lines if line[1] == identifier]
        if pattern is not None:
            flags = re.IGNORECASE if pattern == pattern.lower() else 0
            lines = [line for line in lines if re.search(pattern, line[2], flags)][::-1] if lines else []
            if not lines:
                raise CommandFailed("journalctl ended with the exit status 1", 1)
        elif identifier is None and until >= now and self._node.running:
            lines.append((now - 1.0, log.NODE, self._idle(now)))
        count = given.get("--lines", "")
        if count.isdigit():
            lines = lines[: int(count)] if pattern is not None else lines[-int(count) :]
        pid = self._pid()
        return "".join(f"{at:.6f} {writer}[{1 if writer == log.SYSTEMD else pid}]: {text}\n" for at, writer, text in lines)

    def _idle(self, now: float) -> str:
        node = self._node
        return log.idle_line(node.chain, node.peers(now), *node.heights(now))

    # disk, memory, processors

    def free_bytes(self, now: float) -> int:
        """Free space where the database lies."""
        free = self._free_bytes - (now - self._fleet.start_at) * DISK_GROWTH_BYTES_PER_S
        for active in self._node.faults:
            if active.fault.kind == "disk_fill":
                free -= (now - active.since) * active.fault["bytes_per_s"]
        return max(0, int(free))

    def _df(self, words: list[str], now: float) -> str:
        free = self.free_bytes(now)
        known = {"size": DISK_BYTES, "used": DISK_BYTES - free, "avail": free}
        columns = next((word.partition("=")[2].split(",") for word in words if word.startswith("--output=")), ["size", "avail"])
        if not all(column in known for column in columns):
            raise CommandFailed(f"df: unknown column in {','.join(columns)!r}", 1)
        return " ".join(columns) + "\n" + " ".join(str(known[column]) for column in columns) + "\n"

    def _proc(self, words: list[str], now: float) -> str:
        files = [word for word in words if word.startswith("/")]
        parts = [self._stat(now) if file == "/proc/stat" else self._meminfo(now) if file == "/proc/meminfo" else None for file in files]
        if not files or None in parts:
            raise CommandFailed("head: cannot open: No such file or directory", 1)
        if len(files) == 1:
            return str(parts[0])
        return "\n".join(f"==> {file} <==\n{part}" for file, part in zip(files, parts, strict=True))

    def _stat(self, now: float) -> str:
        total = int((now - self._fleet.start_at + 864_000) * CORES * TICKS_PER_S)
        busy = total * self._busy_percent // 100
        user, system = busy * 4 // 5, busy - busy * 4 // 5
        return f"cpu  {user} 0 {system} {total - busy} 0 0 0 0 0 0\n"

    def _meminfo(self, now: float) -> str:
        available = MEMORY_KB * (50 + self._chance % 12) // 100 + mix(int(now / 30)) % 400_000
        return f"MemTotal:       {MEMORY_KB} kB\nMemFree:        {available // 3} kB\nMemAvailable:   {available} kB\n"

    def _fds(self, words: list[str]) -> str:
        if words[-1] != f"/proc/{self._pid()}/fd" or not self._node.running:
            raise CommandFailed(f"{words[0]}: cannot access '{words[-1]}': No such file or directory", 1)
        count = 300 + self._chance % 500
        return f"{count}\n" if words[0] == "stat" else "".join(f"{fd}\n" for fd in range(count))


_NO_UNIT = (
    "LoadState=not-found\nActiveState=inactive\nSubState=dead\nResult=success\nMainPID=0\nNRestarts=0\n"
    "ExecMainCode=0\nExecMainStatus=0\nExecMainStartTimestamp=\n"
)


def _moment(text: str | None, now: float, default: float) -> float:
    """What journalctl's --since and --until mean: "-1h", "@1700000000", or the host's wall clock, which is UTC."""
    if text is None:
        return default
    ago = re.fullmatch(r"-(\d+)(s|min|m|h|d)", text)
    if ago:
        return now - int(ago[1]) * _SPANS_S[ago[2]]
    if text.startswith("@"):
        return float(text[1:])
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise CommandFailed(f"Failed to parse timestamp: {text}", 1) from None
