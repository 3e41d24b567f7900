"""Reads logs as they come, and tells who attacks: `scan_logs_for_attacks`. Constant memory, whatever the log's length.

Lines of several hosts and files may be mixed; slightly out of order is put in order, and a log that goes on in the next file of its
rotation is one log.
"""

from __future__ import annotations

import heapq
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, tzinfo
from functools import lru_cache

from gizzi.analysis.attack_report import Attack, ScanReport, Side, findings
from gizzi.analysis.attempts import Attempt, Attempts, Place
from gizzi.analysis.tracks import Tracks
from gizzi.readers.authlog import Event, event_of
from gizzi.readers.logline import MAX_LINE_CHARS, Parts, Times, split_line

IN_ORDER_OF = 256
"""So many events are held back to be put in order."""
MOST_SIDES = 2_000
_LONGEST_KEPT = 400
Held = tuple[float, int, Event, Parts, str, int, str]


def scan_logs_for_attacks(
    streams: Mapping[str, Iterable[bytes | str]], *, reference: float | Mapping[str, float], zone: tzinfo = UTC
) -> ScanReport:
    """streams: by name, pieces of a log of any size, which need not end where a line does.

    reference: about when the log ends, epoch seconds, for stamps without a year; may be given for each stream. zone: that of stamps
    without one.
    """
    scan = Scan()
    for name, pieces in streams.items():
        end = reference if isinstance(reference, int | float) else reference[name]
        scan.read(name, pieces, Times(end, zone))
    return scan.report()


def lines_of(pieces: Iterable[bytes | str]) -> Iterator[str]:
    """The lines, each cut at MAX_LINE_CHARS; one that never ends does not fill the memory."""
    rest, skipping = "", False
    for piece in pieces:
        text = piece if isinstance(piece, str) else piece.decode("utf-8", "replace")
        found = (rest + text).split("\n")
        rest = found.pop()
        if skipping and found:
            found, skipping = found[1:], False
        yield from found
        if len(rest) > MAX_LINE_CHARS:
            if not skipping:
                yield rest[:MAX_LINE_CHARS]
            rest, skipping = "", True
    if rest and not skipping:
        yield rest


class Scan:
    """Several logs as one. `read` each, then `report`."""

    def __init__(self) -> None:
        self._tracks = Tracks()
        self._sides: dict[tuple[str, str], Side] = {}
        self._attempts = Attempts(self._attempted)
        self._held: list[Held] = []
        self._seen = self._lines = self._events = 0
        self._last_at = 0.0
        self._earliest, self._latest = float("inf"), 0.0

    def read(self, name: str, pieces: Iterable[bytes | str], times: Times) -> None:
        number = 0
        for number, line in enumerate(lines_of(pieces), 1):
            parts = split_line(line)
            event = event_of(parts) if parts else None
            if event is not None and parts is not None:
                self._hold(event, parts, times.at(parts.stamp) if parts.stamp else None, name, number, line)
        self._lines += number
        while self._held:
            self._take(heapq.heappop(self._held))

    def _hold(self, event: Event, parts: Parts, at: float | None, name: str, number: int, line: str) -> None:
        if at is None:
            at = self._last_at
        else:
            self._earliest, self._latest = min(at, self._earliest), max(at, self._latest)
        self._last_at = at
        self._seen += 1
        held = (at, self._seen, event, parts, name, number, line[:_LONGEST_KEPT])
        if self._seen - self._events > IN_ORDER_OF:
            self._take(heapq.heappushpop(self._held, held))
        else:
            heapq.heappush(self._held, held)

    def _take(self, held: Held) -> None:
        at, _, event, parts, name, number, line = held
        self._events += 1
        place = Place(at, name, number, line)
        source = plain_source(event.source) if event.source else ""
        if source != event.source:
            event = event._replace(source=source)
        key = f"{parts.host} {parts.program} {parts.pid}" if parts.pid else ""
        match event.kind:
            case "failed" | "invalid" | "pam" | "unknown_user" | "given_up":
                self._attempts.observe(key, event, place)
            case "accepted":
                self._attempts.end(key or source)
                if event.user == "root" or self._tracks.known(source):
                    self._tracks.of(source).accepted(event.user, event.detail, place)
            case "seen":
                if key:
                    self._attempts.seen(key, source, at)
            case "probe" | "closed" if key:
                if event.kind == "probe":
                    self._attempts.observe(key, event, place)
                self._knocked(self._attempts.knock(key, source))
                self._attempts.end(key)
            case "probe":
                self._attempts.end(source)
                self._knocked((source, place))
            case "closed":
                self._attempts.end(source)
            case "reverse":
                self._tracks.of(source).doubtful_name = True
            case "blocked":
                self._tracks.of(source).probe(place, event.detail)
            case _:
                self._side(event, parts.host, place)

    def _attempted(self, attempt: Attempt) -> None:
        self._tracks.of(attempt.source).attempt(attempt)

    def _knocked(self, knock: tuple[str, Place] | None) -> None:
        """A connection that never tried to log in."""
        if knock is not None and knock[0] and not is_own(knock[0]):
            self._tracks.of(knock[0]).probe(knock[1])

    def _side(self, event: Event, host: str, place: Place) -> None:
        kind = "sudo" if event.kind.startswith("sudo_") else event.kind
        subject = (event.user if kind == "sudo" else event.source) or "unknown"
        if event.kind == "sudo_done" and (kind, f"{subject} {host}") not in self._sides:
            return
        key = (kind, f"{subject} {host}" if kind == "sudo" else subject)
        side = self._sides.get(key)
        if side is None:
            if len(self._sides) >= MOST_SIDES:
                return
            side = self._sides[key] = Side(kind, subject)
        side.observe(event, place)

    def report(self) -> ScanReport:
        """What was found in all that was read."""
        self._attempts.end_all()
        found: list[Attack] = findings(list(self._tracks), list(self._sides.values()))
        first, last = (self._earliest, self._latest) if self._latest else (None, None)
        return ScanReport(tuple(found), self._lines, self._events, first, last, self._tracks.dropped)


@lru_cache(maxsize=4096)
def plain_source(text: str) -> str:
    """An address without its IPv4-in-IPv6 form and zone, a host's name in small letters, anything else cut short."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text[:255].lower() if "." in text else text[:255]
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


@lru_cache(maxsize=4096)
def is_own(source: str) -> bool:
    """Whether it is an address of a private network, where monitors and balancers knock all day."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source == "localhost" or source.upper() == "UNKNOWN"
    # the documentation's networks count as anybody's: examples and tests use them
    return address.is_loopback or address.is_link_local or any(address in net for net in _OWN if net.version == address.version)


_OWN = tuple(ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
