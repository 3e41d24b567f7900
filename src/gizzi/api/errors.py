"""Every failure of a request is an RFC 9457 problem, under /v1/ OpenAI's form of an error; nothing of the inside leaks into either."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gizzi.errors import AlreadyOver, GizziError, NotFound, StoreError, UsageError

log = structlog.get_logger("gizzi.api")

MEDIA_TYPE = "application/problem+json"
OPENAI_PATH = "/v1/"
_STATUSES = ((NotFound, 404), (UsageError, 422), (AlreadyOver, 409), (StoreError, 503))
_CODES = {401: "invalid_api_key", 404: "not_found", 503: "no_answer"}


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """A problem document. detail: what happened and what to do next."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(json.dumps(body), status, dict(headers or {}), MEDIA_TYPE)


def openai_body(status: int, message: str) -> dict[str, Any]:
    """What OpenAI's clients read. https://platform.openai.com/docs/guides/error-codes"""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": _CODES.get(status)}}


def openai_error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Clients are told not to try again by themselves: the router has done so."""
    told = {"x-should-retry": "false", **(headers or {})}
    return Response(json.dumps(openai_body(status, message)), status, told, "application/json")


def refusal(path: str, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """In the form that clients of that path read."""
    if path.startswith(OPENAI_PATH):
        return openai_error(status, detail, headers)
    return problem(status, detail, headers, **more)


def install(api: FastAPI) -> None:
    """Make every error of the framework and of ours a problem."""
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(GizziError, _ours)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400 and not _is_openai(request):  # what FastAPI says of a body that it cannot read
        return refusal(request.url.path, 422, "the body is not JSON in UTF-8")
    if error.status_code == 405:
        error.headers = {"Allow": ", ".join(sorted(_methods(request)))}
    detail = {404: f"there is nothing at {request.url.path}; GET /openapi.json lists what there is"}.get(error.status_code, error.detail)
    return refusal(request.url.path, error.status_code, detail, error.headers)


def _methods(request: Request) -> set[str]:
    """All that the path takes, whichever route takes them."""
    routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in routes for method in route.methods or ()}


def _invalid(request: Request, error: Exception) -> Response:
    """What was sent is not repeated: it may be anything."""
    assert isinstance(error, RequestValidationError)
    faults = [{"where": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]} for fault in error.errors()]
    detail = "; ".join(f"{fault['where']}: {fault['message']}" for fault in faults)
    return refusal(request.url.path, 422, detail, errors=faults)


def _ours(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 503)
    return refusal(request.url.path, 400 if status == 422 and _is_openai(request) else status, str(error))


def _is_openai(request: Request) -> bool:
    return request.url.path.startswith(OPENAI_PATH)


class LastResort:
    """Turns whatever a handler raises into a plain 500, and logs it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            log.error("request_failed", method=scope.get("method"), path=scope.get("path"), error=repr(error))
            if not started and scope["type"] == "http":
                await refusal(scope["path"], 500, "this is a fault in Gizzi; its log says more")(scope, receive, send)
