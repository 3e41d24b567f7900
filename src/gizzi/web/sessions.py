"""Who has logged in. Sessions lie in the store, so that a daemon that starts anew knows them; what their cookies hold lies nowhere."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from gizzi.clock import Clock
from gizzi.errors import StoreError
from gizzi.serving.people import Person
from gizzi.store import Store
from gizzi.store.session_schema import sessions

COOKIE = "gizzi_session"
FORM_COOKIE = "gizzi_form"
LASTS_S = 12 * 3600.0
MOST = 1000
"""So many are kept; then those end first that would end first anyway."""


@dataclass(slots=True)
class Session:
    """csrf: every form of this session carries it. said: what the next page is to tell, once."""

    person: Person
    until: float
    csrf: str
    said: str = ""

    def take_said(self) -> str:
        said, self.said = self.said, ""
        return said


class Sessions:
    """A session ends at its time, with its log-out, and where its person has no token any more, or another one."""

    def __init__(self, store: Store, clock: Clock, people: Sequence[Person]) -> None:
        self._store = store
        self._clock = clock
        self._people = {person.name: person for person in people}
        self._seen: OrderedDict[str, Session] = OrderedDict()
        """Those that somebody has used since we started, by key: the store is asked once for each."""

    async def begin(self, person: Person) -> str:
        """What the cookie is to hold. Raises StoreError."""
        word = secrets.token_urlsafe(32)
        now = self._clock.now()
        row = {"key": _key(word), "person": person.name, "proof": _proof(word, person), "until": now + LASTS_S}

        def work(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.until <= now))
            connection.execute(insert(sessions).values(**row))
            kept = select(sessions.c.key).order_by(sessions.c.until.desc(), sessions.c.key).limit(MOST)
            connection.execute(delete(sessions).where(sessions.c.key.not_in(kept)))

        await self._store.run(work)
        return word

    async def find(self, word: str | None) -> Session | None:
        """None also while the store cannot be read and the session was not used before."""
        if not word:
            return None
        session = self._seen.get(_key(word)) or await self._take_up(word)
        return session if session is not None and session.until > self._clock.now() else None

    async def end(self, word: str | None) -> None:
        """Raises StoreError, where it may come back with the next start."""
        key = _key(word or "")
        self._seen.pop(key, None)
        await self._store.run(lambda connection: connection.execute(delete(sessions).where(sessions.c.key == key)))

    async def _take_up(self, word: str) -> Session | None:
        key = _key(word)
        try:
            row: Any = await self._store.run(lambda connection: connection.execute(select(sessions).where(sessions.c.key == key)).first())
        except StoreError:
            return None
        person = None if row is None else self._people.get(row.person)
        if person is None or not same(row.proof, _proof(word, person)):
            return None
        session = self._seen[key] = Session(person, row.until, _keyed(word, "form"))
        while len(self._seen) > MOST:
            self._seen.popitem(last=False)
        return session


def same(one: str, other: str) -> bool:
    return bool(one) and hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _key(word: str) -> str:
    return sha256(word.encode("utf-8", "replace")).hexdigest()


def _proof(word: str, person: Person) -> str:
    return _keyed(word, f"token {person.token.get_secret_value()}")


def _keyed(word: str, about: str) -> str:
    """Nobody can tell it, or what it is about, without the word."""
    return hmac.new(word.encode("utf-8", "replace"), about.encode("utf-8", "replace"), sha256).hexdigest()
