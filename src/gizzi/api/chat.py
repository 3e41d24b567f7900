"""The router for everything that speaks OpenAI's chat completions: POST /v1/chat/completions and GET /v1/models.

A client that goes away ends its call, and what that cost is settled like anything else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gizzi.api import errors
from gizzi.api.chat_in import Asked, ChatRequest, asked_of
from gizzi.api.chat_out import Completion, about, event_of
from gizzi.app import App
from gizzi.clock import Clock
from gizzi.errors import GizziError, NotFound, UsageError
from gizzi.models.catalogue import MODEL_TIERS
from gizzi.models.conversation import Conversation
from gizzi.models.router import REFLEX, Router
from gizzi.models.task import TIERS, Answer, Tier

LARGEST_BYTES = 8 * 2**20
OURS = "gizzi/"
AUTO = "auto"
_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_OPENAI: dict[int | str, dict[str, Any]] = {200: {"content": _OBJECT}}
"""Its shapes are described by OpenAI."""
REFUSED = {"description": "No token, or a wrong one.", "content": _OBJECT}
_FAULTS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request is not well formed.", "content": _OBJECT},
    404: {"description": "There is no such model.", "content": _OBJECT},
    503: {"description": "No model could answer.", "content": _OBJECT},
}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object", "required": ["messages"]}}}}}
_MISSING = {"description": "There is no such model.", "content": _OBJECT}


def add_routes(api: FastAPI, app: App) -> None:
    @api.get("/v1/models", responses=_OPENAI, tags=["openai"])
    async def list_models() -> Response:
        """What `model` may be, as OpenAI's clients list it: gizzi/auto, the tiers, and every model that can be reached."""
        await app.router.warm()
        return JSONResponse({"object": "list", "data": [_entry(name) for name in _names(app.router)]})

    @api.get("/v1/models/{model:path}", responses={**_OPENAI, 404: _MISSING, 422: _MISSING}, tags=["openai"])
    async def one_model(model: str) -> Response:
        """One of them."""
        await app.router.warm()
        if model not in _names(app.router):
            raise NotFound(f"there is no model {model[:200]!r} here; GET /v1/models lists them")
        return JSONResponse(_entry(model))

    @api.post("/v1/chat/completions", responses={**_OPENAI, **_FAULTS}, openapi_extra=_BODY, tags=["openai"])
    async def chat_completions(request: Request) -> Response:
        """OpenAI's chat completions, through the router: routed, within budget, in the ledger. `model` is gizzi/auto, a tier (gizzi/local,
        local …) or a model's id. Tools and response_format go through to the model; with `stream` the answer comes as server-sent events. A
        lone question that live status answers costs nothing with gizzi/auto. Errors have OpenAI's form. See
        [how to add a model](../how-to/add-a-model.md#ask-gizzi-as-if-it-were-openai).
        """
        return _Answering(app.router, app.clock, await _read(request))


def _names(router: Router) -> list[str]:
    reachable = [row["model"] for row in router.rows() if row["reachable"]]
    return [f"{OURS}{name}" for name in (AUTO, *TIERS)] + reachable


def _entry(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]}


async def _read(request: Request) -> ChatRequest:
    """Raises UsageError: in one line what is wrong, without repeating what was sent."""
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > LARGEST_BYTES:
            raise UsageError(f"the request is longer than {LARGEST_BYTES} bytes")
    try:
        return ChatRequest.model_validate(json.loads(raw.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise UsageError(f"the request is not UTF-8: {error.reason} at byte {error.start + 1}") from None
    except ValidationError as error:
        faults = (f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()[:5])
        raise UsageError("; ".join(faults)) from None
    except (ValueError, RecursionError):
        raise UsageError("the request is not JSON") from None


class _Answering(Response):
    """Answers while the client is there."""

    def __init__(self, router: Router, clock: Clock, request: ChatRequest) -> None:
        super().__init__()
        self._router = router
        self._request = request
        self._completion = Completion(clock.now())
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.ensure_future(self._told(scope, receive, send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            gone.cancel()
            await asyncio.wait({work, gone})
        if not work.cancelled():
            work.result()

    async def _told(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What fails before the first byte is an error with its status; after it, an error in the stream, and its end."""
        try:
            await self._answer(lambda response: response(scope, receive, send), send)
        except GizziError as error:
            if self._started:
                await send({"type": "http.response.body", "body": event_of(errors.openai_body(500, str(error)))})
            else:
                status = 404 if isinstance(error, NotFound) else 400 if isinstance(error, UsageError) else 503
                await errors.openai_error(status, str(error))(scope, receive, send)

    async def _answer(self, reply: Callable[[Response], Awaitable[None]], send: Send) -> None:
        await self._router.warm()
        asked = asked_of(self._request)
        model, within = _wanted(self._router, self._request.model)
        free = await self._without_model(asked, model, within)
        if free is not None:
            await self._tell(free, reply, send)
            return
        conversation = Conversation(self._router, model=model, within=within)
        if self._request.stream:
            await self._stream(conversation, asked, send)
            return
        found = await conversation.ask(asked.messages, asked.settings, asked.parameters)
        await reply(JSONResponse(self._completion.whole(found.response, found.bill, found.route, found.failures)))

    async def _without_model(self, asked: Asked, model: str | None, within: Tier | None) -> Answer | None:
        """Raises UsageError where the reflex tier was asked for and cannot answer."""
        if model is not None or within not in (None, "reflex"):
            return None
        question = asked.lone_question
        found = await self._router.by_reflex(question) if question is not None else None
        if found is None and within == "reflex":
            raise UsageError(f"{REFLEX} answers only what live status says, such as: Is validator 6 healthy?")
        return found

    async def _tell(self, answer: Answer, reply: Callable[[Response], Awaitable[None]], send: Send) -> None:
        if not self._request.stream:
            await reply(JSONResponse(self._completion.of_answer(answer)))
            return
        await self._begin(send)
        for chunk in self._completion.answer_chunks(answer, usage=self._wants_usage):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _stream(self, conversation: Conversation, asked: Asked, send: Send) -> None:
        async with conversation.stream(asked.messages, asked.settings, asked.parameters) as opened:
            await self._begin(send)
            model = opened.bill.model.id
            async for event in opened.stream:
                chunk = self._completion.chunk(event, model)
                if chunk is not None:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            finish = opened.stream.finish_reason
        bill = opened.bill  # settled now
        usage = bill.usage if self._wants_usage else None
        for chunk in self._completion.last_chunks(model, finish, usage, about(bill, opened.route, opened.failures)):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _begin(self, send: Send) -> None:
        head = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        self._started = True
        await send({"type": "http.response.start", "status": 200, "headers": head})

    @property
    def _wants_usage(self) -> bool:
        return self._request.stream_options is not None and self._request.stream_options.include_usage


def _wanted(router: Router, asked: str) -> tuple[str | None, Tier | None]:
    """The model, or the tier to stay within; neither: the router chooses. Raises NotFound with the nearest names."""
    name = asked.removeprefix(OURS)
    if name == AUTO:
        return None, None
    tier = next((tier for tier in TIERS if tier == name), None)
    if tier is not None:
        return None, tier
    try:
        return router.catalogue.find(name).id, None
    except UsageError as error:
        raise NotFound(f"{error}; or take {OURS}{AUTO} or {OURS}{MODEL_TIERS[0]}") from None


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
