"""Who asks over HTTP: the people of the API, by the same tokens. On loopback, reading is open to this machine."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from mcp.server.mcpserver import Context
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gizzi.errors import UsageError

_STATE = "gizzi_person"


class Person(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def token(self) -> SecretStr: ...


class Gate:
    """ASGI middleware, which decides from the request's head alone. open_reads: it listens on loopback."""

    def __init__(self, app: ASGIApp, people: Sequence[Person], *, open_reads: bool) -> None:
        self._app = app
        self._people = [(person.token.get_secret_value().strip().encode(), person) for person in people]
        self._open_reads = open_reads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = Headers(scope=scope).getlist("authorization")
            person = self._person(given)
            if person is None and (given or not self._open_reads):
                await _refusal()(scope, receive, send)
                return
            scope.setdefault("state", {})[_STATE] = person
        await self._app(scope, receive, send)

    def _person(self, authorizations: Sequence[str]) -> Person | None:
        """Whose token it is. Every token is compared, so that the time taken tells nothing."""
        if len(authorizations) != 1:
            return None
        scheme, _, given = authorizations[0].partition(" ")
        word = given.strip().encode("latin-1")
        found = [person for token, person in self._people if hmac.compare_digest(word, token)]
        return found[0] if found and scheme.lower() == "bearer" else None


def who_asks(ctx: Context[Any, Any], by: str, *, needs: Literal["viewer", "approver"]) -> str:
    """The name of who asks: the token's over HTTP, `by` over standard input and output. Raises UsageError where that is not enough."""
    request = ctx.request_context.request
    if request is None:
        return by
    person: Person | None = request.scope.get("state", {}).get(_STATE)
    if person is None:
        raise UsageError("this needs a token: send Authorization: Bearer with one of the API's")
    if needs == "approver" and person.role != "approver":
        raise UsageError(f"{person.name} is a {person.role}; this needs an approver's token")
    return person.name


def _refusal() -> Response:
    detail = "send Authorization: Bearer with a token of the API's, see [api] token_env"
    body = {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": detail}
    return Response(json.dumps(body), 401, {"WWW-Authenticate": 'Bearer realm="gizzi"'}, "application/problem+json")
