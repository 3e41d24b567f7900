"""One line of any log: when, on which host, which program, which process, what it says.

Formats: syslog (`Dec 10 06:55:46 host sshd[1]: …`, with or without a year, a priority in front, or RFC 5424's header), journald's short,
short-iso, short-full, short-unix and JSON, a plain time in front, or none at all. Everything in a line may be somebody else's text.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

MAX_LINE_CHARS = 8192
_CACHED_HOURS = 4096
_HALF_YEAR_S = 183 * 86400.0
_DAY_S = 86400.0
_MONTHS = {name: i + 1 for i, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"])}


class Parts(NamedTuple):
    """A line's parts, "" where it has none. stamp is as written; `Times` reads it. program is without its path and PAM's addition."""

    stamp: str
    host: str
    program: str
    pid: str
    message: str


_STAMP = (
    r"([A-Z][a-z]{2} (?:[ 0-9][0-9]|[1-9])(?: [0-9]{4})? [0-9:]{8}(?:\.[0-9]{1,9})?"
    r"|(?:[A-Z][a-z]{2} )?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2}| [A-Z]{3,5}(?= ))?"
    r"|[0-9]{9,12}\.[0-9]{1,9})"
)
_TAG = r"([A-Za-z_./][^\s\[\]:]{0,79})(?:\[([0-9]{1,10})\])?: ?(.*)"
_HEAD = re.compile(_STAMP + r" (?:([^\s:\[\]]{1,255}|[0-9a-f:]{3,45}) )?(?: ?-- ?)?" + _TAG, re.DOTALL)
_BARE = re.compile(_STAMP + r"\s+(.*)", re.DOTALL)
_IDENT = re.compile(
    r"(?:([\w.:-]{1,255}) (?=[a-z-]{2,20}\[[0-9]))?"  # a host alone in front: only with a process id behind the name
    r"((?:sshd|sudo|su|login|kernel|vsftpd|dovecot)[\w().-]{0,30})(?:\[([0-9]{1,10})\])?: ?(.*)",
    re.DOTALL,
)
_BRACKETED = re.compile(r"\[(sshd|sudo|su)\]:? (.*)", re.DOTALL)
_PRIORITY = re.compile(r"<[0-9]{1,3}>")
_STRUCTURED = r"(?:-|(?:\[[^]\s]{1,80}(?: [^]\s=\"]{1,80}=\"(?:[^\"\\]|\\.){0,1000}\")*\])+)"
_RFC5424 = re.compile(r"1 (\S{1,40}) (\S{1,255}) (\S{1,80}) (\S{1,80}) \S{1,80} " + _STRUCTURED + r" ?(.*)", re.DOTALL)


def split_line(line: str) -> Parts | None:
    """None for an empty line. A line of no known form is all message."""
    first = line[:1]
    if first == "{":
        found = _journal_json(line)
        if found is not None:
            return found
    elif first == "<":
        line = _PRIORITY.sub("", line, count=1)
        modern = _RFC5424.match(line)
        if modern:
            stamp, host, program, pid, message = modern.groups()
            return Parts(stamp, host, _program(program), pid if pid.isdigit() else "", message)
    head = _HEAD.match(line)
    if head:
        stamp, host, program, pid, message = head.groups("")
        return Parts(stamp, host, _program(program), pid, message)
    bare = _BARE.match(line)
    if bare:
        named = _BRACKETED.match(bare[2])
        return Parts(bare[1], "", named[1], "", named[2]) if named else Parts(bare[1], "", "", "", bare[2])
    ident = _IDENT.match(line)
    if ident:
        host, program, pid, message = ident.groups("")
        return Parts("", host, _program(program), pid, message)
    return Parts("", "", "", "", line) if line.strip() else None


def _program(name: str) -> str:
    """`sshd(pam_unix)`, `sshd-session` and `/usr/sbin/sshd` are sshd."""
    if name == "sshd":
        return name
    name = name.rpartition("/")[2].partition("(")[0]
    return "sshd" if name.startswith("sshd-") else name


def _journal_json(line: str) -> Parts | None:
    """`journalctl -o json`: a message that is no UTF-8 is a list of bytes there."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or "MESSAGE" not in fields:
        return None
    said = fields["MESSAGE"]
    if isinstance(said, list):
        said = bytes(n for n in said if isinstance(n, int) and 0 <= n < 256).decode(errors="replace")
    micro = str(fields.get("_SOURCE_REALTIME_TIMESTAMP") or fields.get("__REALTIME_TIMESTAMP") or "")
    stamp = f"{micro[:-6]}.{micro[-6:]}" if micro.isascii() and micro.isdigit() and 14 <= len(micro) <= 18 else ""
    program = str(fields.get("SYSLOG_IDENTIFIER") or fields.get("_COMM") or "")[:80]
    pid = str(fields.get("_PID") or fields.get("SYSLOG_PID") or "")
    host = str(fields.get("_HOSTNAME") or "")[:255]
    return Parts(stamp, host, _program(program), pid if pid.isdigit() else "", str(said)[:MAX_LINE_CHARS])


