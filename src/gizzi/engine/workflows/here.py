"""A workflow that belongs to a terminal: run in this process, and not kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.engine.workflows.runner import outcome
from gizzi.errors import GizziError
from gizzi.reach.http import HttpClient
from gizzi.registry import Registry

HTTP_TIMEOUT_S = 10.0


class HereRun:
    """`gizzi.Run` without a store: steps are plain calls."""

    id = "here"

    async def step(self, name: str, function: Callable[..., Any], *given: Any) -> Any:
        result = function(*given)
        return await result if hasattr(result, "__await__") else result

    async def sleep(self, duration_s: float) -> None:
        await LiveClock().sleep(duration_s)

    async def look(self, validator: int) -> NoReturn:
        raise GizziError("a workflow that runs at a terminal looks at nothing itself; let it ask the REST API")

    async def act(self, action: str, validator: int, why: str, **given: str) -> NoReturn:
        raise GizziError("a workflow that runs at a terminal acts on nothing; use `gizzi act`")

    async def say(self, text: str) -> None:
        print(text, flush=True)


async def run_here(settings: Settings, registry: Registry, name: str, given: Mapping[str, str]) -> tuple[str, str | None]:
    """How it ended (done, stopped, failed), and its last word."""
    http = HttpClient(timeout_s=HTTP_TIMEOUT_S)
    try:
        return await outcome(registry.workflows[name], {**given, "settings": settings, "http": http}, HereRun())
    finally:
        await http.close()
