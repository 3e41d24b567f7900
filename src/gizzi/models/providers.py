"""Where models are reached: each wire as a pydantic-ai model, without its retries, its time limits and its trust.

SDKs are imported when a model of theirs is called. All share one HTTP client an event loop, which follows no redirects (a key would go
along) and reads only so much.
"""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from gizzi.errors import ConfigError, GizziError
from gizzi.models import guarded_http, wire_google, wire_mistral, wire_ollama, wire_openai
from gizzi.models.failures import raised_by_providers
from gizzi.models.model import Model, Provider

Key = Callable[[Provider], SecretStr | None]
Wire = Callable[[Provider, Model, str, Any], Any]
"""(provider, model, key, HTTP client) -> a pydantic-ai Model."""


def _anthropic(provider: Provider, model: Model, key: str, http: Any) -> Any:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.profiles import ModelProfile
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(base_url=provider.url, api_key=key or "none", http_client=http, max_retries=0)
    json = ModelProfile(
        supports_json_schema_output="json" in model.capabilities
    )  # its row knows, also of a model that is new to the library
    return AnthropicModel(model.name, provider=AnthropicProvider(anthropic_client=client), profile=json)


WIRES: Mapping[str, Wire] = {
    "openai": wire_openai.build_chat,
    "openai-responses": wire_openai.build_responses,
    "anthropic": _anthropic,
    "google": wire_google.build,
    "mistral": wire_mistral.build,
    "ollama": wire_ollama.build,
}


class Providers:
    """key_of: a provider's key, None where it has none. wires: of each `api`; more than the shipped ones where a plugin brings its own."""

    def __init__(self, key_of: Key, wires: Mapping[str, Wire] = WIRES) -> None:
        self._key_of = key_of
        self._wires = wires
        self._loop: asyncio.AbstractEventLoop | None = None
        self._http: Any = None
        self._models: dict[str, Any] = {}

    def model(self, provider: Provider, model: Model) -> Any:
        """The pydantic-ai model, made once an event loop. Raises ConfigError for a wire nobody speaks."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._http, self._models = loop, None, {}
        found = self._models.get(model.id)
        if found is None:
            wire = self._wires.get(provider.api)
            if wire is None:
                known = ", ".join(sorted(self._wires))
                raise ConfigError(f'[providers.{provider.name}] api = "{provider.api}" is not one Gizzi speaks; it speaks {known}')
            key = self._key_of(provider)
            found = self._models[model.id] = wire(provider, model, key.get_secret_value() if key else "", self._client())
        return found

    async def installed(self, provider: Provider) -> list[str]:
        """The models that an Ollama server has. Raises GizziError, one line, where it cannot be asked."""
        try:
            return await wire_ollama.installed(provider, self._client())
        except raised_by_providers():
            raise GizziError(f"{provider.name} does not list its models at {provider.url}; is Ollama running there?") from None

    def scrub(self, provider: Provider, text: str) -> str:
        """A provider's own words without its key, or what looks like one."""
        key = self._key_of(provider)
        if key and len(key.get_secret_value()) >= 4:
            text = text.replace(key.get_secret_value(), "***")
        return _KEY_LIKE.sub("***", text)

    async def close(self) -> None:
        http, self._http, self._models = self._http, None, {}
        if http is not None:
            await http.aclose()

    def _client(self) -> Any:
        if self._http is None:
            _quiet()
            self._http = guarded_http.client()
        return self._http


def _quiet() -> None:
    """What a provider's odd counts make the library say on stderr, we say in the answer."""
    warnings.filterwarnings("ignore", message="Failed to extract usage")


_KEY_LIKE = re.compile(r"\b(?:sk|pk|key|AIza|xai|gsk|Bearer)[-_ ]?[\w*.-]{8,}", re.IGNORECASE)
