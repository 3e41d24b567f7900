"""What Claude Code prints with --output-format json, read: its answer and what that cost, or why there is none. PURE."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gizzi.models.budget import is_amount
from gizzi.models.failures import kind_by_status
from gizzi.models.retry import Kind, Spent
from gizzi.models.task import Usage

NO_LOGIN = "it is not logged in; run `claude` once as this account, or name its key in key_env"
_LOGIN = re.compile(r"not logged in|/login|invalid api key|oauth token", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Result:
    """cost_usd: exact, as printed; None where it is not said. usage: of all its calls, of all its models; None where not said."""

    text: str
    cost_usd: Decimal | None
    usage: Usage | None


class Failure(Exception):
    """It says itself that it failed. words: in plain words why."""

    def __init__(self, kind: Kind, words: str, spent: Spent | None) -> None:
        super().__init__(words)
        self.kind: Kind = kind
        self.words = words
        self.spent = spent


def read(output: bytes) -> Result:
    """Raises Failure, and ValueError where it is not such a result."""
    found = _result(output)
    usage = _usage(found)
    cost_usd = _cost(found.get("total_cost_usd"))
    if found.get("is_error") or found.get("subtype") != "success":
        kind, words = _why(found)
        raise Failure(kind, words, _spent(usage, cost_usd))
    typed = found.get("structured_output")
    text = found.get("result") if typed is None else json.dumps(typed, default=float)
    if not isinstance(text, str):
        raise ValueError("no text")
    if not text.strip():
        raise Failure("unreadable", "its answer is empty", _spent(usage, cost_usd))
    return Result(text, cost_usd, usage)


def _result(output: bytes) -> Mapping[str, Any]:
    """The object that says how it ended; the last of a list where the program is set to tell everything."""
    try:
        found = json.loads(output, parse_float=Decimal)
    except RecursionError:
        raise ValueError("too deep") from None
    if isinstance(found, list) and found:
        found = found[-1]
    if not isinstance(found, dict) or found.get("type") != "result":
        raise ValueError("no result")
    return found


def _why(found: Mapping[str, Any]) -> tuple[Kind, str]:
    errors = found.get("errors")
    said = "; ".join(str(error) for error in errors) if isinstance(errors, list) and errors else str(found.get("result") or "")
    status = found.get("api_error_status")
    if found.get("subtype") == "error_max_budget_usd":
        return "rejected", f"it stopped at the limit of what one question may cost ({said})"
    if _LOGIN.search(said):
        return "unauthorised", NO_LOGIN if status is None else f"its key or login is refused ({status})"
    if isinstance(status, int):
        return kind_by_status(status), f"it says: {said or status}"
    if found.get("api_error") == "connection_failed":
        return "refused", f"it says: {said}"
    return "overloaded", f"it says: {said or found.get('subtype') or 'an error'}"


def _cost(said: Any) -> Decimal | None:
    if isinstance(said, int) and not isinstance(said, bool):
        said = Decimal(said)
    return said if isinstance(said, Decimal) and is_amount(said) else None


def _spent(usage: Usage | None, cost_usd: Decimal | None) -> Spent | None:
    return Spent(usage or Usage(estimated=True), cost_usd) if cost_usd else None


def _usage(found: Mapping[str, Any]) -> Usage | None:
    """Of every model it called; what it sums up itself leaves out the smaller ones, and is 0 where it failed."""
    models = found.get("modelUsage")
    rows = [row for row in models.values() if isinstance(row, dict)] if isinstance(models, dict) else []
    if rows:
        counts = [sum(_count(row.get(name)) for row in rows) for name in _OF_A_MODEL]
    elif isinstance(whole := found.get("usage"), dict):
        counts = [_count(whole.get(name)) for name in _OF_ALL]
    else:
        return None
    plain, made, cached, written = counts
    return Usage(plain + cached + written, made, cached, written)


_OF_A_MODEL = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
_OF_ALL = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def _count(said: Any) -> int:
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else 0
