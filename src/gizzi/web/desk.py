"""Who looks at a page and what they may do: log-in, sessions, and forms that only our own pages can send."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gizzi.app import App
from gizzi.errors import GizziError
from gizzi.serving.buckets import Buckets
from gizzi.serving.people import Tokens, host_of, is_loopback, people_of
from gizzi.web.sessions import COOKIE, FORM_COOKIE, LASTS_S, Session, Sessions, same

LARGEST_FORM = 16_384
LOGINS, LOGIN_EVERY_S = 10, 6.0
WRITES, WRITE_EVERY_S = 60, 0.5


class Refused(GizziError):
    """status: the HTTP status. wait_s: when to come back."""

    def __init__(self, status: int, message: str, wait_s: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Looker:
    """session: None for somebody on this machine who has not logged in."""

    session: Session | None

    @property
    def may_write(self) -> bool:
        return self.session is not None and self.session.person.role == "approver"


class FrontDesk:
    """open_reads: the pages are served on loopback, where who is on this machine may read."""

    def __init__(self, app: App, *, open_reads: bool) -> None:
        people = people_of(app.settings)
        self.tokens = Tokens(people)
        self._sessions = Sessions(app.store, app.clock, people)
        self._open_reads = open_reads
        self._logins = Buckets(LOGINS, LOGIN_EVERY_S)
        self._writes = Buckets(WRITES, WRITE_EVERY_S)

    async def looker(self, request: Request) -> Looker | None:
        """None: not without logging in."""
        session = await self._sessions.find(request.cookies.get(COOKIE))
        if session is not None or (self._open_reads and is_loopback(host_of(request.headers))):
            return Looker(session)
        return None

    async def writer(self, request: Request) -> tuple[Session, Mapping[str, str]]:
        """Who sent this form, and what is in it. Raises Refused."""
        session = await self._sessions.find(request.cookies.get(COOKIE))
        if session is None:
            raise Refused(403, "log in first; nothing was changed")
        form = await form_of(request)
        if not _from_us(request) or not same(form.get("csrf", ""), session.csrf):
            raise Refused(403, "this form is from an older page or from elsewhere; go back, load the page anew and send it again")
        if session.person.role != "approver":
            raise Refused(403, f"{session.person.name} is a viewer; this needs an approver's token")
        _in_turn(self._writes, session.person.name)
        return session, form

    async def log_in(self, request: Request) -> Response:
        """Raises Refused."""
        form = await form_of(request)
        if not _from_us(request) or not same(form.get("csrf", ""), request.cookies.get(FORM_COOKIE, "")):
            raise Refused(403, "this form is from an older page or from elsewhere; go back, load the page anew and send it again")
        _in_turn(self._logins, request.client.host if request.client else "")
        person = self.tokens.owner(form.get("token", "").strip().encode("utf-8", "replace"))
        if person is None:
            raise Refused(403, "that is nobody's token; it is the value of [api] token_env or of one of [[api.tokens]]")
        answer = RedirectResponse(local(form.get("next", "")), 303)
        answer.delete_cookie(FORM_COOKIE)
        _set(answer, COOKIE, await self._sessions.begin(person), round(LASTS_S))
        return answer

    async def log_out(self, request: Request) -> Response:
        session = await self._sessions.find(request.cookies.get(COOKIE))
        form = await form_of(request)
        if session is not None and not (_from_us(request) and same(form.get("csrf", ""), session.csrf)):
            raise Refused(403, "this form is from an older page or from elsewhere; load the page anew")
        await self._sessions.end(request.cookies.get(COOKIE))
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE)
        return answer


def form_word(request: Request) -> str:
    """What the log-in form is to carry, and a cookie beside it: there is no session yet that could hold it."""
    return request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)


def keep_form_word(answer: Response, word: str) -> None:
    _set(answer, FORM_COOKIE, word, 3600)


def local(path: str) -> str:
    """That path on this host, and on no other."""
    parts = urlsplit(path[:500])
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and not parts.netloc and not parts.scheme
    return path[:500] if plain and "\\" not in path else "/"


async def form_of(request: Request) -> dict[str, str]:
    """Raises Refused where it is longer than any of ours."""
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > LARGEST_FORM:
            raise Refused(413, "that is longer than any form here")
    try:
        return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=50))
    except ValueError:
        raise Refused(422, "that is no form of ours") from None


def _from_us(request: Request) -> bool:
    """A browser says where a form comes from; where it says, it must be here."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _in_turn(buckets: Buckets, client: str) -> None:
    wait_s = buckets.take(client)
    if wait_s:
        raise Refused(429, f"too often; go on in {wait_s} s", wait_s)


def _set(answer: Response, name: str, value: str, lasts_s: int) -> None:
    answer.set_cookie(name, value, max_age=lasts_s, path="/", httponly=True, samesite="strict")
