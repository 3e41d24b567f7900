"""Our router as one of pydantic-ai's models: `Agent(RouterModel(router), tools=…, output_type=…)` goes through the same door as `ask`.

Import it where an agent is made: it loads pydantic-ai.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings

from gizzi.models.conversation import Conversation
from gizzi.models.router import Router
from gizzi.models.task import Tier

AUTO = "gizzi/auto"


class RouterModel(Model[Any]):
    """One for each conversation; what it is given is what a `Conversation` is, and it raises what `Router.ask` raises."""

    _answers_requests_itself = False

    def __init__(self, router: Router, *, model: str | None = None, within: Tier | None = None, **more: Any) -> None:
        super().__init__(profile=ModelProfile(default_structured_output_mode="native", supports_json_schema_output=True))
        self._conversation = Conversation(router, model=model, within=within, **more)
        self.routes = self._conversation.routes
        self.bills = self._conversation.bills

    @property
    def model_name(self) -> str:
        return self._conversation.asked_for or AUTO

    @property
    def system(self) -> str:
        return "gizzi"

    @property
    def base_url(self) -> str | None:
        return None

    def prepare_request(
        self, model_settings: ModelSettings | None, model_request_parameters: ModelRequestParameters
    ) -> tuple[ModelSettings | None, ModelRequestParameters]:
        """The chosen model prepares it."""
        return model_settings, model_request_parameters

    def prepare_messages(
        self, messages: list[ModelMessage], model_request_parameters: ModelRequestParameters | None = None
    ) -> list[ModelMessage]:
        """The chosen model prepares them."""
        return messages

    async def request(
        self, messages: list[ModelMessage], model_settings: ModelSettings | None, model_request_parameters: ModelRequestParameters
    ) -> ModelResponse:
        return (await self._conversation.ask(messages, dict(model_settings or {}), model_request_parameters)).response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncIterator[StreamedResponse]:
        async with self._conversation.stream(messages, dict(model_settings or {}), model_request_parameters) as opened:
            yield opened.stream
