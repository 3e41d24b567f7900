"""Ollama's own /api/chat, which takes what its OpenAI dialect does not: how much context to make room for. (It cuts off silently what is
longer.) https://docs.ollama.com/api/chat
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from gizzi.models.model import Model, Provider

LONGEST_LINE = 2**20
_FINISH = {"stop": "stop", "length": "length", "load": "error"}


def build(provider: Provider, model: Model, key: str, http: Any) -> Any:
    url = provider.url.rstrip("/").removesuffix("/v1").removesuffix("/api")
    return _model_class()(model.name, f"{url}/api/chat", {"authorization": f"Bearer {key}"} if key else {}, http, model.context_tokens)


async def installed(provider: Provider, http: Any) -> list[str]:
    """The models that the server has, by GET /api/tags. Raises ValueError for an answer that is not one, and the HTTP client's errors."""
    url = provider.url.rstrip("/").removesuffix("/v1").removesuffix("/api")
    answer = await http.get(f"{url}/api/tags", timeout=5.0)
    found = answer.json()
    rows = found.get("models") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise ValueError("no list of models")
    return [str(row["name"])[:200] for row in rows[:1000] if isinstance(row, dict) and isinstance(row.get("name"), str)]


def _body(
    name: str, messages: list[Any], settings: Mapping[str, Any], parameters: Any, context_tokens: int, instructions: Any
) -> dict[str, Any]:
    options: dict[str, Any] = {"num_ctx": context_tokens}
    if settings.get("max_tokens"):
        options["num_predict"] = settings["max_tokens"]
    options |= {key: settings[key] for key in ("temperature", "top_p", "seed") if settings.get(key) is not None}
    said = [{"role": "system", "content": part.content} for part in instructions or ()]
    body = {"model": name, "messages": said + [line for message in messages for line in _lines(message)], "options": options}
    tools = [*parameters.function_tools, *parameters.output_tools]
    if tools:
        body["tools"] = [
            {"type": "function", "function": {"name": t.name, "description": t.description or "", "parameters": t.parameters_json_schema}}
            for t in tools
        ]
    if parameters.output_mode == "native" and parameters.output_object is not None:
        body["format"] = parameters.output_object.json_schema
    return body


def _lines(message: Any) -> Iterator[dict[str, Any]]:
    """One message of the history as Ollama's lines."""
    if message.kind == "response":
        calls = [part for part in message.parts if part.part_kind == "tool-call"]
        line = {"role": "assistant", "content": message.text or ""}
        if calls:
            line["tool_calls"] = [{"function": {"name": part.tool_name, "arguments": part.args_as_dict()}} for part in calls]
        yield line
        return
    for part in message.parts:
        if part.part_kind == "tool-return":
            yield {"role": "tool", "tool_name": part.tool_name, "content": part.model_response_str()}
        elif part.part_kind == "system-prompt":
            yield {"role": "system", "content": part.content}
        elif isinstance(getattr(part, "content", None), str):
            yield {"role": "user", "content": part.content}


def _usage(answer: Mapping[str, Any]) -> Any:
    from pydantic_ai.usage import RequestUsage

    sent, made = answer.get("prompt_eval_count"), answer.get("eval_count")
    if not isinstance(sent, int) or not isinstance(made, int):
        return RequestUsage(unmeasured_requests=1)
    return RequestUsage(input_tokens=sent, output_tokens=made)


def _read(text: str) -> dict[str, Any]:
    """Raises ValueError where it is not an answer."""
    answer = json.loads(text)
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    if isinstance(answer.get("error"), str):
        raise _error(500, answer)
    if not isinstance(answer.get("message"), dict):
        raise ValueError("no message")
    return answer


def _error(status: int, body: Any) -> Exception:
    from pydantic_ai.exceptions import ModelHTTPError

    return ModelHTTPError(status, "ollama", body)


def _refusal(status: int, text: str) -> Exception:
    try:
        return _error(status, json.loads(text))
    except ValueError:
        return _error(status, None)


