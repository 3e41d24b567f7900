"""Gemini's own generateContent and streamGenerateContent. https://ai.google.dev/api/generate-content

Its OpenAI dialect neither says how many tokens were thought nor takes back the signatures that newer models want with each tool call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gizzi.marks import wire
from gizzi.models import own_wire
from gizzi.models.model import Model, Provider
from gizzi.models.own_wire import LONGEST_NAME, Piece, Said, ToolCall

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "MALFORMED_FUNCTION_CALL": "error"}
_SETTINGS = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "stop_sequences": "stopSequences",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
_SIGNATURE = "thought_signature"
_TOO_LONG = re.compile(r"exceeds the maximum number of tokens", re.IGNORECASE)


@wire("google")
def build(provider: Provider, model: Model, key: str, http: Any) -> Any:
    """Gemini's generateContent."""
    url = provider.url.rstrip("/").removesuffix("/openai")
    base = url if re.search(r"/v\d\w*$", url) else f"{url}/v1beta"
    return own_wire.model(_Google(f"{base}/models/{quote(model.name)}", {"x-goog-api-key": key} if key else {}), model.name, http)


@dataclass(frozen=True, slots=True)
class _Google:
    base: str
    headers: Mapping[str, str]
    system: str = "google"
    prefix: str = "data:"

    def url(self, *, stream: bool) -> str:
        return f"{self.base}:streamGenerateContent?alt=sse" if stream else f"{self.base}:generateContent"

    def body(self, said: Sequence[Said], settings: Mapping[str, Any], parameters: Any, *, stream: bool) -> dict[str, Any]:
        config = {theirs: settings[ours] for ours, theirs in _SETTINGS.items() if settings.get(ours) is not None}
        schema = own_wire.schema_of(parameters)
        if schema is not None:
            config |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
        body: dict[str, Any] = {"contents": list(_contents(said)), "generationConfig": config}
        system = [{"text": one.text} for one in said if one.role == "system"]
        if system:
            body["systemInstruction"] = {"parts": system}
        tools = own_wire.tools_of(parameters)
        if tools:
            body["tools"] = [{"functionDeclarations": [_declared(tool) for tool in tools]}]
            body["toolConfig"] = {"functionCallingConfig": _calling(settings.get("tool_choice"))}
        return body

    def read(self, answer: Mapping[str, Any]) -> Piece:
        if isinstance(answer.get("error"), dict):
            code = answer["error"].get("code")
            raise self.refusal(code if isinstance(code, int) and 400 <= code < 600 else 500, answer, {})
        candidates = answer.get("candidates") or []
        _reject_filtered(answer, candidates)
        if not candidates and "usageMetadata" not in answer:
            raise ValueError("no candidates")
        candidate = candidates[0] if candidates else {}
        parts = (candidate.get("content") or {}).get("parts") or []
        finish = candidate.get("finishReason")
        return Piece(
            "".join(str(part["text"]) for part in parts if "text" in part and not part.get("thought")),
            tuple(_calls(parts)),
            None if finish is None else _FINISH.get(str(finish), "stop"),
            _usage(answer.get("usageMetadata")),
        )

    def refusal(self, status: int, body: Any, headers: Mapping[str, str]) -> Exception:
        """A wrong key is a 400 there, and so is a prompt that is too long; how long to wait stands in the body."""
        error = body.get("error") if isinstance(body, dict) else None
        details = [item for item in (error or {}).get("details") or () if isinstance(item, dict)] if isinstance(error, dict) else []
        words = str(error.get("message")) if isinstance(error, dict) else ""
        if status == 400 and any(item.get("reason") == "API_KEY_INVALID" for item in details):
            status = 401
        elif status == 400 and _TOO_LONG.search(words):
            status = 413
        delays = (re.fullmatch(r"(\d{1,6}(?:\.\d+)?)s", str(item.get("retryDelay"))) for item in details)
        waits = [float(match[1]) for match in delays if match]
        return own_wire.http_error(self.system, status, body, headers, waits[0] if waits else None)


def _contents(said: Sequence[Said]) -> Iterator[dict[str, Any]]:
    """Turns alternate: entries of one side that follow one another are one turn, as the results of parallel calls must be."""
    role, parts = "", list[dict[str, Any]]()
    for one in said:
        if one.role == "system":
            continue
        side = "model" if one.role == "assistant" else "user"
        if side != role and parts:
            yield {"role": role, "parts": parts}
            parts = []
        role = side
        parts += _parts(one)
    if parts:
        yield {"role": role, "parts": parts}


def _parts(one: Said) -> Iterator[dict[str, Any]]:
    if one.role == "tool":
        yield {"functionResponse": {"id": one.call_id, "name": one.tool, "response": {"result": one.text}}}
        return
    if one.text or not one.calls:
        yield {"text": one.text}
    for call in one.calls:
        part: dict[str, Any] = {"functionCall": {"id": call.tool_call_id, "name": call.tool_name, "args": call.args_as_dict()}}
        signature = (call.provider_details or {}).get(_SIGNATURE)
        yield part | {"thoughtSignature": signature} if signature else part


def _declared(tool: Any) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description or "", "parametersJsonSchema": tool.parameters_json_schema}


def _calling(choice: Any) -> dict[str, Any]:
    if isinstance(choice, list):
        return {"mode": "ANY", "allowedFunctionNames": choice}
    return {"mode": _MODES.get(str(choice), "AUTO")}


def _calls(parts: Sequence[Mapping[str, Any]]) -> Iterator[ToolCall]:
    for part in parts:
        call = part.get("functionCall")
        if call is None:
            continue
        signature = part.get("thoughtSignature")
        details = {_SIGNATURE: signature} if isinstance(signature, str) else None
        yield ToolCall(str(call["name"])[:LONGEST_NAME], dict(call.get("args") or {}), call.get("id"), details)


def _usage(counted: Any) -> Any:
    """Thinking is billed as output, but counted beside it."""
    if not isinstance(counted, dict):
        return None
    thought, made = counted.get("thoughtsTokenCount", 0), counted.get("candidatesTokenCount", 0)
    whole = made + thought if isinstance(made, int) and isinstance(thought, int) else None
    return own_wire.usage(counted.get("promptTokenCount"), whole, counted.get("cachedContentTokenCount", 0), thought)


def _reject_filtered(answer: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> None:
    from pydantic_ai.exceptions import ContentFilterError

    blocked = (answer.get("promptFeedback") or {}).get("blockReason")
    finish = candidates[0].get("finishReason") if candidates else None
    if blocked or finish in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"):
        raise ContentFilterError(str(blocked or finish)[:LONGEST_NAME])
