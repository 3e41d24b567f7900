"""A unit's log: the commands that ask for the lines that matter, and what those lines say.

Everything in a log may have been written by somebody else. A line counts only where the node itself begins its message with the words
of the node's source; the same words later in a message are somebody's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gizzi.readers.ss58 import public_key
from gizzi.readers.systemd import UNCLEAN_RESULTS, checked_unit

MAX_LINES = 500
MAX_LINES_TRIED = 10 * MAX_LINES
"""A message of several lines is continued on lines that are none of their own."""
MAX_LINE_CHARS = 4096
"""A GRANDPA equivocation, the longest line that matters, has some 800."""
MAX_IDS = 100
START_TAKES = timedelta(minutes=10)
"""Within this time of its start a node has opened its database and its network, if it comes that far."""

EQUIVOCATION_GREP = "Detected (prevote|precommit) equivocation in the finality worker|Slot author .*is equivocating|own equivocation"
ABUSE_GREP = "[Bb]anned, disconnecting|Verification failed for block .* received from|has been blacklisted|is on a different chain"
START_GREP = "Initializing Genesis block/state|Local node identity is"
"""What a node writes while it starts: the first only where it makes its database anew, the second always."""


def log_command(manager: str, unit: str, *options: str, lines: int = MAX_LINES) -> list[str]:
    """The arguments that ask for the unit's latest lines. `manager` is `[ssh] manager`; options are journalctl's.

    With `--grep` the newest come first, and the exit status is 1 where none matches; it needs Debian 10, Ubuntu 20.04, RHEL 8 or later.
    The account must be in the group systemd-journal. Raises UnreadableUnit for what is no unit's name.
    """
    which = "--user-unit" if manager.endswith("--user") else "--unit"
    shape = ("--quiet", "--no-pager", "--no-hostname", "--all", "--output=short-unix", f"--lines={lines}")
    return ["journalctl", f"{which}={checked_unit(unit)}", *shape, *options]


def readable_command(manager: str, unit: str) -> list[str]:
    """The unit's last line: proof that its log can be read at all."""
    return log_command(manager, unit, lines=1)


def equivocations_command(manager: str, unit: str) -> list[str]:
    """Equivocations of the last hour, on the host's clock."""
    return log_command(manager, unit, "--since=-1h", f"--grep={EQUIVOCATION_GREP}")


def abuse_command(manager: str, unit: str) -> list[str]:
    """Misbehaving peers of the last hour. Apart from equivocations, so that peers who fill the log cannot push those out."""
    return log_command(manager, unit, "--since=-1h", f"--grep={ABUSE_GREP}")


def start_command(manager: str, unit: str, started_local: datetime) -> list[str]:
    """What the node wrote while it started. The time is the host's own wall clock, as `systemctl show` gives it."""
    since, until = f"--since={started_local:%Y-%m-%d %H:%M:%S}", f"--until={started_local + START_TAKES:%Y-%m-%d %H:%M:%S}"
    return log_command(manager, unit, since, until, f"--grep={START_GREP}", lines=20)


def end_command(manager: str, unit: str) -> list[str]:
    """What systemd itself wrote of the unit: how its last run ended, also before the boot."""
    return log_command(manager, unit, "--identifier=systemd", lines=20)


@dataclass(frozen=True, slots=True)
class Line:
    """at: epoch seconds on the host's clock. writer: the program's name. message: without colours and the node's own time stamp."""

    at: float
    writer: str
    message: str