def _calls(message: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for call in message.get("tool_calls") or ():
        function = call["function"]
        yield str(function["name"])[:200], dict(function.get("arguments") or {})


@cache
def _model_class() -> Any:
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models import Model as AiModel
    from pydantic_ai.models import check_allow_model_requests
    from pydantic_ai.profiles import ModelProfile

    class Ollama(AiModel[Any]):
        def __init__(self, name: str, url: str, headers: Mapping[str, str], http: Any, context_tokens: int) -> None:
            super().__init__(profile=ModelProfile(supports_json_schema_output=True, supports_json_object_output=True, supports_tools=True))
            self._name, self._url, self._headers, self._http, self._context_tokens = name, url, headers, http, context_tokens

        @property
        def model_name(self) -> str:
            return self._name

        @property
        def system(self) -> str:
            return "ollama"

        @property
        def base_url(self) -> str:
            return self._url

        def _asked(self, messages: Any, settings: Any, parameters: Any, *, stream: bool) -> dict[str, Any]:
            check_allow_model_requests()
            settings, parameters = self.prepare_request(settings, parameters)
            instructions = self._get_instruction_parts(messages, parameters)
            return _body(self._name, messages, settings or {}, parameters, self._context_tokens, instructions) | {"stream": stream}

        async def request(self, messages: Any, model_settings: Any, model_request_parameters: Any) -> ModelResponse:
            body = self._asked(messages, model_settings, model_request_parameters, stream=False)
            got = await self._http.post(self._url, json=body, headers=self._headers)
            if got.status_code != 200:
                raise _refusal(got.status_code, got.text)
            answer = _read(got.text)
            message = answer["message"]
            text = message.get("content")
            parts: list[Any] = [TextPart(text)] if isinstance(text, str) and text else []
            parts += [ToolCallPart(name, arguments) for name, arguments in _calls(message)]
            finish: Any = _FINISH.get(str(answer.get("done_reason")), "stop")
            return ModelResponse(parts, usage=_usage(answer), model_name=self._name, provider_name="ollama", finish_reason=finish)

        @asynccontextmanager
        async def request_stream(
            self, messages: Any, model_settings: Any, model_request_parameters: Any, run_context: Any = None
        ) -> AsyncIterator[Any]:
            body = self._asked(messages, model_settings, model_request_parameters, stream=True)
            async with self._http.stream("POST", self._url, json=body, headers=self._headers) as got:
                if got.status_code != 200:
                    await got.aread()
                    raise _refusal(got.status_code, got.text)
                yield _stream_class()(model_request_parameters, _model_name=self._name, _url=self._url, _got=got)

    return Ollama


@cache
def _stream_class() -> Any:
    from pydantic_ai.models import StreamedResponse

    @dataclass
    class Stream(StreamedResponse):
        _model_name: str
        _url: str
        _got: Any
        _timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
        _usage_received: bool | None = field(default=False, init=False)

        async def _get_event_iterator(self) -> AsyncIterator[Any]:
            async for line in self._got.aiter_lines():
                if len(line) > LONGEST_LINE:
                    raise ValueError("a line is too long")
                if line.strip():
                    for event in self._events(_read(line)):
                        yield event

        def _events(self, answer: dict[str, Any]) -> Iterator[Any]:
            message = answer["message"]
            text = message.get("content")
            if isinstance(text, str) and text:
                yield from self._parts_manager.handle_text_delta(vendor_part_id="content", content=text)
            for name, arguments in _calls(message):
                yield self._parts_manager.handle_tool_call_part(vendor_part_id=None, tool_name=name, args=arguments)
            if answer.get("done"):
                finish: Any = _FINISH.get(str(answer.get("done_reason")), "stop")
                self.finish_reason = finish
                usage = _usage(answer)
                self._add_usage(usage, reported=not usage.unmeasured_requests)

        async def close_stream(self) -> None:
            await self._got.aclose()

        @property
        def model_name(self) -> str:
            return self._model_name

        @property
        def provider_name(self) -> str:
            return "ollama"

        @property
        def provider_url(self) -> str:
            return self._url

        @property
        def timestamp(self) -> datetime:
            return self._timestamp

    return Stream
