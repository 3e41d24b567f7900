"""A chat completion as OpenAI's clients ask for it, in pydantic-ai's terms. https://platform.openai.com/docs/api-reference/chat/create

What Gizzi cannot honour (several answers at once, images) is refused; fields that change nothing in the answer are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gizzi.errors import UsageError

MOST_MESSAGES = 10_000
MOST_TOOLS = 1000


def _texts(content: Any) -> Any:
    """A list of text parts as one text."""
    if not isinstance(content, list):
        return content
    if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
        raise ValueError("only parts with text can be answered")
    return "\n".join(part["text"] for part in content)


Text = Annotated[str, BeforeValidator(_texts)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Function(_Asked):
    name: str = Field(min_length=1, max_length=200)
    arguments: str = Field("{}", description="A JSON object.")


class ToolCall(_Asked):
    id: str = Field(max_length=200)
    function: Function


class Message(_Asked):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | None = Field(None, description="A text, or a list of parts with text.")
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class ToolFunction(_Asked):
    name: str = Field(min_length=1, max_length=200)
    description: str | None = None
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None


class Tool(_Asked):
    type: Literal["function"] = "function"
    function: ToolFunction


class JsonSchema(_Asked):
    name: str = "answer"
    description: str | None = None
    wanted: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(_Asked):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(_Asked):
    include_usage: bool = False


class ChatRequest(_Asked):
    model: str = Field("gizzi/auto", description="gizzi/auto, a tier (gizzi/local, local …), or the id of a model.")
    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    tools: list[Tool] | None = Field(None, max_length=MOST_TOOLS)
    tool_choice: Literal["auto", "none", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """messages, parameters: pydantic-ai's; settings: its ModelSettings."""

    messages: list[Any]
    settings: dict[str, Any]
    parameters: Any

    @property
    def lone_question(self) -> str | None:
        """The text, where one question without anything else was asked: no instructions, no history, no tools, no schema."""
        parts = [part for message in self.messages for part in message.parts]
        plain = not self.parameters.function_tools and self.parameters.output_object is None
        return parts[0].content if plain and len(parts) == 1 and parts[0].part_kind == "user-prompt" else None


def asked_of(request: ChatRequest) -> Asked:
    """Raises UsageError. Loads pydantic-ai."""
    return Asked(list(_messages(request.messages)), dict(_settings(request)), _parameters(request))


def _messages(lines: list[Message]) -> Iterator[Any]:
    """What people and tools said until the model speaks is one request."""
    from pydantic_ai.messages import ModelRequest, ModelResponse

    parts: list[Any] = []
    called: dict[str, str] = {}
    for place, line in enumerate(lines):
        if line.role != "assistant":
            parts.append(_part(place, line, called))
            continue
        if parts:
            yield ModelRequest(parts=parts)
            parts = []
        called |= {call.id: call.function.name for call in line.tool_calls or ()}
        yield ModelResponse(parts=list(_said(place, line)))
    if not parts:
        raise UsageError("the last message is the model's own: there is nothing to answer")
    yield ModelRequest(parts=parts)


def _part(place: int, line: Message, called: Mapping[str, str]) -> Any:
    from pydantic_ai.messages import SystemPromptPart, ToolReturnPart, UserPromptPart

    if line.content is None:
        raise UsageError(f"messages.{place}.content: a {line.role} message needs a text")
    if line.role == "tool":
        if line.tool_call_id is None or line.tool_call_id not in called:
            raise UsageError(f"messages.{place}.tool_call_id: no message before it has a tool call of this id")
        return ToolReturnPart(called[line.tool_call_id], line.content, line.tool_call_id)
    return UserPromptPart(line.content) if line.role == "user" else SystemPromptPart(line.content)


def _said(place: int, line: Message) -> Iterator[Any]:
    from pydantic_ai.messages import TextPart, ToolCallPart

    if line.content:
        yield TextPart(line.content)
    for call in line.tool_calls or ():
        try:
            arguments = json.loads(call.function.arguments or "{}")
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise UsageError(f"messages.{place}.tool_calls: the arguments of {call.function.name} are not a JSON object")
        yield ToolCallPart(call.function.name, arguments, call.id)


def _settings(request: ChatRequest) -> Iterator[tuple[str, Any]]:
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed"):
        if (value := getattr(request, name)) is not None:
            yield name, value
    most = request.max_completion_tokens or request.max_tokens
    if most is not None:
        yield "max_tokens", most
    if request.stop:
        yield "stop_sequences", [request.stop] if isinstance(request.stop, str) else request.stop
    if request.tools and request.parallel_tool_calls is not None:
        yield "parallel_tool_calls", request.parallel_tool_calls
    if request.tools and request.tool_choice is not None:
        yield "tool_choice", _choice(request)


def _choice(request: ChatRequest) -> Any:
    choice = request.tool_choice
    if not isinstance(choice, dict):
        return choice
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if name not in {tool.function.name for tool in request.tools or ()}:
        raise UsageError("tool_choice names no function of tools")
    return [name]


def _parameters(request: ChatRequest) -> Any:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    given = [tool.function for tool in request.tools or ()]
    tools = [
        ToolDefinition(name=tool.name, parameters_json_schema=tool.parameters, description=tool.description, strict=tool.strict)
        for tool in given
    ]
    wanted = request.response_format
    if wanted is None or wanted.type == "text":
        return ModelRequestParameters(function_tools=tools)
    schema = wanted.json_schema
    if wanted.type == "json_schema" and schema is None:
        raise UsageError("response_format.json_schema is missing")
    if schema is None:
        output = OutputObjectDefinition(json_schema={"type": "object"}, name="answer")
    else:
        output = OutputObjectDefinition(schema.wanted, schema.name, schema.description, schema.strict)
    return ModelRequestParameters(function_tools=tools, output_mode="native", output_object=output)