class Times:
    """Reads stamps as epoch seconds.

    reference: about when the log ends (the file's age, or now): of a stamp without a year the first is placed in the last year before it,
    each later one nearest to the one before, so that a log may run over New Year, or have lines out of order there. zone: that of stamps
    which name none.
    """

    def __init__(self, reference: float, zone: tzinfo = UTC) -> None:
        self._reference = reference
        self._zone = zone
        self._last: float | None = None
        self._hours: dict[str, float] = {}

    def at(self, stamp: str) -> float | None:
        """None for no stamp, and for one that is no time."""
        try:
            found = self._read(stamp)
        except (ValueError, IndexError, OverflowError):
            return None
        self._last = found
        return found

    def _read(self, stamp: str) -> float:
        if stamp[3] == " " and stamp[6] == " " and stamp[9] == ":":
            hour = self._hours.get(stamp[:9])
            if hour is None or self._last is None or abs(hour - self._last) > _HALF_YEAR_S:
                hour = self._keep(stamp[:9], self._yearless(_MONTHS[stamp[:3]], int(stamp[4:6]), int(stamp[7:9])))
            return hour + int(stamp[10:12]) * 60 + float(stamp[13:])
        if stamp[4] == "-":
            return self._iso(stamp)
        if stamp[0].isdigit():
            return float(stamp)
        if stamp[8] == "-":  # a weekday in front
            return self._iso(stamp[4:])
        if stamp[5] == " ":  # a day of one digit without the usual blank before it
            return self._read(f"{stamp[:4]} {stamp[4:]}")
        words = stamp.split()
        hour = self._local(int(words[2]), _MONTHS[words[0]], int(words[1]), int(words[3][:2]))
        return hour + int(words[3][3:5]) * 60 + float(words[3][6:])

    def _iso(self, stamp: str) -> float:
        tail = stamp[19:]
        zone = tail.lstrip(".,0123456789")
        key = stamp[:13] + zone
        hour = self._hours.get(key)
        if hour is None:
            moment = datetime(int(stamp[:4]), int(stamp[5:7]), int(stamp[8:10]), int(stamp[11:13]), tzinfo=self._zone_of(zone.strip()))
            hour = self._keep(key, moment.timestamp())
        fraction = tail[: len(tail) - len(zone)]
        return hour + int(stamp[14:16]) * 60 + int(stamp[17:19]) + (float(f"0.{fraction[1:]}") if len(fraction) > 1 else 0.0)

    def _keep(self, key: str, hour: float) -> float:
        if len(self._hours) >= _CACHED_HOURS:
            self._hours.clear()
        self._hours[key] = hour
        return hour

    def _zone_of(self, text: str) -> tzinfo:
        if text in ("Z", "UTC", "GMT"):
            return UTC
        if text[:1] in ("+", "-"):
            minutes = int(text[1:3]) * 60 + int(text[-2:])
            return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))
        return self._zone

    def _yearless(self, month: int, day: int, hour: int) -> float:
        around = self._last if self._last is not None else self._reference + _DAY_S - _HALF_YEAR_S
        year = datetime.fromtimestamp(around, UTC).year
        fitting: list[float] = []
        for candidate in (year - 1, year, year + 1):
            try:
                fitting.append(self._local(candidate, month, day, hour))
            except ValueError:  # 29 February of another year
                continue
        return min(fitting, key=lambda at: abs(at - around))

    def _local(self, year: int, month: int, day: int, hour: int) -> float:
        return datetime(year, month, day, hour, tzinfo=self._zone).timestamp()
