"""What is remembered of each source while a log is read, bounded however long the log is."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gizzi.analysis.attempts import Attempt, Place

MOST_SOURCES = 20_000
MOST_KEPT = 5_000
MOST_USERS = 64
FAST_TRIES = 5
FAST_WITHIN_S = 600.0
"""The defaults of fail2ban."""
HONEST_TRIES = 5
"""A person may mistype so often before the right password."""
BURST = 6
BURST_WITHIN_S = 600.0
PORTS = 8
"""Connections that never try to log in, and ports that the firewall closed, within that time: a scan."""
QUOTES = 3


@dataclass(slots=True)
class Probes:
    """A source's connections that never try to log in, and the ports that the firewall closed to it, with when."""

    first_at: float
    last_at: float
    count: int = 0
    many: bool = False
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=BURST))
    ports: dict[str, float] = field(default_factory=dict)
    quotes: list[Place] = field(default_factory=list)

    def observe(self, place: Place, port: str) -> None:
        """port: "" where it is not known."""
        at = place.at
        self.first_at, self.last_at = min(self.first_at, at), max(self.last_at, at)
        self.count += 1
        if port:
            self._port(port, at)
        else:
            self.recent.append(at)
            self.many = self.many or (len(self.recent) == BURST and max(self.recent) - min(self.recent) <= BURST_WITHIN_S)
        if len(self.quotes) < QUOTES:
            self.quotes.append(place)

    def _port(self, port: str, at: float) -> None:
        if self.ports and at - max(self.ports.values()) > BURST_WITHIN_S:
            self.ports.clear()
        if len(self.ports) < MOST_USERS:
            self.ports[port] = at
        self.many = self.many or len(self.ports) >= PORTS


@dataclass(slots=True)
class Track:
    """One source. Times are epoch seconds. users: tries by name; unknown: names that do not exist. break_in: the login that followed."""

    source: str
    first_at: float = 0.0
    last_at: float = 0.0
    tries: int = 0
    fast: bool = False
    users: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=FAST_TRIES))
    quotes: list[Place] = field(default_factory=list)
    newest: Place | None = None
    probes: Probes | None = None
    doubtful_name: bool = False
    break_in: tuple[str, Place, int] | None = None
    root_login: Place | None = None

    def attempt(self, attempt: Attempt) -> None:
        at, count = attempt.place.at, attempt.tries
        self.first_at = min(self.first_at, at) if self.tries else at
        self.last_at = max(self.last_at, at) if self.tries else at
        self.tries += count
        names = self.unknown if attempt.unknown_user else self.users
        if attempt.user in names or len(names) < MOST_USERS:
            names[attempt.user] = names.get(attempt.user, 0) + count
        self.recent.extend([at] * min(count, FAST_TRIES))
        self.fast = self.fast or (len(self.recent) == FAST_TRIES and max(self.recent) - min(self.recent) <= FAST_WITHIN_S)
        if len(self.quotes) < QUOTES:
            self.quotes.append(attempt.place)
        else:
            self.newest = attempt.place

    def accepted(self, user: str, how: str, place: Place) -> None:
        """A login. What a person may have mistyped before it is forgotten; after more than that it is somebody who guessed right."""
        by_guess = how.startswith(("password", "keyboard-interactive"))
        honest = self.tries <= HONEST_TRIES and set(self.users) <= {user, ""} and len(self.unknown) <= 1
        if honest:
            self.forget()
        elif by_guess and self.break_in is None:
            self.break_in = (user, place, self.tries)
        if by_guess and user == "root" and self.root_login is None:
            self.root_login = place

    def forget(self) -> None:
        self.tries, self.fast, self.newest = 0, False, None
        for bounded in (self.users, self.unknown, self.recent, self.quotes):
            bounded.clear()

    def probe(self, place: Place, port: str = "") -> None:
        if self.probes is None:
            self.probes = Probes(place.at, place.at)
        self.probes.observe(place, port)

    @property
    def speaks(self) -> bool:
        """Whether it is worth a finding by itself."""
        return (
            self.fast
            or (self.probes is not None and self.probes.many)
            or self.break_in is not None
            or self.root_login is not None
            or len(self.unknown) >= FAST_TRIES
        )


class Tracks:
    """By source, the one heard of last at the end; the oldest go where there are too many, those that say something last."""

    def __init__(self) -> None:
        self._tracks: OrderedDict[str, Track] = OrderedDict()
        self._kept: dict[str, Track] = {}
        self.dropped = 0

    def of(self, source: str) -> Track:
        track = self._tracks.get(source)
        if track is not None:
            self._tracks.move_to_end(source)
            return track
        track = self._tracks[source] = self._kept.pop(source) if source in self._kept else Track(source)
        if len(self._tracks) > MOST_SOURCES:
            name, oldest = self._tracks.popitem(last=False)
            if oldest.speaks and len(self._kept) < MOST_KEPT:
                self._kept[name] = oldest
            else:
                self.dropped += 1
        return track

    def known(self, source: str) -> Track | None:
        return self._tracks.get(source) or self._kept.get(source)

    def __iter__(self) -> Iterator[Track]:
        yield from self._kept.values()
        yield from self._tracks.values()
