"""The routes. Each asks the app, and answers what it says."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, Response

from gizzi.api import alertmanager, chat, errors, models, writes
from gizzi.api.auth import Door, is_loopback, people_of
from gizzi.api.listen import address_of
from gizzi.api.metrics import Metrics
from gizzi.app import App
from gizzi.clock import iso
from gizzi.engine.detail import detail
from gizzi.engine.own import own_health, version
from gizzi.engine.watch import STEP_S

ABOUT = "What Gizzi sees of a fleet of Substrate validators. Times are UTC in ISO 8601; a value that was not observed is null."
LARGEST_NUMBER = 2**31 - 1


class Json(JSONResponse):
    """What cannot be said in JSON (NaN, infinity: a plugin's) is null, and never spoils the rest."""

    def render(self, content: Any) -> bytes:
        try:
            return _dump(content)
        except ValueError:
            return _dump(_finite(content))


def _dump(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


class Fleet:
    """The network's status, made at most once an evaluation however many ask."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._made_at = -math.inf
        self._statuses: list[dict[str, Any]] = []

    def statuses(self) -> list[dict[str, Any]]:
        now = self._app.clock.now()
        if not 0 <= now - self._made_at < STEP_S:
            self._statuses, self._made_at = self._app.watch.statuses(), now
        return self._statuses

    def status(self) -> dict[str, Any]:
        statuses = self.statuses()
        return {"network": self._app.settings.network.name, "at": iso(self._made_at), "validators": statuses}


def create_app(app: App, *, listen: str | None = None) -> FastAPI:
    """The API over one app. listen: where it will listen, [api] listen by default; it decides who may read (see `auth`)."""
    api = FastAPI(title="Gizzi", version=version(), description=ABOUT, docs_url=None, redoc_url=None, redirect_slashes=False)
    host, _ = address_of(listen or app.settings.api.listen)
    _add_routes(api, app)
    writes.add_routes(api, app, _problems)
    alertmanager.add_routes(api, app, _problems)
    chat.add_routes(api, app)
    errors.install(api)
    api.add_middleware(errors.LastResort)
    api.add_middleware(Door, people=people_of(app.settings), open_reads=is_loopback(host), public_status=app.settings.api.public_status)
    api.openapi = lambda: _openapi(api)  # type: ignore[method-assign]
    return api


def _add_routes(api: FastAPI, app: App) -> None:
    fleet = Fleet(app)
    metrics = Metrics(app, fleet.statuses)
    cross_origin = {"Access-Control-Allow-Origin": "*"} if app.settings.api.public_status else None
    faults = _problems(422)

    @api.get("/health", response_model=models.OwnHealth, tags=["gizzi"])
    async def health() -> Response:
        """How Gizzi itself is doing. The fleet's health is at /api/network/status."""
        return Json(own_health(app.watch))

    @api.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}, tags=["gizzi"])
    async def own_metrics(request: Request) -> Response:
        """Gizzi's own metrics, for Prometheus. No label names a validator."""
        return await metrics.answer(request.headers.get("accept", ""))

    @api.get("/api/network/status", response_model=models.NetworkStatus, tags=["fleet"])
    async def network_status() -> Response:
        """Every validator, in order of number."""
        return Json(fleet.status(), headers=cross_origin)

    @api.get("/api/validator/{number}", response_model=models.ValidatorDetail, responses=_problems(404, 422), tags=["fleet"])
    async def validator(number: Annotated[int, Path(ge=0, le=LARGEST_NUMBER)]) -> Response:
        """One validator: its status, the facts a restart stands on, its alerts, and all that was observed."""
        return Json(detail(app.watch, number))

    @api.get("/api/incidents", response_model=list[models.Incident], responses=faults, tags=["incidents"])
    async def incidents(
        open: Annotated[bool, Query(description="Only those that are not resolved.")] = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        offset: Annotated[int, Query(ge=0, le=LARGEST_NUMBER)] = 0,
    ) -> Response:
        """Incidents, newest first."""
        return Json(await app.desk.incidents(open_only=open, limit=limit, offset=offset))

    @api.get("/api/incidents/{id}", response_model=models.IncidentDetail, responses=_problems(404, 422), tags=["incidents"])
    async def incident(id: Annotated[str, Path(max_length=32, description="Such as inc-3.")]) -> Response:
        """One incident with its timeline."""
        return Json(await app.desk.incident(id))


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    texts = {
        401: "No token, or a wrong one.",
        403: "A viewer's token, where an approver's is needed.",
        404: "There is no such thing.",
        422: "Something asked for is not well formed.",
    }
    shape = {errors.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": texts[status], "content": shape} for status in statuses}


def _openapi(api: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with our problems and the bearer token in it."""
    if api.openapi_schema is None:
        page = get_openapi(title=api.title, version=api.version, description=ABOUT, routes=api.routes)
        parts = page.setdefault("components", {})
        parts["schemas"]["Problem"] = models.Problem.model_json_schema()
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        page["security"] = [{}, {"token": []}]
        for path, item in page["paths"].items():
            for operation in item.values():
                operation["responses"]["401"] = chat.REFUSED if path.startswith(errors.OPENAI_PATH) else _problems(401)[401]
        api.openapi_schema = page
    return api.openapi_schema
