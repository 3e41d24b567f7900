"""Our router as one of pydantic-ai's models: `Agent(RouterModel(router), tools=…, output_type=…)` goes through the same door as `ask`.

Each request of a run is routed by the run's last question and by what it needs (tools, a JSON schema). Import it where an agent is made:
it loads pydantic-ai.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings

from gizzi.errors import GizziError
from gizzi.models.door import Bill, Call
from gizzi.models.router import Router
from gizzi.models.task import Route, Task, Tier

AUTO = "gizzi/auto"


class RouterModel(Model[Any]):
    """One for each conversation: it remembers what was redacted.

    within: only models of this tier, without falling back to others. more: fields of each `Task` (role, critical, private, kind …).

    Raises what `Router.ask` raises. routes, bills: the choice and the cost of each request so far.
    """

    _answers_requests_itself = False

    def __init__(self, router: Router, *, model: str | None = None, within: Tier | None = None, **more: Any) -> None:
        super().__init__(profile=ModelProfile(default_structured_output_mode="native", supports_json_schema_output=True))
        self._router = router
        self._asked_for = model or within
        self._within = within
        self._more = more
        self._redactor = router.redactor()
        self.routes: list[Route] = []
        self.bills: list[Bill] = []

    @property
    def model_name(self) -> str:
        return self._asked_for or AUTO

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
        task, route = await self._route(messages, model_request_parameters)
        reply = await self._router.door.call(task, route, self._call(task, messages, model_settings, model_request_parameters))
        self.bills.append(reply.bill)
        parts = [
            replace(part, content=self._redactor.restore(part.content)) if isinstance(part, TextPart) else part
            for part in reply.response.parts
        ]
        return replace(reply.response, parts=parts)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncIterator[StreamedResponse]:
        task, route = await self._route(messages, model_request_parameters, "stream")
        call = self._call(task, messages, model_settings, model_request_parameters)
        async with self._router.door.stream(task, route, call) as opened:
            self.bills.append(opened.bill)
            yield opened.stream

    async def _route(self, messages: list[ModelMessage], parameters: ModelRequestParameters, *needs: str) -> tuple[Task, Route]:
        wanted = {*needs} | ({"tools"} if parameters.function_tools or parameters.output_tools else set())
        wanted |= {"json"} if parameters.output_object is not None else set()
        text = _question(messages)
        history = sum(len(str(part)) for message in messages for part in message.parts) // 4
        task = self._router.task(text, model=self._asked_for, needs=frozenset(wanted), context_tokens=history, **self._more)
        route = await self._router.route(task)
        if self._within is not None:
            own = self._router.catalogue.tiers[self._within]
            route = replace(route, models=tuple(name for name in route.models if name in own))
        if not route.models:
            raise GizziError(f"no model could answer: {route.reason}")
        self.routes.append(route)
        return task, route

    def _call(self, task: Task, messages: list[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters) -> Call:
        return Call(messages, parameters, {"max_tokens": task.output_tokens, **(settings or {})}, self._redactor)


def _question(messages: list[ModelMessage]) -> str:
    """The last thing a person asked."""
    for message in reversed(messages):
        for part in reversed(message.parts):
            if isinstance(message, ModelRequest) and isinstance(part, UserPromptPart):
                content = part.content
                return content if isinstance(content, str) else " ".join(item for item in content if isinstance(item, str))
    return "Go on."
