"""Who may ask: decided from the request's head alone, before any of its body is read.

On a loopback address reads are open, as long as the Host header names loopback too: a page in somebody's browser can point its own name
at 127.0.0.1, and must not read the fleet that way. Everywhere else, and for every write, a bearer token is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gizzi.api.errors import refusal
from gizzi.serving.buckets import Buckets
from gizzi.serving.people import Person, Tokens, host_of, is_loopback

PUBLIC_PATH = "/api/network/status"

BURST, EVERY_S = 60, 0.5
"""How many changes one client may make at once, and how soon after that one more."""
REPORTERS_POST = "/api/alerts"
READERS_POST = frozenset({"/api/ask", "/v1/chat/completions"})
"""What a viewer may post: questions."""


class Door:
    """ASGI middleware. open_reads: it listens on loopback. public_status: PUBLIC_PATH is for everybody, browsers on other hosts too."""

    def __init__(self, app: ASGIApp, people: Sequence[Person], *, open_reads: bool, public_status: bool) -> None:
        self._app = app
        self._tokens = Tokens(people)
        self._writes = Buckets(BURST, EVERY_S)
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
            wait_s = 0 if person is None or _is_reading(scope) else self._writes.take(f"{person.name} {_peer(scope)}")
            if wait_s:
                detail = f"too many changes at once; go on in {wait_s} s"
                await refusal(scope["path"], 429, detail, {"Retry-After": str(wait_s)})(scope, receive, send)
                return
            scope.setdefault("state", {})["person"] = person
        await self._app(scope, receive, send)

    def _may_unnamed(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        reads = scope["method"] in ("GET", "HEAD")
        if reads and self._public_status and scope["path"] == PUBLIC_PATH:
            return True
        return reads and self._open_reads and is_loopback(host_of(headers))

    def _person(self, authorizations: Sequence[str]) -> Person | None:
        if len(authorizations) != 1:
            return None
        scheme, _, given = authorizations[0].partition(" ")
        word = given.strip().encode("latin-1")  # as it came: header text is decoded so
        owner = self._tokens.owner(word)
        return owner if scheme.lower() == "bearer" else None

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = "send Authorization: Bearer with the token of [api] token_env"
        if not self._tokens:
            detail = "this needs a token and none is set; put one into the variable that [api] token_env names, and start again"
        answer = refusal(scope["path"], 401, detail, {"WWW-Authenticate": 'Bearer realm="gizzi"', "Connection": "close"})
        await answer(scope, receive, send)


def _may(person: Person, scope: Scope) -> bool:
    reports = person.role == "reporter" and scope["path"] == REPORTERS_POST
    return person.role == "approver" or reports or _is_reading(scope)


def _is_reading(scope: Scope) -> bool:
    return scope["method"] in ("GET", "HEAD") or scope["path"] in READERS_POST


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""
