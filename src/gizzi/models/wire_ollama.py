"""Ollama's own /api/chat, which takes what its OpenAI dialect does not: how much context to make room for. (It cuts off silently what is
longer.) https://docs.ollama.com/api/chat
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gizzi.marks import wire
from gizzi.models import own_wire
from gizzi.models.model import Model, Provider
from gizzi.models.own_wire import LONGEST_NAME, Piece, Said, ToolCall

_FINISH = {"stop": "stop", "length": "length", "load": "error"}
MOST_LISTED = 1000


@wire("ollama")
def build(provider: Provider, model: Model, key: str, http: Any) -> Any:
    """Ollama's /api/chat."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return own_wire.model(_Ollama(_base(provider), model.name, headers, model.context_tokens), model.name, http)


async def installed(provider: Provider, http: Any, key: str = "") -> list[str]:
    """The models that the server has, by GET /api/tags. Raises ValueError for an answer that is not one, and the HTTP client's errors."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = await http.get(f"{_base(provider)}/api/tags", timeout=5.0, headers=headers)
    found = answer.json()
    rows = found.get("models") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise ValueError("no list of models")
    names = (row["name"] for row in rows[:MOST_LISTED] if isinstance(row, dict) and isinstance(row.get("name"), str))
    return [name[:LONGEST_NAME] for name in names if name]


def _base(provider: Provider) -> str:
    return provider.url.rstrip("/").removesuffix("/v1").removesuffix("/api")


@dataclass(frozen=True, slots=True)
class _Ollama:
    base: str
    name: str
    headers: Mapping[str, str]
    context_tokens: int
    system: str = "ollama"
    prefix: str = ""

    def url(self, *, stream: bool) -> str:
        return f"{self.base}/api/chat"

    def body(self, said: Sequence[Said], settings: Mapping[str, Any], parameters: Any, *, stream: bool) -> dict[str, Any]:
        options: dict[str, Any] = {"num_ctx": self.context_tokens}
        if settings.get("max_tokens"):
            options["num_predict"] = settings["max_tokens"]
        if settings.get("stop_sequences"):
            options["stop"] = settings["stop_sequences"]
        options |= {key: settings[key] for key in ("temperature", "top_p", "top_k", "seed") if settings.get(key) is not None}
        body: dict[str, Any] = {"model": self.name, "messages": [_line(one) for one in said], "options": options, "stream": stream}
        tools = _chosen(own_wire.tools_of(parameters), settings.get("tool_choice"))
        if tools:
            body["tools"] = [{"type": "function", "function": _declared(tool)} for tool in tools]
        schema = own_wire.schema_of(parameters)
        return body if schema is None else body | {"format": schema}

    def read(self, answer: Mapping[str, Any]) -> Piece:
        if isinstance(answer.get("error"), str):
            raise self.refusal(500, answer, {})
        message = answer.get("message")
        if not isinstance(message, dict):
            raise ValueError("no message")
        text = message.get("content")
        done = bool(answer.get("done"))
        return Piece(
            text if isinstance(text, str) else "",
            tuple(_calls(message)),
            _FINISH.get(str(answer.get("done_reason")), "stop") if done else None,
            own_wire.usage(answer.get("prompt_eval_count"), answer.get("eval_count")) if done else None,
        )

    def refusal(self, status: int, body: Any, headers: Mapping[str, str]) -> Exception:
        return own_wire.http_error(self.system, status, body, headers)


def _chosen(tools: Sequence[Any], choice: Any) -> list[Any]:
    """Ollama knows no choice of tools: those that may not be called are not named. That one must be called cannot be said."""
    if isinstance(choice, list):
        return [tool for tool in tools if tool.name in choice]
    return [] if choice == "none" else list(tools)


def _declared(tool: Any) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description or "", "parameters": tool.parameters_json_schema}


def _line(one: Said) -> dict[str, Any]:
    line: dict[str, Any] = {"role": one.role, "content": one.text}
    if one.role == "tool":
        line["tool_name"] = one.tool
    if one.calls:
        line["tool_calls"] = [{"function": {"name": part.tool_name, "arguments": part.args_as_dict()}} for part in one.calls]
    return line


def _calls(message: Mapping[str, Any]) -> Iterator[ToolCall]:
    for call in message.get("tool_calls") or ():
        function = call["function"]
        yield ToolCall(str(function["name"])[:LONGEST_NAME], dict(function.get("arguments") or {}))
