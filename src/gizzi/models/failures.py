"""What SDKs raise, as one kind of failure and one plain line. A provider's own words are cleaned, cut and freed of keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from gizzi.models.model import Model, Provider
from gizzi.models.retry import Kind, ModelCallFailed
from gizzi.readers.text import one_line

LONGEST_WORDS = 240
_KEY_LIKE = re.compile(r"\b(?:sk|pk|key|AIza|xai|gsk|Bearer)[-_ ]?[\w*.-]{8,}", re.IGNORECASE)
_TOO_LONG = re.compile(r"exceeds? the (?:available|maximum)?\s?context (?:size|length|window)", re.IGNORECASE)
"""How servers that send no code for it say that a prompt is too long: llama.cpp's."""


def raised_by_providers() -> tuple[type[Exception], ...]:
    """Everything a call through an SDK or a plugin's wire raises when the provider, or what it answered, is at fault. Loads the
    SDKs' common parts.

    AssertionError: the library's word for an event that came out of turn.
    """
    import httpx2
    from pydantic_ai.exceptions import AgentRunError, UserError

    ours = (OSError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, AssertionError, RuntimeError)
    return (AgentRunError, UserError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, *ours)


def failure_of(error: Exception, model: Model, provider: Provider, scrub: Callable[[str], str]) -> ModelCallFailed:
    kind = _kind_of(error)
    words = one_line(scrub(_words(error)), LONGEST_WORDS)
    host = provider.url
    status = getattr(error, "status_code", None)
    said = f": {words}" if words else ""
    texts: dict[Kind, str] = {
        "refused": refused_at(host),
        "timeout": "it did not answer in time",
        "rate_limit": f"it is asked too often (429){said}",
        "quota": f"the account there has nothing left to spend{said}",
        "overloaded": f"it is in trouble ({status or 'no status'}){said}",
        "broken_off": "the answer broke off in the middle",
        "unreadable": f"what {host} answered is not what its wire says (a login page, another server?){said}",
        "unauthorised": f"it refuses the key ({status or 401}); check {_key_place(provider)}",
        "not_found": f"{host} knows no model {model.name!r}{said}",
        "too_long": "the prompt is longer than it takes",
        "rejected": f"it refused the request ({status or 'no status'}){said}",
        "filtered": "the provider's filter would not answer this",
    }
    retry_after_s = getattr(error, "retry_after", None)
    return ModelCallFailed(kind, f"{model.id}: {texts[kind]}", retry_after_s=retry_after_s, sent=kind != "refused")


def refused_at(url: str) -> str:
    return f"no connection to {url}; is it running?"


def without_key(text: str, key: str) -> str:
    """A provider's own words without its key, or what looks like one."""
    return _KEY_LIKE.sub("***", text.replace(key, "***") if len(key) >= 4 else text)


def timed_out(model: Model, limit_s: float) -> ModelCallFailed:
    return ModelCallFailed("timeout", f"{model.id}: no answer within {limit_s:.0f} s" if limit_s >= 1 else f"{model.id}: no answer in time")


def _key_place(provider: Provider) -> str:
    return provider.key_env or provider.key_file or f"the key of [providers.{provider.name}]"


def _kind_of(error: Exception) -> Kind:
    from pydantic_ai import exceptions as ai

    kinds: tuple[tuple[type[Exception], Kind], ...] = (
        (ai.ModelRateLimitError, "rate_limit"),
        (ai.ModelQuotaExceededError, "quota"),
        (ai.ModelUnavailableError, "overloaded"),
        (ai.ModelServerError, "overloaded"),
        (ai.ModelContextWindowExceededError, "too_long"),
        (ai.ModelAuthenticationError, "unauthorised"),
        (ai.ModelNotFoundError, "not_found"),
        (ai.ModelRequestRejectedError, "rejected"),
        (ai.ModelTimeoutError, "timeout"),
        (ai.ModelRequestTimeout, "timeout"),
        (ai.ContentFilterError, "filtered"),
        (ai.UnexpectedModelBehavior, "unreadable"),
    )
    known = next((kind for raised, kind in kinds if isinstance(error, raised)), None)
    if known == "rejected" and _TOO_LONG.search(_words(error)):
        return "too_long"
    if known is not None:
        return known
    if isinstance(error, ai.ModelHTTPError):
        return kind_by_status(error.status_code)
    return _by_cause(error)


def kind_by_status(status: int) -> Kind:
    named: dict[int, Kind] = {401: "unauthorised", 403: "unauthorised", 402: "quota", 404: "not_found", 413: "too_long", 429: "rate_limit"}
    if status in named:
        return named[status]
    return "overloaded" if status >= 500 or status in (408, 409, 425) else "rejected" if status >= 400 else "unreadable"


def _by_cause(error: Exception) -> Kind:
    import httpx2

    causes = list(_causes(error))
    if any(isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | ConnectionRefusedError) for cause in causes):
        return "refused"
    if any(isinstance(cause, httpx2.TimeoutException | TimeoutError) for cause in causes):
        return "timeout"
    if any(isinstance(cause, httpx2.TransportError | OSError) for cause in causes):
        return "broken_off"
    return "unreadable"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen and len(seen) < 10:
        seen.append(at)
        yield at
        at = at.__cause__ or at.__context__


def _words(error: Exception) -> str:
    """What the provider itself said, out of its error body."""
    body: Any = getattr(error, "body", None)
    for _ in range(3):
        if isinstance(body, dict):
            body = body.get("error") or body.get("message") or body.get("detail")
    if isinstance(body, list):
        body = "; ".join(str(item["msg"]) for item in body if isinstance(item, dict) and "msg" in item)
    if isinstance(body, str):
        return "" if body.lstrip().startswith("<") else body
    return ""
