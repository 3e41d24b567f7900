"""Mistral's chat completions: OpenAI's, but for what its own specification leaves out or calls by another name.
https://docs.mistral.ai/api/endpoint/chat

It takes `max_tokens` and `random_seed`, refuses fields it does not list (`stream_options`: a stream counts its tokens unasked), wants tool
call ids of nine letters and digits, and gives the text of a reasoning model as a list of chunks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from gizzi.marks import wire
from gizzi.models import wire_openai
from gizzi.models.model import Model, Provider


@wire("mistral")
def build(provider: Provider, model: Model, key: str, http: Any) -> Any:
    """Mistral's chat completions."""
    from pydantic_ai.profiles.openai import OpenAIModelProfile

    profile = OpenAIModelProfile(
        supports_json_schema_output=True,
        supports_json_object_output=True,
        tool_call_id_length=9,
        openai_chat_supports_max_completion_tokens=False,
        openai_unsupported_model_settings=("logit_bias", "openai_logprobs", "openai_user"),
    )
    return _model_class()(model.name, provider=wire_openai.reached(provider, key, http), profile=profile)


def text_of(content: Any) -> Any:
    """The text of a list of chunks, without what was thought; anything else as it is."""
    if not isinstance(content, list):
        return content
    return "".join(str(chunk.get("text", "")) for chunk in content if isinstance(chunk, dict) and chunk.get("type") == "text")


@cache
def _model_class() -> Any:
    from openai import omit

    class Stream(wire_openai.stream_class()):  # type: ignore[misc]
        async def _plain(self) -> AsyncIterator[Any]:
            async for chunk in self._response:
                for choice in chunk.choices:
                    choice.delta.content = text_of(choice.delta.content)
                yield chunk

        def _validate_response(self) -> Any:
            return self._plain()

    class Mistral(wire_openai.chat_class()):  # type: ignore[misc]
        def prepare_request(self, model_settings: Any, model_request_parameters: Any) -> Any:
            settings, parameters = super().prepare_request(model_settings, model_request_parameters)
            changed = dict(settings or {})
            if "seed" in changed:
                changed["extra_body"] = {"random_seed": changed.pop("seed")}
            return changed, parameters

        def _get_stream_options(self, model_settings: Any) -> Any:
            return omit

        def _validate_completion(self, response: Any) -> Any:
            for choice in response.choices:
                choice.message.content = text_of(choice.message.content)
            return super()._validate_completion(response)

        @property
        def _streamed_response_cls(self) -> Any:
            return Stream

    return Mistral
