"""Answers as JSON; lists in pages, with the next page's address and an ETag, so that whoever has it already is told only that."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import JSONResponse, Response

LARGEST_NUMBER = 2**31 - 1
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Offset = Annotated[int, Query(ge=0, le=LARGEST_NUMBER, description="How many of the newest to leave out.")]
HEADERS: dict[str, Any] = {
    "ETag": {"description": "Of this answer; send it as If-None-Match.", "schema": {"type": "string"}},
    "Link": {"description": 'The next and the previous page (RFC 8288), rel="next" and rel="prev".', "schema": {"type": "string"}},
}
LISTED: dict[int | str, dict[str, Any]] = {
    200: {"headers": HEADERS},
    304: {"description": "Nothing has changed since the answer with that ETag."},
}


class Json(JSONResponse):
    """What cannot be said in JSON (NaN, infinity: a plugin's) is null, and never spoils the rest."""

    def render(self, content: Any) -> bytes:
        try:
            return _dump(content)
        except ValueError:
            return _dump(_finite(content))


def listed(request: Request, content: Any, headers: dict[str, str] | None = None) -> Response:
    """With an ETag; 304 where the client has it."""
    answer = Json(content, headers=headers)
    etag = f'"{blake2b(bytes(answer.body), digest_size=16).hexdigest()}"'
    answer.headers["ETag"] = etag
    answer.headers["Cache-Control"] = "no-cache"
    given = request.headers.get("if-none-match", "")
    known = given.strip() == "*" or etag in (word.strip().removeprefix("W/") for word in given.split(","))
    return Response(status_code=304, headers={"ETag": etag, "Cache-Control": "no-cache"}) if known else answer


def paged(request: Request, found: Sequence[Any], limit: int, offset: int) -> Response:
    """found: one more than the limit where there are more."""
    links = [f'<{_at(request, limit, offset + limit)}>; rel="next"'] if len(found) > limit else []
    links += [f'<{_at(request, limit, max(0, offset - limit))}>; rel="prev"'] if offset else []
    return listed(request, list(found[:limit]), {"Link": ", ".join(links)} if links else None)


def _at(request: Request, limit: int, offset: int) -> str:
    url = request.url.include_query_params(limit=limit, offset=offset)
    return f"{url.path}?{url.query}"


def _dump(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
