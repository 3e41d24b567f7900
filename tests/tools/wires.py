"""Each provider's wire as it is documented: answers whole and streamed, tool calls, errors. `SPEAKS` has them by their `api`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools import providers
from tools.loopback import reply
from tools.providers import Reply

Tool = tuple[str, dict[str, Any]]
NO_KEY = "the key is not valid"


def as_json(body: Any, status: str = "200 OK", **headers: str) -> bytes:
    return reply(json.dumps(body).encode(), status, content_type="application/json", **headers)


def events(objects: Sequence[Any], *, named: bool = False, done: bool = False) -> bytes:
    """Server-sent events, cut off where the list is."""
    lines = [f"event: {one.get('type')}\n" * named + f"data: {json.dumps(one)}\n\n" for one in objects]
    return reply("".join([*lines, "data: [DONE]\n\n" * done]).encode(), content_type="text/event-stream")


class Speaks:
    """counts: (input, output) tokens, None: it does not say."""

    path: str
    stream_path: str

    def whole(self, text: str = "Well.", counts: tuple[int, int] | None = (12, 3)) -> bytes:
        raise NotImplementedError

    def call(self, tool: Tool) -> bytes:
        raise NotImplementedError

    def call_streamed(self, tool: Tool) -> bytes:
        raise NotImplementedError

    def stream(self, *words: str, cut: bool = False, counts: tuple[int, int] | None = (12, 3)) -> Reply:
        raise NotImplementedError

    def fault(self, status: str, message: str, **headers: str) -> bytes:
        raise NotImplementedError

    def schema_in(self, asked: Mapping[str, Any]) -> Any:
        raise NotImplementedError


@dataclass
class Chat(Speaks):
    path: str = "/chat/completions"
    stream_path: str = "/chat/completions"

    def whole(self, text: str = "Well.", counts: tuple[int, int] | None = (12, 3)) -> bytes:
        usage = None if counts is None else {"prompt_tokens": counts[0], "completion_tokens": counts[1]}
        return providers.chat(text, usage, no_usage=counts is None)

    def call(self, tool: Tool) -> bytes:
        return providers.chat(tool=tool)

    def call_streamed(self, tool: Tool) -> bytes:
        """Its arguments in two pieces."""
        chunk: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        arguments = json.dumps(tool[1])
        first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": tool[0], "arguments": arguments[:4]}}
        deltas = [{"tool_calls": [first]}, {"tool_calls": [{"index": 0, "function": {"arguments": arguments[4:]}}]}]
        said = [chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        return events([*said, chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}], done=True)

    def stream(self, *words: str, cut: bool = False, counts: tuple[int, int] | None = (12, 3)) -> Reply:
        chunk: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        said = [chunk | {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words]
        if cut:
            return events(said)
        said.append(chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if counts:
            said[-1]["usage"] = {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}
        return events(said, done=True)

    def fault(self, status: str, message: str, **headers: str) -> bytes:
        code = "context_length_exceeded" if "too many tokens" in message else None
        return providers.fault(status, message, code=code, **headers)

    def schema_in(self, asked: Mapping[str, Any]) -> Any:
        return asked["response_format"]["json_schema"]["schema"]


class Mistral(Chat):
    """Of OpenAI's wire, but strict about what it is asked, and with errors of its own."""

    def fault(self, status: str, message: str, **headers: str) -> bytes:
        if status.startswith("422"):
            return as_json({"detail": [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": message}]}, status, **headers)
        return as_json({"object": "error", "message": message, "type": "invalid_request", "param": None, "code": "1"}, status, **headers)


@dataclass
class Responses(Speaks):
    path: str = "/responses"
    stream_path: str = "/responses"

    def _response(self, output: list[Any], counts: tuple[int, int] | None, status: str = "completed") -> dict[str, Any]:
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        usage = None if counts is None else {"input_tokens": counts[0], "output_tokens": counts[1], "total_tokens": sum(counts), **details}
        whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status, "output": output, "usage": usage}
        return whole | {"error": None, "incomplete_details": None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}

    def _message(self, text: str) -> dict[str, Any]:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}

    def whole(self, text: str = "Well.", counts: tuple[int, int] | None = (12, 3)) -> bytes:
        return as_json(self._response([self._message(text)], counts))

    def call(self, tool: Tool) -> bytes:
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": tool[0], "arguments": json.dumps(tool[1])}
        return as_json(self._response([item | {"status": "completed"}], (12, 3)))

    def stream(self, *words: str, cut: bool = False, counts: tuple[int, int] | None = (12, 3)) -> Reply:
        at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        empty: dict[str, Any] = self._message("") | {"status": "in_progress", "content": []}
        part = {"type": "output_text", "text": "", "annotations": []}
        said: list[dict[str, Any]] = [
            {"type": "response.created", "response": self._response([], None, "in_progress")},
            {"type": "response.output_item.added", "output_index": 0, "item": empty},
            {"type": "response.content_part.added", **at, "part": part},
            *({"type": "response.output_text.delta", **at, "delta": word, "logprobs": []} for word in words),
        ]
        if not cut:
            text = "".join(words)
            said += [
                {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
                {"type": "response.output_item.done", "output_index": 0, "item": self._message(text)},
                {"type": "response.completed", "response": self._response([self._message(text)], counts)},
            ]
        return events([one | {"sequence_number": place} for place, one in enumerate(said)], named=True)

    def fault(self, status: str, message: str, **headers: str) -> bytes:
        return Chat().fault(status, message, **headers)

    def schema_in(self, asked: Mapping[str, Any]) -> Any:
        return asked["text"]["format"]["schema"]


@dataclass
class Anthropic(Speaks):
    path: str = "/v1/messages"
    stream_path: str = "/v1/messages"

    def _message(self, content: list[Any], counts: tuple[int, int] | None, stop: str | None = "end_turn") -> dict[str, Any]:
        said: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
        usage = {} if counts is None else {"usage": {"input_tokens": counts[0], "output_tokens": counts[1]}}
        return said | {"stop_reason": stop, "stop_sequence": None} | usage

    def whole(self, text: str = "Well.", counts: tuple[int, int] | None = (12, 3)) -> bytes:
        return as_json(self._message([{"type": "text", "text": text}], counts))

    def call(self, tool: Tool) -> bytes:
        return as_json(self._message([{"type": "tool_use", "id": "call_1", "name": tool[0], "input": tool[1]}], (12, 3), "tool_use"))

    def stream(self, *words: str, cut: bool = False, counts: tuple[int, int] | None = (12, 3)) -> Reply:
        start = counts or (0, 0)
        said: list[dict[str, Any]] = [
            {"type": "message_start", "message": self._message([], (start[0], 0), None)},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words),
        ]
        if not cut:
            ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
            said += [{"type": "content_block_stop", "index": 0}, ended | {"usage": {"output_tokens": start[1]}}, {"type": "message_stop"}]
        return events(said, named=True)

    def fault(self, status: str, message: str, **headers: str) -> bytes:
        kinds = {"401": "authentication_error", "404": "not_found_error", "429": "rate_limit_error", "500": "api_error"}
        said = "prompt is too long: 300000 tokens > 200000 maximum" if "too many tokens" in message else message
        return providers.anthropic_fault(status, kinds.get(status[:3], "invalid_request_error"), said, **headers)

    def schema_in(self, asked: Mapping[str, Any]) -> Any:
        return asked["output_config"]["format"]["schema"]


@dataclass
class Google(Speaks):
    path: str = "/v1beta/models/m:generateContent"
    stream_path: str = "/v1beta/models/m:streamGenerateContent?alt=sse"

    def _answer(self, parts: list[Any], counts: tuple[int, int] | None, finish: str | None = "STOP") -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        answer: dict[str, Any] = {"candidates": [candidate], "modelVersion": "m", "responseId": "r"}
        if counts is None:
            return answer
        usage = {"promptTokenCount": counts[0], "candidatesTokenCount": counts[1] - 1, "thoughtsTokenCount": 1}
        return answer | {"usageMetadata": usage | {"totalTokenCount": sum(counts)}}

    def whole(self, text: str = "Well.", counts: tuple[int, int] | None = (12, 3)) -> bytes:
        return as_json(self._answer([{"text": "hm", "thought": True}, {"text": text}], counts))

    def call(self, tool: Tool) -> bytes:
        return as_json(self._answer([{"functionCall": {"name": tool[0], "args": tool[1]}, "thoughtSignature": "c2ln"}], (12, 3)))

    def call_streamed(self, tool: Tool) -> bytes:
        return events([self._answer([{"functionCall": {"name": tool[0], "args": tool[1]}}], (12, 3))])

    def stream(self, *words: str, cut: bool = False, counts: tuple[int, int] | None = (12, 3)) -> Reply:
        last = len(words) - 1
        said = [self._answer([{"text": w}], counts, None if cut or place < last else "STOP") for place, w in enumerate(words)]
        return events(said)

    def fault(self, status: str, message: str, **headers: str) -> bytes:
        code, _, name = status.partition(" ")
        details: list[dict[str, Any]] = []
        if code == "401":  # as Gemini says it
            code, status = "400", "400 Bad Request"
            details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
        if seconds := headers.pop("retry_after", None):
            details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"}]
        if "too many tokens" in message:
            message = "The input token count (300000) exceeds the maximum number of tokens allowed (200000)."
        error = {"code": int(code), "message": message, "status": name.upper().replace(" ", "_"), "details": details}
        return as_json({"error": error}, status, **headers)

    def schema_in(self, asked: Mapping[str, Any]) -> Any:
        return asked["generationConfig"]["responseJsonSchema"]


@dataclass
class Ollama(Speaks):
    path: str = "/api/chat"
    stream_path: str = "/api/chat"

    def whole(self, text: str = "Well.", counts: tuple[int, int] | None = (12, 3)) -> bytes:
        return providers.ollama(text, **self._counted(counts))

    def call(self, tool: Tool) -> bytes:
        return providers.ollama(tool=tool)

    def call_streamed(self, tool: Tool) -> bytes:
        return self.call(tool)

    def stream(self, *words: str, cut: bool = False, counts: tuple[int, int] | None = (12, 3)) -> Reply:
        lines: list[dict[str, Any]] = [{"model": "m", "message": {"role": "assistant", "content": word}, "done": False} for word in words]
        if not cut:
            end = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
            lines.append(end | self._counted(counts))
        return reply("".join(json.dumps(line) + "\n" for line in lines).encode(), content_type="application/x-ndjson")

    def _counted(self, counts: tuple[int, int] | None) -> dict[str, Any]:
        return {"prompt_eval_count": counts and counts[0], "eval_count": counts and counts[1]}

    def fault(self, status: str, message: str, **headers: str) -> bytes:
        return as_json({"error": message}, status, **headers)

    def schema_in(self, asked: Mapping[str, Any]) -> Any:
        return asked["format"]


SPEAKS: Mapping[str, Speaks] = {
    "openai": Chat(),
    "openai-responses": Responses(),
    "mistral": Mistral(),
    "anthropic": Anthropic(),
    "google": Google(),
    "ollama": Ollama(),
}
