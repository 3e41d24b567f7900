"""Anthropic's messages. https://docs.claude.com/en/api/messages"""

from __future__ import annotations

from typing import Any

from gizzi.kinds import wire
from gizzi.models.model import Model, Provider


@wire("anthropic")
def build(provider: Provider, model: Model, key: str, http: Any) -> Any:
    """Anthropic's messages."""
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.profiles import ModelProfile
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(base_url=provider.url, api_key=key or "none", http_client=http, max_retries=0)
    profile = ModelProfile(supports_json_schema_output="json" in model.capabilities)  # the library knows only models older than itself
    return AnthropicModel(model.name, provider=AnthropicProvider(anthropic_client=client), profile=profile)
