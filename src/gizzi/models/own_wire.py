"""What our own wires share: one JSON object answers a request, several of the same shape answer it as a stream.

A wire says how a conversation is written as a request and how one object of an answer is read; the rest of a pydantic-ai model is here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, Protocol

LONGEST_LINE = 2**20
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of a conversation. calls: pydantic-ai's ToolCallParts. tool, call_id: whose result the text of a "tool" is."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[Any, ...] = ()
    tool: str = ""
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """details: what the provider wants back with the call when the conversation goes on."""

    name: str
    arguments: Mapping[str, Any]
    id: str | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One object of an answer. finish: why the answer ended, None before its end. usage: a RequestUsage, of the answer so far."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str | None = None
    usage: Any = None


class Wire(Protocol):
    """system: the name it goes by. prefix: of each line of a stream that holds an object; other lines are skipped."""

    @property
    def system(self) -> str: ...

    @property
    def prefix(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def url(self, *, stream: bool) -> str: ...

    def body(self, said: Sequence[Said], settings: Mapping[str, Any], parameters: Any, *, stream: bool) -> dict[str, Any]: ...

    def read(self, answer: Mapping[str, Any]) -> Piece:
        """Raises ValueError, LookupError or TypeError where it is not an answer; what `refusal` gives where it is an error."""

    def refusal(self, status: int, body: Any, headers: Mapping[str, str]) -> Exception: ...


def model(wire: Wire, name: str, http: Any) -> Any:
    """The pydantic-ai model `name` on that wire."""
    return _model_class()(wire, name, http)


def conversation(messages: Sequence[Any], instructions: Sequence[Any] | None) -> list[Said]:
    """pydantic-ai's history, entry by entry; the instructions first."""
    said = [Said("system", part.content) for part in instructions or ()]
    for message in messages:
        if message.kind == "response":
            said.append(Said("assistant", message.text or "", tuple(part for part in message.parts if part.part_kind == "tool-call")))
        else:
            said += [_said(part) for part in message.parts]
    return said


def tools_of(parameters: Any) -> list[Any]:
    """Every tool the model may call, as pydantic-ai's ToolDefinitions."""
    return [*parameters.function_tools, *parameters.output_tools]


def schema_of(parameters: Any) -> dict[str, Any] | None:
    """The JSON schema of the answer, where one is asked for."""
    if parameters.output_mode != "native" or parameters.output_object is None:
        return None
    found: dict[str, Any] = parameters.output_object.json_schema
    return found


def usage(sent: Any, made: Any, cached: Any = 0, reasoning: Any = 0) -> Any:
    """A RequestUsage; one that says it measured nothing where the provider did not count."""
    from pydantic_ai.usage import RequestUsage

    if not isinstance(sent, int) or not isinstance(made, int):
        return RequestUsage(unmeasured_requests=1)
    cached, reasoning = (count if isinstance(count, int) else 0 for count in (cached, reasoning))
    return RequestUsage(input_tokens=sent, output_tokens=made, cache_read_tokens=cached, output_reasoning_tokens=reasoning)


def http_error(system: str, status: int, body: Any, headers: Mapping[str, str], retry_after_s: float | None = None) -> Exception:
    from pydantic_ai.exceptions import ModelHTTPError

    return ModelHTTPError(status, system, body, headers=dict(headers), retry_after=retry_after_s)


def _said(part: Any) -> Said:
    if part.part_kind == "tool-return":
        return Said("tool", part.model_response_str(), tool=part.tool_name, call_id=part.tool_call_id)
    if part.part_kind == "retry-prompt":
        if part.tool_name is not None:
            return Said("tool", part.model_response(), tool=part.tool_name, call_id=part.tool_call_id)
        return Said("user", part.model_response())
    role: Literal["system", "user"] = "system" if part.part_kind == "system-prompt" else "user"
    content = getattr(part, "content", "")
    text = content if isinstance(content, str) else "\n".join(item for item in content or () if isinstance(item, str))
    return Said(role, text)


def _object(text: str) -> dict[str, Any]:
    answer = json.loads(text)
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    return answer


def _refusal(wire: Wire, got: Any) -> Exception:
    try:
        body = json.loads(got.text)
    except ValueError:
        body = None
    return wire.refusal(got.status_code, body, got.headers)


