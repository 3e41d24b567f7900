"""Who may ask: decided from the request's head alone, before any of its body is read.

On a loopback address reads are open, as long as the Host header names loopback too: a page in somebody's browser can point its own name
at 127.0.0.1, and must not read the fleet that way. Everywhere else, and for every write, a bearer token is needed.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gizzi.api.errors import refusal
from gizzi.config import Settings

PUBLIC_PATH = "/api/network/status"


def tokens_of(settings: Settings) -> list[SecretStr]:
    """Every configured token that has a value."""
    names = [settings.api.token_env, *(token.token_env for token in settings.api.tokens)]
    return [secret for name in names if (secret := settings.secret(name)) is not None]


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

    def __init__(self, app: ASGIApp, tokens: Sequence[SecretStr], *, open_reads: bool, public_status: bool) -> None:
        self._app = app
        self._tokens = [token.get_secret_value().strip().encode() for token in tokens]
        self._open_reads = open_reads
        self._public_status = public_status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._may(scope):
            await self._refuse(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        reads = scope["method"] in ("GET", "HEAD")
        if reads and self._public_status and scope["path"] == PUBLIC_PATH:
            return True
        if reads and self._open_reads and is_loopback(_host(headers)):
            return True
        return self._knows(headers.getlist("authorization"))

    def _knows(self, authorizations: Sequence[str]) -> bool:
        if len(authorizations) != 1:
            return False
        scheme, _, given = authorizations[0].partition(" ")
        word = given.strip().encode("latin-1")  # as it came: header text is decoded so
        matches = [hmac.compare_digest(word, token) for token in self._tokens]
        return scheme.lower() == "bearer" and any(matches)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = "send Authorization: Bearer with the token of [api] token_env"
        if not self._tokens:
            detail = "this needs a token and none is set; put one into the variable that [api] token_env names, and start again"
        answer = refusal(scope["path"], 401, detail, {"WWW-Authenticate": 'Bearer realm="gizzi"', "Connection": "close"})
        await answer(scope, receive, send)


def _host(headers: Headers) -> str:
    """The Host header without its port; "" where it is missing or doubled."""
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        return ""
    name, colon, port = hosts[0].rpartition(":")
    return name if colon and port.isdigit() else hosts[0]
