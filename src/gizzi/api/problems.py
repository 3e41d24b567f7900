"""How the OpenAPI document says what can go wrong."""

from __future__ import annotations

from typing import Any

from gizzi.api import errors

TEXTS = {
    401: "No token, or a wrong one.",
    403: "A viewer's token, where an approver's is needed.",
    404: "There is no such thing.",
    409: "It is over already.",
    422: "Something asked for is not well formed.",
    429: "Too many changes at once; Retry-After says in how many seconds to go on.",
    500: "A fault in Gizzi; its log says more.",
    503: "It cannot be had now: the store fails, no model could answer, or too many follow already; the detail says which.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    shape = {errors.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": TEXTS[status], "content": shape} for status in statuses}
