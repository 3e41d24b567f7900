"""Pictures of the program's own output, from a simulated fleet in simulated time, so that they are the same every time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme

from gizzi.app import App, open_app
from gizzi.cli.status_table import fleet_page
from gizzi.clock import SimulatedClock, iso, run_simulated
from gizzi.engine.known import Known
from gizzi.screen.incident import incident_page
from gizzi.sim.faults import Fault, read_fault
from gizzi.sim.fleet import ChainPlan, SimFleet
from gizzi.sim.runner import settings_for
from gizzi.store import open_store

VALIDATORS = 21
CHAIN = "flare"
STATUS_FAULTS: Sequence[dict[str, Any]] = (
    {"kind": "peers_drop", "at_s": 200, "validators": [6], "peers": 1},
    {"kind": "syncing", "at_s": 160, "validators": [12]},
    {"kind": "metrics_down", "at_s": 240, "validators": [17]},
)
STATUS_AT_S = 300.0
INCIDENT_FAULTS: Sequence[dict[str, Any]] = ({"kind": "node_down", "at_s": 120, "validators": [6], "clears_on": 100},)
INCIDENT_AT_S = 300.0
STATUS_WIDTH, INCIDENT_WIDTH = 100, 100

BACKGROUND, FOREGROUND, GREY, WHITE = (16, 20, 26), (214, 220, 228), (110, 118, 130), (255, 255, 255)
RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN = (248, 113, 113), (74, 200, 120), (232, 180, 80), (96, 165, 250), (216, 140, 250), (64, 200, 214)
THEME = TerminalTheme(
    BACKGROUND,
    FOREGROUND,
    [BACKGROUND, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, FOREGROUND],
    [GREY, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE],
)
"""Dark, with every colour at least 4.5 : 1 against the background, so that it reads alike on a light and on a dark page."""

FRAME = """<svg class="gizzi" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix, .{unique_id}-title {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
.{unique_id}-matrix {{ font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 17px; font-weight: 600; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""rich's own, without its web font: a page may not fetch one for a picture."""


def pictures() -> dict[str, str]:
    """Each picture's file and what is in it."""
    return {"pictures/status.svg": status_picture(), "pictures/incident.svg": incident_picture()}


@cache
def status_picture() -> str:
    """`gizzi status` while a daemon watches and a few things are wrong."""
    status, incidents = run_simulated(_watched(STATUS_FAULTS, STATUS_AT_S))
    page = fleet_page(status, Known(watching=True, incidents=incidents), width=STATUS_WIDTH)
    return _svg(page, STATUS_WIDTH, "gizzi status", "status")


@cache
def incident_picture() -> str:
    """`gizzi incident inc-1` after a validator was down for a while."""
    _, incidents = run_simulated(_watched(INCIDENT_FAULTS, INCIDENT_AT_S, whole=True))
    return _svg(incident_page(incidents[-1], width=INCIDENT_WIDTH), INCIDENT_WIDTH, "gizzi incident inc-1", "incident")


async def _watched(faults: Iterable[dict[str, Any]], until_s: float, *, whole: bool = False) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The network's status and its incidents (open ones; with `whole` all, with timelines) at that time."""
    clock = SimulatedClock()
    plan = ChainPlan(id=CHAIN, validators=tuple(range(1, VALIDATORS + 1)))
    injected: list[Fault] = [read_fault(fault, "the picture", range(1, VALIDATORS + 1), [CHAIN]) for fault in faults]
    fleet = SimFleet(clock, validators=VALIDATORS, seed=21, chains=(plan,), faults=injected)
    store = open_store("sqlite://")
    async with open_app(settings_for(fleet), clock=clock, reach=fleet.reach(), store=store, live=False) as app:
        watching = asyncio.create_task(app.watch.run())
        await asyncio.wait({watching}, timeout=until_s)
        status = {"network": "Example network", "at": iso(clock.now()), "validators": app.watch.statuses()}
        incidents = await _incidents(app, whole=whole)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    store.close()
    return status, incidents


async def _incidents(app: App, *, whole: bool) -> list[dict[str, Any]]:
    found = await app.desk.incidents(open_only=not whole)
    return [await app.desk.incident(incident["id"]) for incident in found] if whole else found


def _svg(page: Sequence[RenderableType], width: int, title: str, unique_id: str) -> str:
    console = Console(
        file=StringIO(), width=width, record=True, force_terminal=True, color_system="truecolor", markup=False, highlight=False, emoji=False
    )
    console.print(*page, sep="\n")
    svg = console.export_svg(title=f"$ {title}", theme=THEME, code_format=FRAME, unique_id=unique_id)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
