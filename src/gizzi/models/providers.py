"""Where models are reached: each wire as a pydantic-ai model, without its retries, its time limits and its trust.

SDKs are imported when a model of theirs is called. All share one HTTP client an event loop, which follows no redirects (a key would go
along) and reads only so much.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from pydantic import SecretStr

from gizzi.config import Settings
from gizzi.errors import ConfigError, GizziError
from gizzi.kinds import MARK, Wire
from gizzi.models import guarded_http, wire_anthropic, wire_claude_code, wire_google, wire_mistral, wire_ollama, wire_openai
from gizzi.models.failures import without_key
from gizzi.models.model import Model, Provider
from gizzi.models.retry import ModelCallFailed

Key = Callable[[Provider], SecretStr | None]
BUILT_IN = (
    wire_openai.build_chat,
    wire_openai.build_responses,
    wire_anthropic.build,
    wire_google.build,
    wire_mistral.build,
    wire_ollama.build,
    wire_claude_code.build,
)
WIRES: Mapping[str, Wire] = {found.name: found for found in (getattr(build, MARK) for build in BUILT_IN)}
LOGIN_WITHIN_S = 10.0
_LIBRARIES = {
    "openai": "pydantic_ai.models.openai",
    "openai-responses": "pydantic_ai.models.openai",
    "mistral": "pydantic_ai.models.openai",
    "anthropic": "pydantic_ai.models.anthropic",
}


def preload(apis: Iterable[str]) -> None:
    """Import what these wires need: seconds, in which a loop would stand still."""
    for name in {"pydantic_ai.models", *(_LIBRARIES[api] for api in apis if api in _LIBRARIES)}:
        import_module(name)


class Providers:
    """key_of: a provider's key, None where it has none. wires: by the name that `api` gives; a registry has those of plugins too.
    settings: what a wire gets that asks for them."""

    def __init__(self, key_of: Key, wires: Iterable[Wire] = tuple(WIRES.values()), settings: Settings | None = None) -> None:
        self._key_of = key_of
        self._settings = settings or Settings()
        self._wires = {wire.name: wire for wire in wires}
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
            found = self._models[model.id] = wire.made(provider, model, self._key(provider), self._client(), self._settings)
        return found

    async def installed(self, provider: Provider) -> list[str]:
        """The models that an Ollama server has. Raises GizziError, one line, where it cannot be asked."""
        import httpx2

        try:
            return await wire_ollama.installed(provider, self._client(), self._key(provider))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError):
            raise GizziError(f"{provider.name} does not list its models at {provider.url}; is Ollama running there?") from None

    async def login(self, provider: Provider, model: Model) -> str | None:
        """Why Claude Code's program could ask nobody, as it says itself, within a few seconds; None where it could, or does not say."""
        program = wire_claude_code.Program(provider, model, self._key(provider), self._settings)
        try:
            async with asyncio.timeout(LOGIN_WITHIN_S):
                return await program.login()
        except TimeoutError:
            return None
        except ModelCallFailed as failure:
            return str(failure)

    def scrub(self, provider: Provider, text: str) -> str:
        """A provider's own words without its key, or what looks like one."""
        return without_key(text, self._key(provider))

    def _key(self, provider: Provider) -> str:
        key = self._key_of(provider)
        return key.get_secret_value() if key else ""

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
