"""Anthropic's messages. https://docs.claude.com/en/api/messages"""

from __future__ import annotations

from functools import cache
from typing import Any

from gizzi.marks import wire
from gizzi.models.model import Model, Provider


@wire("anthropic")
def build(provider: Provider, model: Model, key: str, http: Any) -> Any:
    """Anthropic's messages."""
    from anthropic import AsyncAnthropic
    from pydantic_ai.profiles import ModelProfile
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(base_url=provider.url, api_key=key or "none", http_client=http, max_retries=0)
    profile = ModelProfile(supports_json_schema_output="json" in model.capabilities)  # the library knows only models older than itself
    return _model_class()(model.name, provider=AnthropicProvider(anthropic_client=client), profile=profile)


@cache
def _model_class() -> Any:
    from anthropic.types.beta import BetaUsage
    from pydantic_ai.models.anthropic import AnthropicModel

    class Messages(AnthropicModel):
        def _process_response(self, response: Any, *args: Any, **more: Any) -> Any:
            """Who only speaks like Anthropic may not count: nothing counted is what is then estimated, an answer without it no error."""
            if response.usage is None:
                response.usage = BetaUsage(input_tokens=0, output_tokens=0)
            return super()._process_response(response, *args, **more)

    return Messages
