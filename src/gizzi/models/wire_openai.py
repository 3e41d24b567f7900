"""OpenAI's two wires, chat completions and responses, and whoever speaks the first: vLLM, llama.cpp, a LiteLLM or gateway server."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlsplit

from gizzi.marks import wire
from gizzi.models.model import Model, Provider

HOST = "api.openai.com"


@wire("openai")
def build_chat(provider: Provider, model: Model, key: str, http: Any) -> Any:
    """OpenAI's chat completions. https://platform.openai.com/docs/api-reference/chat"""
    return chat_class()(model.name, provider=reached(provider, key, http))


@wire("openai-responses")
def build_responses(provider: Provider, model: Model, key: str, http: Any) -> Any:
    """OpenAI's responses; nothing is left on the server. https://platform.openai.com/docs/api-reference/responses"""
    from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings

    settings = OpenAIResponsesModelSettings(openai_store=False)
    return OpenAIResponsesModel(model.name, provider=reached(provider, key, http), settings=settings)


def reached(provider: Provider, key: str, http: Any) -> Any:
    """pydantic-ai's provider, which knows what OpenAI's own models can do where it is OpenAI."""
    from openai import AsyncOpenAI
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    client = AsyncOpenAI(base_url=provider.url, api_key=key or "none", http_client=http, max_retries=0)
    if urlsplit(provider.url).hostname == HOST:
        return OpenAIProvider(openai_client=client)
    return OpenAICompatibleProvider(provider.name, openai_client=client)


@cache
def stream_class() -> Any:
    from pydantic_ai.models.openai import OpenAIStreamedResponse

    class Stream(OpenAIStreamedResponse):
        def _missing_finish_reason(self) -> Any:
            """None, not "stop": such a stream was cut off, maybe by a proxy that ends it as if nothing were wrong."""
            return None

    return Stream


@cache
def chat_class() -> Any:
    from pydantic_ai.models.openai import OpenAIChatModel

    class Chat(OpenAIChatModel):
        @property
        def _streamed_response_cls(self) -> Any:
            return stream_class()

    return Chat
