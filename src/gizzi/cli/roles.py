"""`gizzi role list`, `run` and `new`."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from gizzi.app import open_app
from gizzi.cli.terminal import SEVERITY_STYLE, clean, grid, print_json, say, show, text
from gizzi.cli.words import opened, settings_of, store_exists
from gizzi.config import Settings
from gizzi.engine.roles.report import Report, plain
from gizzi.engine.watcher.rows import Record, record
from gizzi.errors import UsageError
from gizzi.roles.load import WATCHER, Role, load_roles
from gizzi.screen.words import heading

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
NEW = """---
name: {name}
description: Say in one sentence what this role is for; people and agents choose by it.
tier: local
tools: [status, history, logs, memory]
validators: all
budget_usd: 0.50
tasks:
  overview: Say how the validators do, and what needs attention first.
---
You look after validators of a Substrate network. Write here who you are, what you watch for, and how you work.

- Say what you saw and where. What nobody observed is unknown; say so.
- The gravest first, in plain words, for a person who was just woken.
"""


def list_roles(config: Path | None, *, as_json: bool) -> int:
    settings = settings_of(config)
    roles, judged = load_roles(settings), _judged(settings)
    if as_json:
        print_json([{**role_json(role), "findings": asdict(judged) if role.name == WATCHER else None} for role in roles.values()])
    else:
        show(*_list(list(roles.values()), judged))
    return 0


def _judged(settings: Settings) -> Record:
    """How often the watcher was right; a look makes no store."""
    if not store_exists(settings.store.url):
        return Record()
    with opened(settings) as (store, _):
        return store.run_now(record)


def role_json(role: Role) -> dict[str, Any]:
    return {
        "name": role.name,
        "description": role.description,
        "tier": role.tier,
        "tools": list(role.tools),
        "validators": list(role.validators) if role.validators is not None else "all",
        "schedule": role.schedule,
        "budget_usd": str(role.budget_usd) if role.budget_usd is not None else None,
        "tasks": dict(role.tasks),
        "file": role.where,
    }


def _list(roles: list[Role], judged: Record) -> list[RenderableType]:
    parts: list[RenderableType] = [Text()]
    for role in roles:
        whom = "all validators" if role.validators is None else f"validators {', '.join(map(str, role.validators))}"
        facts = " · ".join(word for word in (f"{role.tier} tier", whom, role.schedule) if word)
        parts += [Padding(Text.assemble((role.name, "bold"), ("  " + clean(facts), "dim")), (0, 0, 0, 2))]
        parts += [Padding(text(role.description, "", 400), (0, 0, 0, 2))]
        if role.name == WATCHER:
            known = f"its incidents: {judged.hits} hits, {judged.false_alarms} false alarms, {judged.open} not known yet"
            parts += [Padding(text(known), (0, 0, 0, 2))]
        parts += [grid([[text(task, "cyan", 60), text(about, "dim", 300)] for task, about in role.tasks.items()], indent=4), Text()]
    return parts


def run_role(config: Path | None, role: str, task: str, *, validator: int | None, options: list[str], as_json: bool) -> int:
    settings = settings_of(config)
    report = asyncio.run(_run(settings, role, task, validator, _options(options)))
    if as_json:
        print_json(report.as_json())
    else:
        show(*_page(report))
    return 0


async def _run(settings: Settings, role: str, task: str, validator: int | None, options: dict[str, str]) -> Report:
    async with open_app(settings, at_once=True, lasting=False) as app:
        if app.watch.validators:
            say("looking at the fleet ...")
            await app.look()
        return await app.roles.run(role, task, validator=validator, options=options)


def _options(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--with {word!r}: write it as NAME=VALUE")
        found[name] = value
    return found


def _page(report: Report) -> list[RenderableType]:
    by = f"by {report.model}, US$ {report.cost_usd}" if report.words else (report.note or "without a model")
    parts: list[RenderableType] = [Text(), text(report.words or plain(report.items), "bold"), text(by, "dim"), Text()]
    following = [[text(item.about, "", 60), text(item.text)] for item in report.next]
    after = [Text(), heading("What breaks next"), grid(following, indent=2)] if following else []
    return [*parts, *_items(report), *after, Text()]


def _items(report: Report) -> list[RenderableType]:
    rows: list[list[Text]] = []
    for item in report.items:
        rows.append([text(item.severity, SEVERITY_STYLE.get(item.severity, ""), 10), text(item.about, "", 60), text(item.text)])
        rows += [[Text(), text(name, "cyan", 60), text(seen, "dim", 300)] for name, seen in item.evidence[:5]]
        if item.proposal:
            rows.append([Text(), Text("proposed", "dim"), text(item.proposal, "bold")])
    return [grid(rows, indent=2)] if rows else []


def new_role(config: Path | None, name: str) -> int:
    if not _NAME.fullmatch(name) or len(name) > 64:
        raise UsageError(f"{name!r}: a role's name is made of small letters, digits and single hyphens")
    folder = Path(settings_of(config).plugins.folder) / "roles"
    file = folder / f"{name}.md"
    if file.exists():
        raise UsageError(f"{file} exists already")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(NEW.format(name=name), encoding="utf-8")
    print(f"{file} is written; `gizzi role run {name} overview` runs it")
    return 0
