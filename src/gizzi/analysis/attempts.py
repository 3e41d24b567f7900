"""From events to attempts at logging in: one connection writes several lines about one attempt, and each attempt counts once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from gizzi.readers.authlog import Event

MOST_SESSIONS = 1024
"""More than sshd keeps open before login, on all hosts of a fleet together."""
STALE_S = 600.0
"""After so long another connection has that process id."""


class Place(NamedTuple):
    """Where an event stood. at: epoch seconds, 0 where the line has no time. number: of the line, from 1."""

    at: float
    stream: str
    number: int
    line: str


class Attempt(NamedTuple):
    source: str
    user: str
    unknown_user: bool
    tries: int
    place: Place


@dataclass(slots=True)
class _Session:
    """What one process wrote: lines of sshd itself, and what only PAM or the connection's end tells."""

    at: float
    source: str = ""
    name: str = ""
    user: str = ""
    unknown: bool = False
    failed: int = 0
    pam: int = 0
    tried: int = 0
    place: Place | None = None
    knocked: Place | None = None


class Attempts:
    """Feeds each attempt to `tell` as soon as it is certain."""

    def __init__(self, tell: Callable[[Attempt], None]) -> None:
        self._tell = tell
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def observe(self, key: str, event: Event, place: Place) -> None:
        """key: host, program and process."""
        session = self._session(key or event.source, place.at)
        session.at = place.at
        session.source = event.source if event.kind != "pam" and event.source else session.source
        session.user = event.user or session.user
        match event.kind:
            case "failed" | "invalid" if event.times:
                session.unknown = session.unknown or event.kind == "invalid"
                session.failed += event.times
                self._tell(Attempt(event.source, event.user, session.unknown, event.times, place))
            case "invalid":
                session.unknown, session.tried, session.place = True, 1 if key else session.tried + 1, session.place or place
            case "given_up":
                session.unknown = session.unknown or event.detail == "invalid"
                session.tried, session.place = 1, session.place or place
                self.end(key or event.source)
            case "pam":
                session.pam += event.times
                session.name, session.place = event.source, place
            case "unknown_user":
                session.unknown = True
            case "probe":
                session.knocked = place
            case _:
                pass

    def seen(self, key: str, source: str, at: float) -> None:
        """Where a process's connection comes from: if that is elsewhere than before, it is another connection."""
        session = self._session(key, at)
        if session.source not in ("", source):
            self._forget(key)
            session = self._session(key, at)
        session.at, session.source = at, source

    def knock(self, key: str, source: str) -> tuple[str, Place] | None:
        """A connection that never tried to log in, once its source is known: from that process's lines, or the one just read."""
        session = self._sessions.get(key)
        if session is None or session.knocked is None or not (source := source or session.source):
            return None
        place, session.knocked = session.knocked, None
        return None if session.failed or session.pam or session.tried else (source, place)

    def _session(self, key: str, at: float) -> _Session:
        session = self._sessions.get(key)
        if session is not None and abs(at - session.at) > STALE_S:
            self._forget(key)
            session = None
        if session is None:
            session = self._sessions[key] = _Session(at)
            if len(self._sessions) > MOST_SESSIONS:
                self._forget(next(iter(self._sessions)))
        else:
            self._sessions.move_to_end(key)
        return session

    def end(self, key: str) -> None:
        """Tell what this process tried that no line of sshd's own has told. PAM may still write its sum after that."""
        session = self._sessions.get(key)
        if session is None or session.place is None:
            return
        more = max(session.pam, session.tried) - session.failed
        source = session.source or session.name
        if more > 0 and source:
            session.failed += more
            self._tell(Attempt(source, session.user, session.unknown, more, session.place))

    def _forget(self, key: str) -> None:
        self.end(key)
        del self._sessions[key]

    def end_all(self) -> None:
        for key in list(self._sessions):
            self._forget(key)
