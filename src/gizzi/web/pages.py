"""The pages' routes. Each asks `views` and fills a template; each form asks the app, and leads back to the page it came from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from gizzi.app import App
from gizzi.engine.own import version
from gizzi.errors import AlreadyOver, GizziError, NotFound, StoreError, UsageError
from gizzi.models.report import BY
from gizzi.serving.headers import PAGES, Headers
from gizzi.serving.stream import EventStream
from gizzi.web.desk import FrontDesk, Looker, Refused, form_word, keep_form_word, local
from gizzi.web.past import SPANS
from gizzi.web.shown import FILTERS, SIGN
from gizzi.web.views import Panels, Views

BEAT = b"event: beat\ndata: {}\n\n"
"""A page can see this; comments it cannot."""
MOST_PAGES = 100_000
STATUSES = ((Refused, 403), (NotFound, 404), (UsageError, 422), (AlreadyOver, 409), (StoreError, 503))
NAV = (("/", "Fleet"), ("/incidents", "Incidents"), ("/memory", "Memory"), ("/costs", "Models and costs"), ("/roles", "Roles"))
Shower = Callable[[Request], Awaitable[dict[str, Any]]]


def create_pages(app: App, *, open_reads: bool, panels: Panels | None = None) -> ASGIApp:
    """The pages over one app. open_reads: they are served on loopback. panels: what `@panel` functions drew."""
    return Headers(_Pages(app, open_reads, panels).routes(), policy=PAGES)


class _Pages:
    def __init__(self, app: App, open_reads: bool, panels: Panels | None) -> None:
        self._app = app
        self._views = Views(app, panels)
        self._desk = FrontDesk(app, open_reads=open_reads)
        self._templates = Environment(loader=PackageLoader("gizzi.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        self._templates.filters.update(FILTERS)
        self._templates.globals.update({"nav": NAV, "sign": SIGN, "version": version()})
        for name in self._templates.list_templates():
            self._templates.get_template(name)  # compiled now, not while somebody waits and the loop with them

    def routes(self) -> Starlette:
        views = self._views
        shown: list[tuple[str, str, Shower]] = [
            ("/", "overview.html", lambda request: views.overview()),
            ("/validators/{number:int}", "validator.html", lambda request: views.validator(request.path_params["number"], _span(request))),
            ("/incidents", "incidents.html", lambda request: views.incidents("open" in request.query_params, _page(request))),
            ("/incidents/{id}", "incident.html", lambda request: views.incident(request.path_params["id"])),
            ("/costs", "costs.html", lambda request: views.costs(next((b for b in BY if b == request.query_params.get("by")), "tier"))),
            ("/roles", "roles.html", lambda request: views.roles()),
            ("/memory", "memory.html", self._memory),
        ]
        forms: list[tuple[str, Callable[[Request], Awaitable[Response]]]] = [
            ("/incidents/{id}/acknowledge", self._acknowledge),
            ("/incidents/{id}/silence", self._silence),
            ("/approvals/{id}/approve", self._approve),
            ("/approvals/{id}/deny", self._deny),
            ("/logout", self._desk.log_out),
        ]
        return Starlette(
            routes=[
                *(Route(path, self._shows(template, shower)) for path, template, shower in shown),
                *(Route(path, form, methods=["POST"]) for path, form in forms),
                Route("/login", self._login, methods=["GET", "POST"]),
                Route("/live", self._live),
                Mount("/static", StaticFiles(packages=[("gizzi.web", "static")])),
            ],
            exception_handlers={GizziError: self._fault, HTTPException: self._fault, Exception: self._fault},
        )

    def _shows(self, template: str, shower: Shower) -> Callable[[Request], Awaitable[Response]]:
        async def show(request: Request) -> Response:
            looker = await self._desk.looker(request)
            if looker is None:
                return _to_login(request)
            return self._answer(request, template, looker, await shower(request))

        return show

    def _answer(self, request: Request, template: str, looker: Looker, shown: dict[str, Any], status: int = 200) -> Response:
        """With an ETag: who has the page already is told only that."""
        session = looker.session
        now = datetime.fromtimestamp(self._app.clock.now(), UTC)
        about = {
            "network": self._app.settings.network.name,
            "path": request.url.path,
            "here": local(f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path),
            "person": session.person if session else None,
            "csrf": session.csrf if session else "",
            "may_write": looker.may_write,
            "can_log_in": bool(self._desk.tokens),
            "token_env": self._app.settings.api.token_env,
            "said": session.take_said() if session and status == 200 else "",
            "now_at": now,
        }
        text = self._templates.get_template(template).render(**about, **shown)
        page = HTMLResponse(text.encode("utf-8", "replace"), status, headers={"Cache-Control": "no-cache, private"})
        if status == 200:
            etag = f'"{blake2b(bytes(page.body), digest_size=16).hexdigest()}"'
            if request.headers.get("if-none-match") == etag:
                return Response(status_code=304, headers={"ETag": etag})
            page.headers["ETag"] = etag
        return page

    async def _memory(self, request: Request) -> dict[str, Any]:
        search = request.query_params.get("search", "").strip()
        return await self._views.memory(search, _page(request), "check" in request.query_params)

    async def _live(self, request: Request) -> Response:
        if await self._desk.looker(request) is None:
            return Response(status_code=403)
        events = self._app.live.events
        return Response(status_code=503) if events.is_full else EventStream(events, request.headers.get("last-event-id"), BEAT)

    async def _login(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._desk.log_in(request)
        looker = await self._desk.looker(request) or Looker(None)
        word = form_word(request)
        page = self._answer(request, "login.html", looker, {"form": word, "next": local(request.query_params.get("next", "/"))})
        keep_form_word(page, word)
        return page

    async def _acknowledge(self, request: Request) -> Response:
        session, form = await self._desk.writer(request)
        name = request.path_params["id"]
        await self._app.desk.acknowledge(name, session.person.name)
        session.said = f"You look after {name} now. Everybody sees that."
        return _back(form, f"/incidents/{name}")

    async def _silence(self, request: Request) -> Response:
        session, form = await self._desk.writer(request)
        app, whom = self._app, form.get("validator", "")
        number = int(whom) if whom.isascii() and whom.isdigit() and len(whom) < 10 else None
        span = {"1h": "1h", "4h": "4h", "24h": "24h"}.get(form.get("for", ""), "1h")
        rule = form.get("rule", "")
        await app.desk.silence(app.registry, app.settings, rule, number, span, form.get("why", ""), session.person.name)
        session.said = f"{rule} is silent {f'on validator {number}' if number is not None else 'everywhere'} for {span}."
        return _back(form, f"/incidents/{request.path_params['id']}")

    async def _approve(self, request: Request) -> Response:
        return await self._decide(request, yes=True)

    async def _deny(self, request: Request) -> Response:
        return await self._decide(request, yes=False)

    async def _decide(self, request: Request, *, yes: bool) -> Response:
        session, form = await self._desk.writer(request)
        if not yes and not form.get("why", "").strip():
            raise UsageError("say why not, in a few words; others will read it")
        decided = await self._app.actions.decide(request.path_params["id"], yes=yes, by=session.person.name, why=form.get("why", ""))
        self._app.live.answered(decided)
        what = f"{decided['action']} of validator {decided['validator']}"
        session.said = (
            f"You approved it: {what}. The guard looks once more before it happens." if yes else f"You said no: {what} is not done."
        )
        return _back(form, f"/incidents/{decided['incident']}" if decided["incident"] else "/")

    async def _fault(self, request: Request, error: Exception) -> Response:
        """What went wrong, as a page."""
        status = next((status for kind, status in STATUSES if isinstance(error, kind)), 503 if isinstance(error, GizziError) else 500)
        detail = str(error)
        if isinstance(error, Refused):
            status = error.status
        elif isinstance(error, HTTPException):
            status, detail = (
                error.status_code,
                f"there is no such page: {request.url.path[:100]}" if error.status_code == 404 else error.detail,
            )
        elif status == 500:
            detail = "this is a fault in Gizzi; its log says more"
        looker = await self._desk.looker(request)
        if looker is None and status == 404:
            return _to_login(request)
        page = self._answer(request, "problem.html", looker or Looker(None), {"status": status, "detail": detail}, status)
        if isinstance(error, Refused) and error.wait_s:
            page.headers["Retry-After"] = str(error.wait_s)
        return page


def _span(request: Request) -> str:
    span = request.query_params.get("span", "")
    return span if span in SPANS else "2h"


def _page(request: Request) -> int:
    text = request.query_params.get("page", "0")
    return min(int(text), MOST_PAGES) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _back(form: Any, usually: str) -> Response:
    return RedirectResponse(local(form.get("next") or usually), 303)


def _to_login(request: Request) -> Response:
    """To the log-in; who comes from another site, such as by a link in a chat, first loads the page once more: only then does the
    browser send the cookie."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("sec-fetch-site") == "cross-site":
        return HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0"><title>Gizzi</title>')
    return RedirectResponse(f"/login?{urlencode({'next': here})}", 303)