_JOURNAL = re.compile(r"([0-9]{1,12}\.[0-9]{1,9}) (\S{1,255}?)(?:\[[0-9]{1,10}\])?: (.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,32}[A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# A node writes the time first; with --detailed-log-output level, thread and target; a collator names which of its two nodes it is.
_PREFIX = re.compile(
    r"(?:[0-9-]{10}[ T][0-9:]{8}(?:\.[0-9]{1,9})?Z? {1,4})?"
    r"(?:(?:[\w<>()-]{1,64} {1,4})?(?:ERROR|WARN|INFO|DEBUG|TRACE) {1,4}(?:[\w<>()-]{1,64} {1,4})?"
    r"[\w-]{1,64}(?:::[\w-]{1,64}){0,8}(?:: | {2}))?"
    r"(?:\[[A-Za-z0-9 _-]{1,32}\] {1,4})?"
)


def lines(text: str) -> Iterator[Line]:
    """The lines of `log_command`'s output, at most MAX_LINES, each cut at MAX_LINE_CHARS; what is none is left out."""
    start = count = 0
    for _ in range(MAX_LINES_TRIED):
        if start >= len(text) or count >= MAX_LINES:
            return
        newline = text.find("\n", start)
        end = newline if newline >= 0 else len(text)
        match = _JOURNAL.fullmatch(text[start : min(end, start + MAX_LINE_CHARS)].rstrip("\r"))
        start = end + 1
        if match:
            count += 1
            yield Line(float(match[1]), match[2], plain_message(match[3]))


def plain_message(text: str) -> str:
    """What a node says on a line: without colours, control characters and its own time stamp."""
    text = _CONTROL.sub("", _COLOUR.sub("", text))
    prefix = _PREFIX.match(text)
    return text[prefix.end() :] if prefix else text


@dataclass(frozen=True, slots=True)
class Equivocations:
    """count: lines that report one. ids: the offenders' public keys, each once, `0x` and hex where it is a key of 32 bytes. own: lines
    where the node says that the offender votes with its own key: a second signer."""

    count: int
    ids: tuple[str, ...]
    own: int


@dataclass(frozen=True, slots=True)
class Idle:
    """The node's own summary, every 5 s: peers, and the numbers of its best and its finalized block."""

    peers: int
    best: int
    finalized: int


# The words are those of polkadot-sdk's sources (sc-consensus-grandpa, -babe, -aura, -beefy, sc-network, -sync, sc-service), with an emoji
# in front where they have one; older releases have none.
_EMOJI = r"(?:[^\w\s!-~]{1,4}\s{1,4})?"
_EQUIVOCATION = re.compile(
    _EMOJI + r"(?:Detected (?:prevote|precommit) equivocation in the finality worker: (?:Equivocation \{ round_number: [0-9]{1,20}, "
    r"identity: ([^{}]{1,200}?), first: )?|Slot author (?:(.{1,200}?) )?is equivocating at slot )"
)
_PUBLIC = re.compile(r"Public\(([0-9A-Za-z]{40,70})(?: \([^()]{0,64}\))?\)")
_OWN = re.compile(
    _EMOJI + r"(?:Error reporting (?:prevote|precommit) equivocation: .{0,160}|Skipping report )"
    r"for (?:our )?own equivocation"
)
_ABUSE = re.compile(
    _EMOJI + r"(?:Report \S{1,80}: .{0,300}Banned, disconnecting\.|\S{1,100} banned, disconnecting, reason: |"
    r"Verification failed for block \S{1,80} received from |Block \S{1,80} received from peer \S{1,80} has been blacklisted|"
    r"(?:Reserved peer|Bootnode with peer) id \S{1,80} is on a different chain)"
)
_GENESIS = re.compile(_EMOJI + r"Initializing Genesis block/state \(state: ")
_STARTED = re.compile(_EMOJI + r"Local node identity is: ")
_IDLE = re.compile(_EMOJI + r"Idle \(([0-9]{1,9}) peers?\), best: #([0-9]{1,18}) .{0,200}?finalized #([0-9]{1,18}) ")
_IMPORTED = re.compile(_EMOJI + r"Imported #([0-9]{1,18}) ")
_CLEAN_END = re.compile(r"\S{1,255}: (?:Deactivated successfully|Succeeded)\.")
_BAD_END = re.compile(r"\S{1,255}: Failed with result '([a-z-]{1,40})'\.")
_SYSTEMD = "systemd"


def _node_lines(text: str) -> Iterator[str]:
    return (line.message for line in lines(text) if line.writer != _SYSTEMD)


def equivocations(text: str) -> Equivocations:
    """What the lines of `equivocations_command` report."""
    count = own = 0
    ids: dict[str, None] = {}
    for message in _node_lines(text):
        match = _EQUIVOCATION.match(message)
        if match:
            count += 1
            identity = match[1] or match[2]
            if identity and len(ids) < MAX_IDS:
                ids[_identity(identity)] = None
        elif _OWN.match(message):
            own += 1
    return Equivocations(count, tuple(ids), own)


def _identity(text: str) -> str:
    public = _PUBLIC.fullmatch(text)
    return (public_key(public[1]) if public else None) or text


def abuse_lines(text: str) -> int:
    """How many lines report a peer that misbehaves."""
    return sum(1 for message in _node_lines(text) if _ABUSE.match(message))


def reports_equivocation(message: str) -> bool:
    """Whether a node's message tells of an equivocation, its own or another's."""
    return bool(_EQUIVOCATION.match(message) or _OWN.match(message))


def reports_abuse(message: str) -> bool:
    """Whether a node's message tells of a peer that misbehaves."""
    return bool(_ABUSE.match(message))


def genesis(text: str) -> bool | None:
    """Whether the node made its database anew while it started; None where the lines do not show a whole start."""
    messages = list(_node_lines(text))
    if any(_GENESIS.match(message) for message in messages):
        return True
    return False if any(_STARTED.match(message) for message in messages) else None


def ended_unclean(text: str) -> bool | None:
    """Whether the last run, which is over, ended without closing its database, by what systemd wrote; None where that does not say.

    Where "Started" is the last word, the host went down under it. (A user's systemd says nothing of a node that ends by itself without
    an error either; that counts as unclean too, so that a person looks.)
    """
    stopped = False
    for line in sorted(lines(text), key=lambda line: line.at, reverse=True):
        if line.writer != _SYSTEMD:
            continue
        if _CLEAN_END.fullmatch(line.message):
            return False
        bad = _BAD_END.fullmatch(line.message)
        if bad:
            return True if bad[1] in UNCLEAN_RESULTS else None
        if line.message.startswith("Started "):
            return not stopped
        stopped = stopped or line.message.startswith("Stopped ")
    return None


def idle(message: str) -> Idle | None:
    """The figures of an idle line; None for any other."""
    match = _IDLE.match(message)
    return Idle(int(match[1]), int(match[2]), int(match[3])) if match else None


def imported(message: str) -> int | None:
    """The number of the block an import line tells of; None for any other."""
    match = _IMPORTED.match(message)
    return int(match[1]) if match else None