@cache
def _model_class() -> Any:
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models import Model as AiModel
    from pydantic_ai.models import check_allow_model_requests
    from pydantic_ai.profiles import ModelProfile

    class OwnModel(AiModel[Any]):
        def __init__(self, wire: Wire, name: str, http: Any) -> None:
            super().__init__(profile=ModelProfile(supports_json_schema_output=True, supports_json_object_output=True, supports_tools=True))
            self._wire, self._name, self._http = wire, name, http

        @property
        def model_name(self) -> str:
            return self._name

        @property
        def system(self) -> str:
            return self._wire.system

        @property
        def base_url(self) -> str:
            return self._wire.url(stream=False)

        def _asked(self, messages: Any, settings: Any, parameters: Any, *, stream: bool) -> dict[str, Any]:
            check_allow_model_requests()
            settings, parameters = self.prepare_request(settings, parameters)
            said = conversation(messages, self._get_instruction_parts(messages, parameters))
            return self._wire.body(said, settings or {}, parameters, stream=stream)

        async def request(self, messages: Any, model_settings: Any, model_request_parameters: Any) -> ModelResponse:
            body = self._asked(messages, model_settings, model_request_parameters, stream=False)
            got = await self._http.post(self._wire.url(stream=False), json=body, headers=self._wire.headers)
            if got.status_code != 200:
                raise _refusal(self._wire, got)
            piece = self._wire.read(_object(got.text))
            parts: list[Any] = [TextPart(piece.text)] if piece.text else []
            for call in piece.calls:
                more = {"tool_call_id": call.id} if call.id else {}
                parts.append(
                    ToolCallPart(call.name, dict(call.arguments), provider_details=call.details and dict(call.details), **more)  # type: ignore[arg-type]
                )
            finish: Any = piece.finish or "stop"
            counted = usage(None, None) if piece.usage is None else piece.usage
            return ModelResponse(parts, usage=counted, model_name=self._name, provider_name=self._wire.system, finish_reason=finish)

        @asynccontextmanager
        async def request_stream(
            self, messages: Any, model_settings: Any, model_request_parameters: Any, run_context: Any = None
        ) -> AsyncIterator[Any]:
            body = self._asked(messages, model_settings, model_request_parameters, stream=True)
            async with self._http.stream("POST", self._wire.url(stream=True), json=body, headers=self._wire.headers) as got:
                if got.status_code != 200:
                    await got.aread()
                    raise _refusal(self._wire, got)
                yield _stream_class()(model_request_parameters, _model_name=self._name, _wire=self._wire, _got=got)

    return OwnModel


@cache
def _stream_class() -> Any:
    from pydantic_ai.models import StreamedResponse

    @dataclass
    class Stream(StreamedResponse):
        _model_name: str
        _wire: Wire
        _got: Any
        _timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
        _usage_received: bool | None = field(default=False, init=False)

        async def _get_event_iterator(self) -> AsyncIterator[Any]:
            prefix = self._wire.prefix
            async for line in self._got.aiter_lines():
                if len(line) > LONGEST_LINE:
                    raise ValueError("a line is too long")
                if line.strip() and line.startswith(prefix):
                    for event in self._events(self._wire.read(_object(line[len(prefix) :]))):
                        yield event
                elif line.startswith(("<", "{")):
                    raise ValueError("not a stream")

        def _events(self, piece: Piece) -> Iterator[Any]:
            if piece.text:
                yield from self._parts_manager.handle_text_delta(vendor_part_id="content", content=piece.text)
            for call in piece.calls:
                yield self._parts_manager.handle_tool_call_part(
                    vendor_part_id=None,
                    tool_name=call.name,
                    args=dict(call.arguments),
                    tool_call_id=call.id,
                    provider_details=call.details and dict(call.details),  # type: ignore[arg-type]
                )
            if piece.finish is not None:
                self.finish_reason = piece.finish  # type: ignore[assignment]
            if piece.usage is not None:
                self._add_usage(piece.usage, reported=not piece.usage.unmeasured_requests, cumulative=True)

        async def close_stream(self) -> None:
            await self._got.aclose()

        @property
        def model_name(self) -> str:
            return self._model_name

        @property
        def provider_name(self) -> str:
            return self._wire.system

        @property
        def provider_url(self) -> str:
            return self._wire.url(stream=True)

        @property
        def timestamp(self) -> datetime:
            return self._timestamp

    return Stream
