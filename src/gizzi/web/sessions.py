"""Who has logged in. Sessions live in memory: a daemon that starts anew asks everybody to log in again."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256

from gizzi.clock import Clock
from gizzi.serving.people import Person

COOKIE = "gizzi_session"
FORM_COOKIE = "gizzi_form"
LASTS_S = 12 * 3600.0
MOST = 1000


@dataclass(slots=True)
class Session:
    """csrf: every form of this session carries it. said: what the next page is to tell, once."""

    person: Person
    until: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    said: str = ""

    def take_said(self) -> str:
        said, self.said = self.said, ""
        return said


class Sessions:
    """Kept under the hash of what the cookie holds: who reads our memory's keys has no cookie yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[bytes, Session] = OrderedDict()

    def begin(self, person: Person) -> str:
        """What the cookie is to hold."""
        word = secrets.token_urlsafe(32)
        self._open[_key(word)] = Session(person, self._clock.now() + LASTS_S)
        while len(self._open) > MOST:
            self._open.popitem(last=False)
        return word

    def find(self, word: str | None) -> Session | None:
        if not word:
            return None
        session = self._open.get(_key(word))
        if session is not None and session.until <= self._clock.now():
            del self._open[_key(word)]
            return None
        return session

    def end(self, word: str | None) -> None:
        self._open.pop(_key(word or ""), None)


def same(one: str, other: str) -> bool:
    return bool(one) and hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _key(word: str) -> bytes:
    return sha256(word.encode("utf-8", "replace")).digest()
