"""`gizzi workflow list`, `run` and `show`: which workflows there are, start one, see it step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gizzi import registry as registries
from gizzi.app import App, open_app
from gizzi.cli.act import LOOK_EVERY_S, a_loop_runs
from gizzi.cli.terminal import clean, grid, is_terminal, print_json, say, show, text
from gizzi.cli.words import settings_of, store_exists, who
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.engine.act.desk import ANSWER_WITHIN_S
from gizzi.engine.workflows.desk import WorkflowDesk, checked, listed
from gizzi.engine.workflows.here import run_here
from gizzi.errors import NotFound, UsageError
from gizzi.registry import Registry
from gizzi.store import open_store

ENDED = ("done", "stopped", "failed")
STATE_STYLE = {"running": "yellow", "wanted": "dim", "done": "green", "stopped": "bold red", "failed": "bold red", "said": ""}
GETS_GOING_S = 5.0
"""So long a run that a daemon took up is watched for an early end."""
FINISH_S = 20.0
"""How long people's channels may take to be told of its end, before the process ends."""


def list_workflows(config: Path | None, *, as_json: bool) -> int:
    shown = listed(registries.load(settings_of(config)))
    if as_json:
        print_json(shown)
        return 0
    rows = []
    for item in shown:
        words = [
            f"--{name.replace('_', '-')} …" if needed else f"[--{name.replace('_', '-')} …]" for name, needed in item["options"].items()
        ]
        rows.append([text(item["name"], "bold"), text(" ".join(words), "dim"), text(item["summary"])])
    show(grid(rows, indent=0))
    return 0


def run_workflow(config: Path | None, name: str, words: Sequence[str], *, as_json: bool) -> int:
    """Exit code 0 where it ended well or goes on in the daemon, 1 where it stopped or waits for an approval, whose id is printed."""
    given = options(words)
    settings = settings_of(config)
    registry = registries.load(settings)
    if checked(registry, name, given).here:
        state, said = asyncio.run(run_here(settings, registry, name, given))
        if said:
            show(clean(said))
        return 0 if state == "done" else 1
    settings = settings_of(config, need_fleet=True)
    shown = asyncio.run(_run(settings, registry, name, given))
    if as_json:
        print_json(shown)
    else:
        show(*_page(shown))
    return 1 if shown["waits_for"] or shown["state"] in ("stopped", "failed") else 0


def show_run(config: Path | None, run_id: str | None, *, as_json: bool) -> int:
    """One run; at a terminal until it ends. Without an id every run. Exit code 1 where it stopped or failed."""
    settings = settings_of(config)
    if not store_exists(settings.store.url):
        if run_id is not None:
            raise NotFound(f"there is no run {run_id}: nothing has been run here yet")
        print_json([]) if as_json else show("no workflow has been run")
        return 0
    store = open_store(settings.store.url)
    try:
        desk = WorkflowDesk(store, LiveClock())
        if run_id is None:
            return _list_runs(asyncio.run(desk.runs()), as_json=as_json)
        shown = asyncio.run(desk.run(run_id))
        if as_json:
            print_json(shown)
            return 0
        if shown["state"] not in ENDED and is_terminal():
            shown = asyncio.run(_follow(desk, run_id, lambda line: show(line)))
            show(*_head(shown))
        else:
            show(*_page(shown))
        return 1 if shown["state"] in ("stopped", "failed") else 0
    finally:
        store.close()


def options(words: Sequence[str]) -> dict[str, str]:
    """{"to": "1.2"} from --to 1.2 or --to=1.2. Raises UsageError."""
    given: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise UsageError(f"{word!r} is not an option; a workflow is started with words such as --to VERSION")
        if not equals:
            if not left:
                raise UsageError(f"{word} needs a value")
            value = left.pop(0)
        key = name.replace("-", "_")
        if key in given:
            raise UsageError(f"--{name} is given twice")
        given[key] = value
    return given


