"""Who may ask: decided from the request's head alone, before any of its body is read.

On a loopback address reads are open, as long as the Host header names loopback too: a page in somebody's browser can point its own name
at 127.0.0.1, and must not read the fleet that way. Everywhere else, and for every write, a bearer token is needed.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gizzi.api.errors import refusal
from gizzi.config import Settings

PUBLIC_PATH = "/api/network/status"


OPERATOR = "operator"
"""Who the token of [api] token_env belongs to."""
REPORTERS_POST = "/api/alerts"
READERS_POST = frozenset({"/api/ask", "/v1/chat/completions"})
"""What a viewer may post: questions."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. role: a viewer reads and asks; a reporter also posts alerts; an approver also writes and says yes."""

    name: str
    role: Literal["viewer", "reporter", "approver"]
    token: SecretStr


def people_of(settings: Settings) -> list[Person]:
    """Everybody whose token is configured and has a value."""
    named = [(OPERATOR, "approver", settings.api.token_env), *((t.name, t.role, t.token_env) for t in settings.api.tokens)]
    return [Person(name, role, secret) for name, role, where in named if (secret := settings.secret(where)) is not None]


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own: localhost, 127.0.0.0/8, ::1."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Door:
    """ASGI middleware. open_reads: it listens on loopback. public_status: PUBLIC_PATH is for everybody, browsers on other hosts too."""

    def __init__(self, app: ASGIApp, people: Sequence[Person], *, open_reads: bool, public_status: bool) -> None:
        self._app = app
        self._people = [(person.token.get_secret_value().strip().encode(), person) for person in people]
        self._open_reads = open_reads
        self._public_status = public_status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            person = self._person(Headers(scope=scope).getlist("authorization"))
            if person is None and not self._may_unnamed(scope):
                await self._refuse(scope, receive, send)
                return
            if person is not None and not _may(person, scope):
                await refusal(scope["path"], 403, f"{person.name} is a {person.role}; this needs an approver's token")(scope, receive, send)
                return
            scope.setdefault("state", {})["person"] = person
        await self._app(scope, receive, send)

    def _may_unnamed(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        reads = scope["method"] in ("GET", "HEAD")
        if reads and self._public_status and scope["path"] == PUBLIC_PATH:
            return True
        return reads and self._open_reads and is_loopback(_host(headers))

    def _person(self, authorizations: Sequence[str]) -> Person | None:
        """Whose token it is. Every token is compared, so that the time taken tells nothing."""
        if len(authorizations) != 1:
            return None
        scheme, _, given = authorizations[0].partition(" ")
        word = given.strip().encode("latin-1")  # as it came: header text is decoded so
        found = [person for token, person in self._people if hmac.compare_digest(word, token)]
        return found[0] if found and scheme.lower() == "bearer" else None

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = "send Authorization: Bearer with the token of [api] token_env"
        if not self._people:
            detail = "this needs a token and none is set; put one into the variable that [api] token_env names, and start again"
        answer = refusal(scope["path"], 401, detail, {"WWW-Authenticate": 'Bearer realm="gizzi"', "Connection": "close"})
        await answer(scope, receive, send)


def _may(person: Person, scope: Scope) -> bool:
    reports = person.role == "reporter" and scope["path"] == REPORTERS_POST
    return person.role == "approver" or reports or _is_reading(scope)


def _is_reading(scope: Scope) -> bool:
    return scope["method"] in ("GET", "HEAD") or scope["path"] in READERS_POST


def _host(headers: Headers) -> str:
    """The Host header without its port; "" where it is missing or doubled."""
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        return ""
    name, colon, port = hosts[0].rpartition(":")
    return name if colon and port.isdigit() else hosts[0]
