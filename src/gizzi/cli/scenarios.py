"""`gizzi scenario run` and `record`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from gizzi.cli.terminal import clean, print_json, show, text
from gizzi.cli.words import settings_of, span_s
from gizzi.clock import duration_text
from gizzi.errors import UsageError
from gizzi.sim.runner import run_scenario
from gizzi.sim.scenario import FILE_NAME


def run_all(folders: Sequence[Path], *, as_json: bool) -> int:
    """Exit code 1 where one failed."""
    results = []
    for folder in list(_scenarios(folders)):
        result = run_scenario(folder)
        results.append(result)
        if as_json:
            print_json(result, one_a_line=True)
        else:
            _tell(result)
    if not as_json and len(results) > 1:
        _sum_up(results)
    return 0 if all(result["passed"] for result in results) else 1


def _scenarios(folders: Sequence[Path]) -> Iterable[Path]:
    """Each folder that is a scenario; of any other, those in it. Raises UsageError where there are none."""
    for folder in folders:
        if (folder / FILE_NAME).is_file():
            yield folder
            continue
        inside = sorted(file.parent for file in folder.glob(f"*/{FILE_NAME}")) if folder.is_dir() else []
        if not inside:
            raise UsageError(f"{folder} is not a scenario: there is no {FILE_NAME} in it, nor in a folder of it")
        yield from inside


def _tell(result: dict[str, Any]) -> None:
    sign = Text("✓", "green") if result["passed"] else Text("✗", "bold red")
    incidents = result["incidents"]
    count = f"{len(incidents)} incident{'' if len(incidents) == 1 else 's'}"
    spans = f"{duration_text(result['simulated_s'])} in {result['wall_s']:.1f} s"
    show(Text.assemble(sign, " ", (clean(result["scenario"], 60).ljust(32), "bold"), f" {count.ljust(13)}", (f" {spans}", "dim")))
    for failure in result["failures"]:
        show(Text.assemble("    ", text(failure, "red")))


def _sum_up(results: Sequence[dict[str, Any]]) -> None:
    passed = sum(bool(result["passed"]) for result in results)
    simulated_s = sum(result["simulated_s"] for result in results)
    wall_s = sum(result["wall_s"] for result in results)
    show(Text(f"{passed} of {len(results)} passed; {duration_text(simulated_s)} of fleet life in {wall_s:.0f} s", "bold"))


def record_one(config: Path | None, folder: Path, span: str) -> int:
    from gizzi.sim.record import record

    settings = settings_of(config, need_fleet=True)
    recorded = record(settings, folder, span_s(span))
    if inspect.isawaitable(recorded):
        asyncio.run(_await(recorded))
    print(f"recorded in {folder}; `gizzi scenario run {folder}` plays it")
    return 0


async def _await(thing: Any) -> None:
    await thing
