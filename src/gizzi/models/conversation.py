"""A conversation through the one door, in pydantic-ai's terms: what agents and the OpenAI-compatible endpoint share.

Each request is routed by the last question and by what it needs (tools, a JSON schema). Nothing heavy is loaded before it is used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from gizzi.models.door import Bill, Call, Open, Reply
from gizzi.models.presence import nobody
from gizzi.models.restored import restored
from gizzi.models.router import Router
from gizzi.models.task import Route, Task, Tier


class Conversation:
    """It remembers what was redacted, so that the same secret has one placeholder in all of it.

    model: an id or a tier's name; None: the router chooses. within: only models of this tier, without falling back to others. more: fields
    of each `Task` (role, critical, private, kind …). routes, bills: the choice and the cost of each request so far.
    """

    def __init__(self, router: Router, *, model: str | None = None, within: Tier | None = None, **more: Any) -> None:
        self.asked_for = model or within
        self.routes: list[Route] = []
        self.bills: list[Bill] = []
        self._router = router
        self._within = within
        self._more = more
        self._redactor = router.redactor()

    async def ask(self, messages: Sequence[Any], settings: Mapping[str, Any] | None, parameters: Any) -> Reply:
        """Raises as `Router.ask` does."""
        task, route = await self._route(messages, parameters)
        reply = await self._router.door.call(task, route, self._call(task, messages, settings, parameters))
        self.bills.append(reply.bill)
        parts = [
            replace(part, content=self._redactor.restore(part.content)) if part.part_kind == "text" else part
            for part in reply.response.parts
        ]
        return replace(reply, response=replace(reply.response, parts=parts))

    @asynccontextmanager
    async def stream(self, messages: Sequence[Any], settings: Mapping[str, Any] | None, parameters: Any) -> AsyncIterator[Open]:
        """Its first event has come when this opens; what fails later is ModelCallFailed to the reader. Raises as `ask` does before."""
        task, route = await self._route(messages, parameters, "stream")
        async with self._router.door.stream(task, route, self._call(task, messages, settings, parameters)) as opened:
            self.bills.append(opened.bill)
            yield replace(opened, stream=restored(opened.stream, self._redactor))

    async def _route(self, messages: Sequence[Any], parameters: Any, *needs: str) -> tuple[Task, Route]:
        wanted = {*needs} | ({"tools"} if parameters.function_tools or parameters.output_tools else set())
        wanted |= {"json"} if parameters.output_object is not None else set()
        text = question_of(messages)
        history = sum(len(str(part)) for message in messages for part in message.parts) // 4
        task = self._router.task(text, model=self.asked_for, needs=frozenset(wanted), context_tokens=history, **self._more)
        route = await self._router.route(task)
        if self._within is not None:
            own = self._router.catalogue.tiers[self._within]
            route = replace(route, models=tuple(name for name in route.models if name in own))
        if not route.models:
            raise nobody(route.reason, False)
        self.routes.append(route)
        return task, route

    def _call(self, task: Task, messages: Sequence[Any], settings: Mapping[str, Any] | None, parameters: Any) -> Call:
        return Call(messages, parameters, {"max_tokens": task.output_tokens, **(settings or {})}, self._redactor)


def question_of(messages: Sequence[Any]) -> str:
    """The last thing a person asked."""
    for message in reversed(messages):
        for part in reversed(message.parts):
            if part.part_kind == "user-prompt":
                content = part.content
                return content if isinstance(content, str) else " ".join(item for item in content if isinstance(item, str))
    return "Go on."
