"""`gizzi route`: which model would answer, and why each of the others would not. Nothing is called, neither a model nor a server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from rich.text import Text

from gizzi import registry
from gizzi.cli.terminal import clean, grid, print_json, show, text
from gizzi.clock import LiveClock
from gizzi.config import Settings, load, nearest
from gizzi.errors import GizziError, UsageError
from gizzi.kinds import SEVERITIES, Strategy
from gizzi.models.budget import ZERO, BudgetLeft, Spent, left_of
from gizzi.models.catalogue import Catalogue, Reachable
from gizzi.models.merge import catalogue_of
from gizzi.models.route import choose, strategies_of
from gizzi.models.task import Route, Task

LONGEST_LINE_BYTES = 8_000_000
MOST_TOKENS = 1_000_000_000
_SQLITE = "sqlite:///"
_KEYS: dict[str, type] = {
    "text": str,
    "critical": bool,
    "private": bool,
    "kind": str,
    "severity": str,
    "role": str,
    "model": str,
    "needs": list,
    "context_tokens": int,
    "output_tokens": int,
    "decides_write": bool,
}
"""What a line may say of its task, beside the text."""
_WORDS = {str: "a text", bool: "true or false", list: "a list of texts", int: "a whole number, 0 or more"}


@dataclass(frozen=True, slots=True)
class Router:
    """What every choice of one run shares."""

    catalogue: Catalogue
    reachable: Reachable
    left: BudgetLeft
    strategies: tuple[Strategy, ...]
    unknown_prices: bool

    def choose(self, task: Task) -> Route:
        now = datetime.fromtimestamp(LiveClock().now(), UTC)
        return choose(task, self.catalogue, self.reachable, self.left, self.strategies, now, unknown_prices=self.unknown_prices)


def make_router(config: Path | None) -> Router:
    """No model was called by this process, so every breaker is closed."""
    settings = load(config)
    loaded = registry.load(settings)
    today = datetime.fromtimestamp(LiveClock().now(), UTC).date()
    catalogue = catalogue_of(settings, loaded, today)
    left = _left(settings)
    return Router(catalogue, catalogue.reachability(settings), left, strategies_of(settings, loaded), settings.routing.unknown_prices)


def _left(settings: Settings) -> BudgetLeft:
    """What the ledger beside gizzi.toml says; the whole budget where there is none. One on a server is not asked."""
    file = settings.store.url.removeprefix(_SQLITE)
    if file == settings.store.url or not file or not Path(file).is_file():
        return left_of(settings.budget, Spent(ZERO, ZERO, {}, {}))
    from gizzi.models.ledger import Ledger
    from gizzi.store import open_store

    store = open_store(settings.store.url)
    try:
        return asyncio.run(Ledger(store, settings.budget, LiveClock()).left())
    finally:
        store.close()


def show_route(config: Path | None, words: str, *, critical: bool, private: bool, model: str | None, as_json: bool) -> int:
    """With "-" for words, each line of standard input is a task."""
    router = make_router(config)
    common = Task("", critical=critical, private=private, model=model, several_calls=True)
    if words == "-":
        _route_lines(router, sys.stdin.buffer, common, as_json=as_json)
        return 0
    route = router.choose(replace(common, text=words.encode("utf-8", "replace").decode("utf-8")))
    if as_json:
        print_json(route_json(route))
    else:
        _tell(route)
    return 0


def route_json(route: Route) -> dict[str, Any]:
    """models: the chosen one, then those it would fall back on."""
    return {
        "tier": route.tier,
        "model": route.model,
        "strategy": route.strategy,
        "reason": route.reason,
        "considered": [{"model": c.model, "why_not": c.why_not} for c in route.considered],
        "models": list(route.models),
        "plan": route.plan,
    }


def _route_lines(router: Router, source: BinaryIO, common: Task, *, as_json: bool) -> None:
    """One answer a line, in order; a line that cannot be answered gives its error, and the next one is read."""
    for line in _lines(source):
        answer: dict[str, Any]
        try:
            answer = route_json(router.choose(_task(line, common)))
        except GizziError as error:
            answer = {"error": clean(error, 1000)}
        if as_json:
            print_json(answer, one_a_line=True)
        else:
            print(answer.get("error") or f"{answer['tier']}  {answer['model'] or '–'}  {clean(answer['reason'])}", flush=True)


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Lines that are not blank. Of one that is too long only so much is kept that it is seen to be."""
    while line := source.readline(LONGEST_LINE_BYTES + 1):
        if len(line) > LONGEST_LINE_BYTES:
            while not line.endswith(b"\n") and (more := source.readline(LONGEST_LINE_BYTES)):
                line = line[: LONGEST_LINE_BYTES + 1] if not more.endswith(b"\n") else line[:LONGEST_LINE_BYTES] + b"\n\n"
        if line.strip():
            yield line


def _task(line: bytes, common: Task) -> Task:
    """Raises UsageError."""
    if len(line) > LONGEST_LINE_BYTES:
        raise UsageError(f"the line is longer than {LONGEST_LINE_BYTES:,} bytes")
    try:
        said = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"the line is not UTF-8: {error.reason} at byte {error.start + 1}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the line is not JSON: {error}") from None
    if not isinstance(said, dict) or "text" not in said:
        raise UsageError('the line is not an object with "text", such as {"text": "Is validator 6 healthy?", "critical": false}')
    given = {key: _value(key, value) for key, value in said.items() if value is not None}
    given["needs"] = frozenset(given.get("needs", ()))
    given["text"] = given.get("text", "").encode("utf-8", "replace").decode("utf-8")
    given["critical"] = given.get("critical", False) or common.critical
    given["private"] = given.get("private", False) or common.private
    given["several_calls"] = common.several_calls
    given.setdefault("model", common.model)
    return Task(**given)


def _value(key: str, value: Any) -> Any:
    kind = _KEYS.get(key)
    if kind is None:
        raise UsageError(f"unknown key {key!r}{nearest(key, list(_KEYS))}")
    good = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if kind is int:
        good = good and 0 <= value <= MOST_TOKENS
    if kind is list:
        good = good and all(isinstance(item, str) for item in value)
    if not good:
        raise UsageError(f"{key} must be {_WORDS[kind]}")
    if key == "severity" and value not in SEVERITIES:
        raise UsageError(f"severity must be one of {', '.join(SEVERITIES)}")
    return value


def _tell(route: Route) -> None:
    show(Text.assemble((route.model or "no model: answered by rule", "bold"), (f"  {route.tier} tier", "dim")))
    show(text(route.reason, limit=2000))
    others = [c for c in route.considered if c.why_not is not None]
    rows = [[Text(c.model), text(c.why_not, "dim", 200)] for c in others]
    if rows:
        show(Text(), Text("considered", "dim"), grid(rows))
