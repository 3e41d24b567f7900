"""`gizzi ask` and `gizzi compare`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.text import Text

from gizzi.cli.terminal import clean, console, grid, heading, print_json, show, text
from gizzi.cli.words import settings_of
from gizzi.config import Settings
from gizzi.errors import UsageError
from gizzi.models.budget import shown_usd
from gizzi.models.consensus import Comparison, compare
from gizzi.models.live import daemon_statuses
from gizzi.models.router import Router
from gizzi.models.task import Answer

LONGEST_LINE = 4000
MOST_LINES = 2000
LONGEST_QUESTION_BYTES = 8 * 2**20


def ask_once(
    config: Path | None, question: str, *, critical: bool, model: str | None, role: str | None, as_json: bool, show_prompt: bool
) -> int:
    settings = settings_of(config)
    asked = _question(question)

    async def work() -> Answer | None:
        async with _router(settings) as router:
            if show_prompt:
                await _show_prompt(router, asked, as_json=as_json, critical=critical, model=model, role=role)
                return None
            return await router.ask(asked, critical=critical, model=model, role=role)

    with _waiting("asking …", quietly=as_json or show_prompt):
        answer = asyncio.run(work())
    if answer is None:
        return 0
    if as_json:
        print_json(answer.as_json())
    else:
        show(*_lines(answer.response), Text(""), Text(_about(answer), "dim"))
    return 0


def compare_all(config: Path | None, question: str, *, critical: bool, as_json: bool) -> int:
    settings = settings_of(config)
    asked = _question(question)

    async def work() -> Comparison:
        async with _router(settings) as router:
            return await compare(router, asked, critical=critical)

    with _waiting("asking every model …", quietly=as_json):
        found = asyncio.run(work())
    if as_json:
        print_json(found.as_json())
        return 0
    for answer in found.answers:
        show(heading(clean(answer.model)), *_lines(answer.response), Text(_about(answer), "dim"), Text(""))
    if found.failures:
        show(grid([text(model, "dim"), text(why, "dim")] for model, why in found.failures.items()), Text(""))
    show(Text.assemble(("Together: ", "bold"), clean(found.summary)))
    return 0


async def _show_prompt(router: Router, asked: str, *, as_json: bool, **more: Any) -> None:
    route, parts = await router.prompt(asked, **more)
    if as_json:
        print_json({"model": route.model, "reason": route.reason, "prompt": parts})
        return
    to = f"to {route.model}" if route.model else "nothing would be sent"
    show(Text(clean(f"{to}: {route.reason}"), "dim"))
    for part in parts:
        show(Text(""), *_lines(part))


def _router(settings: Settings) -> Router:
    async def statuses() -> Sequence[Mapping[str, Any]]:
        """A daemon's; without one, a look of our own."""
        found = await daemon_statuses(settings)
        if found or not (settings.validators or settings.prometheus.url):
            return found
        from gizzi.app import look_once

        seen: list[dict[str, Any]] = (await look_once(settings)).status["validators"]
        return seen

    return Router(settings, statuses=statuses)


def _question(words: str) -> str:
    """The text, or with - what stands on stdin."""
    if words != "-":
        return words
    raw = sys.stdin.buffer.read(LONGEST_QUESTION_BYTES + 1)
    if len(raw) > LONGEST_QUESTION_BYTES:
        raise UsageError(f"the question on stdin is longer than {LONGEST_QUESTION_BYTES} bytes")
    return raw.decode("utf-8", "replace")


def _lines(response: str) -> list[Text]:
    """A model's words, each line harmless."""
    lines = response.splitlines() or [""]
    shown = [Text(_line(line)) for line in lines[:MOST_LINES]]
    return shown + ([Text(f"… and {len(lines) - MOST_LINES} lines more", "dim")] if len(lines) > MOST_LINES else [])


def _line(line: str) -> str:
    """One line as it is, indented as it is, without what a terminal might obey."""
    kept = line[:LONGEST_LINE].replace("\t", "    ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in kept)


def _about(answer: Answer) -> str:
    cost = "price unknown" if answer.cost_usd is None else shown_usd(answer.cost_usd)
    counted = f"{answer.usage.input_tokens:,} + {answer.usage.output_tokens:,} tokens{' (estimated)' if answer.usage.estimated else ''}"
    if answer.cached:
        return clean(f"{answer.model} · from the cache, no cost · {answer.route.reason}", 1000)
    facts = [answer.model, f"{answer.time_s:.1f} s", cost, counted] if answer.tier != "reflex" else ["without a model", "no cost"]
    facts += [f"id {answer.id}"] if answer.id else []
    return clean(f"{' · '.join(facts)} · {answer.route.reason}", 1000)


@contextmanager
def _waiting(words: str, *, quietly: bool) -> Iterator[None]:
    screen = console(stderr=True)
    if quietly or not screen.is_terminal:
        yield
        return
    with screen.status(words):
        yield
