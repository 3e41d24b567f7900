"""The routes that change something: who asks has an approver's token, and is named in what is kept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, FastAPI, Path, Query, Request
from starlette.responses import Response

from gizzi.api import models
from gizzi.api.lists import LISTED, Json, Limit, Offset, paged
from gizzi.api.problems import problems
from gizzi.app import App
from gizzi.serving.people import Person

ApprovalId = Annotated[str, Path(pattern="^(?:ap-)?[0-9]{1,9}$", description="Such as ap-3.")]
IncidentId = Annotated[str, Path(pattern="^(?:inc-)?[0-9]{1,9}$", description="Such as inc-3.")]
ActionId = Annotated[str, Path(pattern="^(?:act-)?[0-9]{1,9}$", description="Such as act-3.")]
SAID_NOTHING = models.Word(why="")


def add_routes(api: FastAPI, app: App) -> None:
    desk = app.actions
    faults = problems(404, 409, 422)

    @api.post("/api/incidents/{id}/ack", response_model=models.IncidentDetail, responses=problems(404, 409, 422), tags=["incidents"])
    async def acknowledge(request: Request, id: IncidentId) -> Response:
        """Say that somebody has seen the incident and looks after it."""
        await app.desk.acknowledge(id, _who(request))
        return Json(await app.desk.incident(id))

    @api.get("/api/approvals", response_model=list[models.Approval], responses={**LISTED, **problems(422)}, tags=["actions"])
    async def approvals(
        request: Request,
        all: Annotated[bool, Query(description="Also those that no longer wait.")] = False,
        limit: Limit = 200,
        offset: Offset = 0,
    ) -> Response:
        """Approvals that wait for a person, newest first."""
        return paged(request, await desk.approvals(waiting=not all, limit=limit + 1, offset=offset), limit, offset)

    @api.post("/api/approvals/{id}/approve", response_model=models.Approval, responses=faults, tags=["actions"])
    async def approve(request: Request, id: ApprovalId, word: Annotated[models.Word, Body()] = SAID_NOTHING) -> Response:
        """Say yes, once. The guard looks at the facts again before anything happens."""
        return Json(await _answer(app, id, True, request, word.why))

    @api.post("/api/approvals/{id}/deny", response_model=models.Approval, responses=faults, tags=["actions"])
    async def deny(request: Request, id: ApprovalId, reason: models.Reason) -> Response:
        """Say no, and why."""
        return Json(await _answer(app, id, False, request, reason.why))

    @api.post("/api/actions", response_model=models.ProposedAction, status_code=202, responses=problems(404, 422), tags=["actions"])
    async def propose(request: Request, wish: models.Wish) -> Response:
        """Propose an action. It goes through the guard; look at GET /api/actions/{id} for what becomes of it."""
        number = await desk.want(app.settings, app.registry, wish.action, wish.validator, wish.why, _who(request))
        return Json(await desk.action(number), 202)

    @api.get("/api/actions", response_model=list[models.Action], responses={**LISTED, **problems(422)}, tags=["actions"])
    async def actions(request: Request, limit: Limit = 200, offset: Offset = 0) -> Response:
        """What was proposed and done, newest first."""
        return paged(request, await desk.actions(limit + 1, offset), limit, offset)

    @api.get("/api/actions/{id}", response_model=models.ProposedAction, responses=problems(404, 422), tags=["actions"])
    async def action(id: ActionId) -> Response:
        """One action, with the approval that waits for it."""
        return Json(await desk.action(desk.number(id)))


async def _answer(app: App, approval: str, yes: bool, request: Request, why: str) -> dict[str, Any]:
    decided = await app.actions.decide(approval, yes=yes, by=_who(request), why=why)
    app.live.answered(decided)
    return decided


def _who(request: Request) -> str:
    person: Person = request.state.person
    return person.name
