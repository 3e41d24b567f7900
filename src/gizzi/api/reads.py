"""The routes about models, money, roles and memory, and the one question."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.responses import Response

from gizzi.api import records
from gizzi.api.lists import LISTED, Json, Limit, Offset, listed, paged
from gizzi.api.problems import problems
from gizzi.app import App
from gizzi.engine.told import costs, roles
from gizzi.errors import NotFound, UsageError
from gizzi.models.report import By
from gizzi.models.router import Router


def add_routes(api: FastAPI, app: App) -> None:
    _add_models(api, app)
    _add_memory(api, app)

    @api.get("/api/roles", response_model=list[records.Role], responses=LISTED, tags=["roles"])
    async def all_roles(request: Request) -> Response:
        """Every role: who it is, when it runs, what it may spend, and its last report."""
        return listed(request, await roles(app.settings, app.memory, app.store))


def _add_models(api: FastAPI, app: App) -> None:
    @api.get("/api/costs", response_model=records.Costs, responses=problems(422), tags=["models"])
    async def spent(by: Annotated[By, Query(description="What the rows are of.")] = "model") -> Response:
        """What models cost this month, what is left, where it leads, and what the frontier model alone would have cost."""
        return Json(await costs(app.settings, app.router, app.store, app.clock, by))

    @api.get("/api/models", response_model=list[records.Model], responses=LISTED, tags=["models"])
    async def catalogue(request: Request) -> Response:
        """Every model, the cheapest tier first: prices in US$ per million tokens, the day they were checked, whether it can be reached."""
        return listed(request, await asyncio.to_thread(app.router.rows))

    @api.post("/api/ask", response_model=records.Answer, responses=problems(404, 422), tags=["models"])
    async def ask(question: records.Question) -> Response:
        """Ask. The router chooses who answers, within budget; a question that live status answers costs nothing."""
        await app.router.warm()
        if question.model is not None:
            _check_model(app.router, question.model)
        answer = await app.router.ask(question.text, critical=question.critical, model=question.model, role=question.role)
        return Json(answer.as_json())


def _check_model(router: Router, name: str) -> None:
    """Raises NotFound, also where that model cannot be asked at all."""
    try:
        model = router.catalogue.find(name).id
    except UsageError as error:
        raise NotFound(str(error)) from None
    why_not = next(row["why_not"] for row in router.rows() if row["model"] == model)
    if why_not is not None:
        raise NotFound(f"model: {model} cannot be asked: {why_not}")


def _add_memory(api: FastAPI, app: App) -> None:
    @api.get("/api/memory", response_model=list[records.Remembered], responses={**LISTED, **problems(422)}, tags=["memory"])
    async def memory(
        request: Request,
        search: Annotated[str, Query(max_length=500, description="Only entries in which each of these words occurs.")] = "",
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> Response:
        """What is remembered, newest first."""
        if search.strip():
            found = (await app.memory.search(search, min(offset + limit + 1, 10_000)))[offset:]
        else:
            found = await app.memory.latest(limit + 1, offset)
        return paged(request, [stored.as_json() for stored in found], limit, offset)

    @api.get("/api/memory/verify", response_model=records.Verification, tags=["memory"])
    async def verify() -> Response:
        """Read the whole memory and check it: hashes, signatures, and that no entry is missing."""
        found: Mapping[str, Any] = (await app.memory.verify()).as_json()
        return Json(found)
