"""Answers as OpenAI's clients read them, whole and in chunks. https://platform.openai.com/docs/api-reference/chat/object

`model` is the model that answered. `gizzi` is ours: its tier, why it was chosen, what it cost, and whether its tokens are an estimate.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from gizzi.models.door import Bill
from gizzi.models.task import Answer, Route, Usage

_FINISH = {"stop": "stop", "length": "length", "content_filter": "content_filter", "tool_call": "tool_calls"}


class Completion:
    """One answer. created_at: seconds since the epoch."""

    def __init__(self, created_at: float) -> None:
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created_at = int(created_at)
        self._calls: dict[int, int] = {}

    def whole(self, response: Any, bill: Bill, route: Route, failures: Mapping[str, str]) -> dict[str, Any]:
        calls = [part for part in response.parts if part.part_kind == "tool-call"]
        finish = "tool_calls" if calls else _FINISH.get(response.finish_reason or "stop", "stop")
        said = [_call(part.tool_name, part.args_as_json_str(), part.tool_call_id) for part in calls]
        return self._answer(bill.model.id, response.text, said, finish, _usage(bill.usage), about(bill, route, failures))

    def of_answer(self, answer: Answer) -> dict[str, Any]:
        """An answer that no model was called for."""
        return self._answer(answer.model, answer.response, [], "stop", _usage(answer.usage), _about_answer(answer))

    def answer_chunks(self, answer: Answer, *, usage: bool) -> Iterator[bytes]:
        yield self._chunk(answer.model, {"role": "assistant", "content": answer.response})
        yield from self.last_chunks(answer.model, "stop", answer.usage if usage else None, _about_answer(answer))

    def chunk(self, event: Any, model: str) -> bytes | None:
        """Of one of pydantic-ai's events; None where it says nothing to the client."""
        came = getattr(event, "part", None) if event.event_kind == "part_start" else getattr(event, "delta", None)
        kind = getattr(came, "part_kind", None) or getattr(came, "part_delta_kind", None)
        if event.event_kind not in ("part_start", "part_delta") or kind not in ("text", "tool-call", "tool_call"):
            return None
        if kind == "text":
            text = getattr(came, "content", None) or getattr(came, "content_delta", None)
            return self._chunk(model, {"role": "assistant", "content": text}) if text else None
        return self._chunk(model, {"role": "assistant", "tool_calls": [self._call_piece(event, came)]})

    def last_chunks(self, model: str, finish: str | None, usage: Usage | None, gizzi: Mapping[str, Any]) -> Iterator[bytes]:
        ended = "tool_calls" if self._calls else _FINISH.get(finish or "stop", "stop")
        yield self._chunk(model, {}, ended, gizzi=gizzi)
        if usage is not None:
            yield event_of({**self._head(model, "chat.completion.chunk"), "choices": [], "usage": _usage(usage)})
        yield b"data: [DONE]\n\n"

    def _call_piece(self, event: Any, came: Any) -> dict[str, Any]:
        """The first piece of a call has its id and name, later ones more of its arguments."""
        place = self._calls.setdefault(event.index, len(self._calls))
        if event.event_kind == "part_start":
            arguments = "" if came.args is None else came.args_as_json_str() if isinstance(came.args, dict) else came.args
            return {"index": place, **_call(came.tool_name, arguments, came.tool_call_id)}
        more = came.args_delta
        return {"index": place, "function": {"arguments": json.dumps(more) if isinstance(more, dict) else more or ""}}

    def _head(self, model: str, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created_at, "model": model}

    def _answer(
        self, model: str, text: str | None, calls: list[Any], finish: str, usage: dict[str, Any], gizzi: Mapping[str, Any]
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return {**self._head(model, "chat.completion"), "choices": [choice], "usage": usage, "gizzi": gizzi}

    def _chunk(self, model: str, delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event_of({**self._head(model, "chat.completion.chunk"), "choices": [choice], **more})


def event_of(content: Any) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(content)}\n\n".encode()


def about(bill: Bill, route: Route, failures: Mapping[str, str]) -> dict[str, Any]:
    reason = "; ".join((route.reason, *failures.values(), *((f"so {bill.model.id}",) if failures else ())))
    return _about(bill.model.tier, bill.cost_usd, route.strategy, reason, bill.usage is None or bill.usage.estimated)


def _about_answer(answer: Answer) -> dict[str, Any]:
    return _about(answer.tier, answer.cost_usd, answer.route.strategy, answer.route.reason, answer.usage.estimated)


def _about(tier: str, cost_usd: Any, strategy: str, reason: str, estimated: bool) -> dict[str, Any]:
    cost = None if cost_usd is None else format(cost_usd, "f")
    return {"tier": tier, "cost_usd": cost, "strategy": strategy, "reason": reason, "estimated": estimated}


def _call(name: str, arguments: str, call_id: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _usage(usage: Usage | None) -> dict[str, Any]:
    counted = usage or Usage(estimated=True)
    return {
        "prompt_tokens": counted.input_tokens,
        "completion_tokens": counted.output_tokens,
        "total_tokens": counted.input_tokens + counted.output_tokens,
        "prompt_tokens_details": {"cached_tokens": counted.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": counted.reasoning_tokens},
    }
