"""The routes. Each asks the app, and answers what it says."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Header, Path, Query, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from gizzi.api import alertmanager, chat, errors, models, reads, records, writes
from gizzi.api.auth import READERS_POST, Door
from gizzi.api.listen import address_of
from gizzi.api.lists import LARGEST_NUMBER, LISTED, Json, Limit, Offset, listed, paged
from gizzi.api.metrics import Metrics
from gizzi.api.problems import problems
from gizzi.app import App
from gizzi.engine.detail import detail, history_json
from gizzi.engine.own import own_health, version
from gizzi.errors import NotFound
from gizzi.serving.headers import API, Headers
from gizzi.serving.people import is_loopback, people_of
from gizzi.serving.stream import EventStream

MONTH_S = 31 * 86_400
ABOUT = "What Gizzi sees of a fleet of Substrate validators. Times are UTC in ISO 8601; a value that was not observed is null."


def create_app(app: App, *, listen: str | None = None) -> FastAPI:
    """The API over one app. listen: where it will listen, [api] listen by default; it decides who may read (see `auth`)."""
    api = FastAPI(title="Gizzi", version=version(), description=ABOUT, docs_url=None, redoc_url=None, redirect_slashes=False)
    host, _ = address_of(listen or app.settings.api.listen)
    _add_routes(api, app)
    _add_past(api, app)
    writes.add_routes(api, app)
    reads.add_routes(api, app)
    alertmanager.add_routes(api, app)
    chat.add_routes(api, app)
    errors.install(api)
    api.add_middleware(errors.LastResort)
    api.add_middleware(Headers, policy=API)
    api.add_middleware(Door, people=people_of(app.settings), open_reads=is_loopback(host), public_status=app.settings.api.public_status)
    api.openapi = lambda: _openapi(api)  # type: ignore[method-assign]
    return api


def _add_routes(api: FastAPI, app: App) -> None:
    metrics = Metrics(app, app.live.statuses)
    cross_origin = {"Access-Control-Allow-Origin": "*"} if app.settings.api.public_status else None

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
        return Json(app.live.network(), headers=cross_origin)

    @api.get("/api/validator/{number}", response_model=models.ValidatorDetail, responses=problems(404, 422), tags=["fleet"])
    async def validator(number: Annotated[int, Path(ge=0, le=LARGEST_NUMBER)]) -> Response:
        """One validator: its status, the facts a restart stands on, its alerts, and all that was observed."""
        return Json(detail(app.watch, number))

    @api.get("/api/incidents", response_model=list[models.Incident], responses={**LISTED, **problems(422)}, tags=["incidents"])
    async def incidents(
        request: Request,
        open: Annotated[bool, Query(description="Only those that are not resolved.")] = False,
        limit: Limit = 200,
        offset: Offset = 0,
    ) -> Response:
        """Incidents, newest first."""
        return paged(request, await app.desk.incidents(open_only=open, limit=limit + 1, offset=offset), limit, offset)

    @api.get("/api/incidents/{id}", response_model=models.IncidentDetail, responses=problems(404, 422), tags=["incidents"])
    async def incident(id: writes.IncidentId) -> Response:
        """One incident with its timeline."""
        return Json(await app.desk.incident(id))

    @api.get("/api/events", response_class=Response, responses=_EVENTS, tags=["gizzi"])
    async def events(last_event_id: Annotated[str | None, Header(max_length=64, description="Go on after this event.")] = None) -> Response:
        """What happens, as server-sent events, each with an id: `incident` and `action` as they change, `status` where a validator's
        health has changed. A quiet stream says so in a comment every 10 s. With Last-Event-ID what was missed comes first; where that is
        not kept any more, the event `reset` says so.
        """
        if app.live.events.is_full:
            return errors.problem(503, "too many follow the events already; come back later", {"Retry-After": "30"})
        return EventStream(app.live.events, last_event_id)

    @api.get("/api/panels", response_model=list[records.Panel], tags=["fleet"])
    async def panels() -> Response:
        """The panels of this installation, its plugins' too; drawn anew every few seconds while somebody asks."""
        return Json(await app.panels.shown())


def _add_past(api: FastAPI, app: App) -> None:
    """What was seen over time, and what is foretold from it."""

    @api.get("/api/validator/{number}/history", response_model=models.ValidatorHistory, responses=problems(404, 422), tags=["fleet"])
    async def history(
        number: Annotated[int, Path(ge=0, le=LARGEST_NUMBER)],
        span_s: Annotated[int, Query(ge=60, le=MONTH_S, description="How far back, in seconds.")] = 86_400,
    ) -> Response:
        """What was seen of one validator over time: a sample a minute up to 26 hours, one a quarter of an hour up to 31 days. It outlives
        restarts."""
        if number not in app.watch.fleet.validators:
            raise NotFound(f"there is no validator {number}; /api/network/status lists them")
        return Json(history_json(number, await app.past.stretch(number, span_s)))

    @api.get("/api/network/trend", response_model=models.Trend, responses=problems(422), tags=["fleet"])
    async def trend(
        span_s: Annotated[int, Query(ge=15, le=7200, description="How far back, in seconds.")] = 900,
    ) -> Response:
        """The last minutes of every validator, a sample every 15 s."""
        return Json(app.live.trend.as_json(app.clock.now() - span_s))

    @api.get("/api/forecasts", response_model=list[models.Outlook], responses=LISTED, tags=["fleet"])
    async def forecasts(request: Request) -> Response:
        """What will break of each validator and chain, and when: what surely comes first, the next first, then the rest. Made hourly."""
        return listed(request, app.foresight.everything())


_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **problems(422)}


def _openapi(api: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with our problems and the bearer token in it."""
    if api.openapi_schema is None:
        page = get_openapi(title=api.title, version=api.version, description=ABOUT, routes=api.routes)
        parts = page.setdefault("components", {})
        parts["schemas"]["Problem"] = models.Problem.model_json_schema()
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        page["security"] = [{}, {"token": []}]
        for path, item in page["paths"].items():
            for method, operation in item.items():
                _complete(path, method, operation)
        api.openapi_schema = page
    return api.openapi_schema


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """What any route may answer: before it is asked, and where the store fails."""
    if path.startswith(errors.OPENAI_PATH):
        operation["responses"]["401"] = chat.REFUSED
        return
    changes = method == "post" and path not in READERS_POST
    always = problems(401, 503, *((403, 429) if changes else ()))
    operation["responses"].update({str(status): answer for status, answer in always.items()})