async def _run(settings: Settings, registry: Registry, name: str, given: dict[str, str]) -> dict[str, Any]:
    store = open_store(settings.store.url)
    try:
        desk = WorkflowDesk(store, LiveClock())
        run_id = await desk.want(registry, name, given, who())
        if await a_loop_runs(store):
            if await _taken_up(desk, run_id):
                return await desk.run(run_id)
            say("the daemon has not taken it up; running it here")
            if not await desk.withdraw(run_id):
                return await desk.run(run_id)
            run_id = await desk.want(registry, name, given, who())
        say(f"no daemon runs here: {run_id} runs here, and the fleet is watched meanwhile; cut off, it goes on when run again")
        async with open_app(settings, store=store) as app:
            return await _here(app, desk, run_id)
    finally:
        store.close()


async def _taken_up(desk: WorkflowDesk, run_id: str) -> bool:
    """Wait until the daemon runs it, and a moment longer to see whether it ends at once or needs a person."""
    waited_s = 0.0
    while waited_s <= ANSWER_WITHIN_S:
        shown = await desk.run(run_id)
        if shown["state"] in ENDED or shown["waits_for"]:
            return True
        if shown["state"] == "running" and waited_s >= GETS_GOING_S:
            return True
        await asyncio.sleep(LOOK_EVERY_S)
        waited_s += LOOK_EVERY_S
    return False


async def _here(app: App, desk: WorkflowDesk, run_id: str) -> dict[str, Any]:
    """Without a daemon: be one until the run has ended."""
    running = asyncio.create_task(app.run())
    following = asyncio.create_task(_follow(desk, run_id, lambda line: say(line.plain)))
    try:
        await asyncio.wait({running, following}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        shown = await following
        await app.teller.finish(FINISH_S)
        return shown
    finally:
        for task in (running, following):
            task.cancel()
        await asyncio.wait({running, following})


async def _follow(desk: WorkflowDesk, run_id: str, tell: Callable[[Text], None]) -> dict[str, Any]:
    """Tell each step once it begins and once it ends, until the run has ended."""
    told: set[Any] = set()
    while True:
        shown = await desk.run(run_id)
        for step in shown["steps"]:
            mark = (step["number"], step["state"], step["times"], step["text"])
            if mark not in told and not (step["state"] == "running" and step["name"] == "say"):
                told.add(mark)
                tell(_step(step))
        for approval in shown["waits_for"]:
            if approval not in told:
                told.add(approval)
                tell(Text(f"waits for a person: gizzi approve {approval}", "yellow"))
        if shown["state"] in ENDED:
            return shown
        await asyncio.sleep(LOOK_EVERY_S)


def _list_runs(found: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        print_json(found)
    elif not found:
        show("no workflow has been run")
    else:
        show(
            grid(
                [[text(r["id"], "bold"), text(r["state"], STATE_STYLE[r["state"]]), _time(r["wanted_at"]), text(_what(r))] for r in found],
                indent=0,
            )
        )
    return 0


def _page(shown: dict[str, Any]) -> list[RenderableType]:
    return [*_head(shown), *map(_step, shown["steps"])]


def _head(shown: dict[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text.assemble((clean(shown["id"]), "bold"), "  ", (shown["state"], STATE_STYLE[shown["state"]]), "  ", clean(_what(shown)))
    ]
    parts += [Text(f"  waits for a person: gizzi approve {approval}", "yellow") for approval in shown["waits_for"]]
    if shown["state"] not in ENDED:
        parts.append(Text(f"  follow it: gizzi workflow show {shown['id']}", "dim"))
    return parts


def _what(shown: dict[str, Any]) -> str:
    given = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in shown["given"].items())
    return " ".join(part for part in (given, f"by {shown['by']}", f"– {shown['text']}" if shown["text"] else "") if part)


def _step(step: dict[str, Any]) -> Text:
    line = Text.assemble("  ", (_time(step["ended_at"] or step["began_at"]).plain, "dim"), "  ")
    if step["state"] == "said":
        return line.append(clean(step["text"] or ""))
    line.append(f"{clean(step['name'])}: ")
    line.append(step["state"], STATE_STYLE.get(step["state"], ""))
    if step["times"] > 1:
        line.append(f" (begun {step['times']} times)", "dim")
    return line.append(f" – {clean(step['text'], 200)}" if step["text"] else "", "dim")


def _time(at: str | None) -> Text:
    return Text((at or "")[:19].replace("T", " "), "dim")
