"""`gizzi doctor`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from gizzi.app import open_app
from gizzi.cli.terminal import console, grid, heading, print_json, show, text
from gizzi.cli.words import settings_of
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.engine import doctor
from gizzi.errors import GizziError
from gizzi.store import open_store

GROUP_FROM = 4
LONGEST_LINE = 4000
"""So many validators with one and the same trouble are told in one line."""
SIGN = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", "dark_orange")}


def show_doctor(config: Path | None, *, as_json: bool) -> int:
    """Exit code 1 where something is broken."""
    settings = settings_of(config, need_fleet=True)
    screen = console(stderr=True)
    if screen.is_terminal and not as_json:
        with screen.status("asking every source of every validator …"):
            report = asyncio.run(examine(settings))
    else:
        report = asyncio.run(examine(settings))
    if as_json:
        print_json(report)
    else:
        show(*doctor_page(report, width=console().width if console().is_terminal else None))
    return 1 if report["broken"] else 0


async def examine(settings: Settings) -> dict[str, Any]:
    """Everything the doctor finds; a fleet that cannot be asked at all is an `error` in it."""
    report: dict[str, Any] = {"network": settings.network.name, "house": await doctor.house(settings, LiveClock())}
    try:
        async with open_app(settings, store=open_store("sqlite://"), at_once=True) as app:
            report.update(await doctor.fleet(app.watch))
    except GizziError as error:
        report["error"] = str(error)
    report["broken"] = doctor.broken(report)
    report["next"] = doctor.next_steps(report)
    return report


def doctor_page(report: dict[str, Any], *, width: int | None) -> list[RenderableType]:
    margin = 0 if width is None else 2
    parts: list[RenderableType] = []
    for words, rows in _sections(report):
        parts += [Padding(heading(words), (0, 0, 0, margin)), grid(rows, indent=margin + 2), Text()]
    return parts if width is None else [Text(), *parts]


def _sections(report: dict[str, Any]) -> Iterable[tuple[str, list[list[Text]]]]:
    yield "Gizzi", [[_sign(check["ok"]), Text(name), text(check["text"])] for name, check in report["house"].items()]
    if report.get("error"):
        yield "Validators", [[_sign(False), text(report["error"])]]
        return
    yield "Validators", _validators(report["validators"])
    yield "Rules", _rules(report["rules"])
    if report["rights"]:
        yield "Rights", _rights(report["rights"])
    if report["plugins"]:
        yield "Plugins", [[_sign(False), text(p["where"]), text(p["error"])] for p in report["plugins"]]
    yield "Next", [[Text(f"{n}."), text(step)] for n, step in enumerate(report["next"], 1)]


def _validators(validators: Sequence[dict[str, Any]]) -> list[list[Text]]:
    good = [v for v in validators if all(source["ok"] for source in v["sources"])]
    rows = []
    if good:
        sources = dict.fromkeys(source["source"] for v in good for source in v["sources"])
        rows.append([_sign(True), Text(f"{len(good)} of {len(validators)}"), text(f"answer: {', '.join(sources)}")])
    failing: dict[tuple[str, str], list[tuple[dict[str, Any], str]]] = {}
    for validator in validators:
        for named, why in _troubles(validator):
            failing.setdefault((named, _alike(why)), []).append((validator, why))
    for (names, _), cases in failing.items():
        rows += _cases(names, cases)
    return rows


def _troubles(validator: dict[str, Any]) -> list[tuple[str, str]]:
    """(sources, why): those that fail for one and the same reason are named together."""
    alike: dict[str, list[dict[str, Any]]] = {}
    for source in validator["sources"]:
        if not source["ok"]:
            alike.setdefault(_alike(source["text"]), []).append(source)
    return [(", ".join(source["source"] for source in same if source["kind"] != "config"), same[0]["text"]) for same in alike.values()]


def _cases(sources: str, cases: Sequence[tuple[dict[str, Any], str]]) -> list[list[Text]]:
    what = f"{sources}: " if sources else ""
    if len(cases) < GROUP_FROM:
        return [[_sign(False), text(f"{v['number']} {v['name']}", "bold", 40), text(f"{what}{why}")] for v, why in cases]
    numbers = doctor.ranges(v["number"] for v, _ in cases)
    return [[_sign(False), Text(f"{len(cases)} validators", "bold"), text(f"{what}{cases[0][1]} (and alike: {numbers})")]]


def _alike(why: str) -> str:
    """A trouble without the places, numbers and methods that differ from one case to the next."""
    return re.sub(r"\S+:\d+|'[\d.]+'|\d+|[a-z]+_[A-Za-z]+", "#", why)


def _rules(rules: dict[str, Any]) -> list[list[Text]]:
    dead = [rule for rule in rules["dead"] if rule["why"] == "absent" and not rule["optional"]]
    optional = [rule for rule in rules["dead"] if rule["why"] == "absent" and rule["optional"]]
    unread = [rule for rule in rules["dead"] if rule["why"] == "unread"]
    idle = [rule for rule in rules["dead"] if rule["why"] == "unfed"]
    rows = [[_sign(True), text(f"{rules['all'] - len(rules['dead'])} of {rules['all']} rules have what they need")]]
    rows += [[_sign(False), text(rule["text"])] for rule in dead]
    if unread:
        names = ", ".join(rule["rule"] for rule in unread)
        rows.append([_sign(None), text(f"{len(unread)} cannot fire now, for nothing they need answers: {names}")])
    if optional:
        names = ", ".join(rule["rule"] for rule in optional)
        rows.append([_sign(None), text(f"not on these nodes, and need not be: {names}")])
    by_sources: dict[str, list[str]] = {}
    for rule in idle:
        by_sources.setdefault(" or ".join(rule["sources"]), []).append(rule["rule"])
    rows += [[_sign(None), text(f"idle without the source {sources}: {', '.join(names)}")] for sources, names in by_sources.items()]
    return rows


def _rights(hosts: Sequence[dict[str, Any]]) -> list[list[Text]]:
    """Hosts for which the same is true are told together, and so is the line that they need."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for host in hosts:
        alike.setdefault((host["ok"], host["text"], host["sudoers"]), []).append(host["host"])
    rows = []
    for (ok, said, line), names in alike.items():
        shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        rows.append([_sign(ok), text(shown, "bold", 80), text(said)])
        if ok is not True and line:
            rows.append([Text(), Text("needs"), text(line, limit=LONGEST_LINE)])
    return rows


def _sign(ok: bool | None) -> Text:
    return Text(*SIGN[ok])
