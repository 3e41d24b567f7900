"""`gizzi plugin new` and `list`: a file to begin with for each kind of thing that can be added, and what was added."""

from __future__ import annotations

import keyword
import re
import shlex
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from rich.console import RenderableType
from rich.text import Text

import gizzi
from gizzi.cli.terminal import grid, print_json, show, text
from gizzi.cli.words import settings_of
from gizzi.config import nearest
from gizzi.errors import ConfigError, UsageError
from gizzi.kinds import NEVER
from gizzi.registry import Registry, Table, load

KINDS = ("source", "rule", "strategy", "action", "workflow", "notifier", "panel", "task", "wire")
OURS = Path(gizzi.__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def new_plugin(config: Path | None, kind: str, name: str) -> int:
    """Raises UsageError, ConfigError; overwrites nothing."""
    settings = settings_of(config)
    if kind not in KINDS:
        raise UsageError(f"there is no kind {kind!r}{nearest(kind, list(KINDS))}")
    _check(kind, name, load(settings))
    folder = Path(settings.plugins.folder)
    made = {folder / f"{name}.py": f"{kind}.txt", folder / f"test_{name}.py": f"{kind}_test.txt"}
    for file in made:
        if file.exists():
            raise UsageError(f"{file} exists already")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, template in made.items():
            file.write_text(
                Template((files("gizzi.cli") / "kit" / template).read_text(encoding="utf-8")).substitute(name=name), encoding="utf-8"
            )
    except OSError as error:
        raise ConfigError(f"{folder}: it cannot be written: {error}") from None
    plugin, test = made
    print(f"{plugin} is written, and its test, {test}.")
    print(f"The {kind} works as it stands: `gizzi plugin list` shows it, and `pytest {shlex.quote(str(test))}` tests it.")
    return 0


def _check(kind: str, name: str, registry: Registry) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(f"{name!r}: a plugin's name is made of small letters, digits and underscores, and begins with a letter")
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        raise UsageError(f"{name!r} is the name of a Python module that is installed; take another")
    if kind == "notifier" and "_" in name:
        raise UsageError(f"{name!r}: a notifier's name begins its addresses, so it has no underscore")
    if kind == "action" and name in NEVER:
        raise UsageError(f"the action {name!r} is one that Gizzi must never do")
    table = _tables(registry)[kind]
    if name in table:
        raise UsageError(f"the {kind} {name!r} is already defined in {table[name].where}; take another name")


def _tables(registry: Registry) -> dict[str, Table[Any]]:
    return {table.kind: table for table in vars(registry).values() if isinstance(table, Table)}


def list_plugins(config: Path | None, *, as_json: bool) -> int:
    settings = settings_of(config)
    registry = load(settings)
    items = [item | {"kind": kind} for kind, table in _tables(registry).items() for item in map(_row, table) if not _is_ours(item["where"])]
    items += [{"name": "", "where": where, "summary": "models", "kind": "models"} for where, _ in registry.model_rows]
    failures = [{"where": failure.where, "error": failure.error} for failure in registry.failures]
    if as_json:
        print_json({"folder": settings.plugins.folder, "plugins": items, "failures": failures})
    else:
        show(*_page(settings.plugins.folder, items, failures))
    return 0


def _row(item: Any) -> dict[str, str]:
    return {"name": item.name, "where": item.where, "summary": item.summary}


def _is_ours(where: str) -> bool:
    return Path(where.rpartition(":")[0]).is_relative_to(OURS)


def _page(folder: str, items: list[dict[str, str]], failures: list[dict[str, str]]) -> list[RenderableType]:
    parts: list[RenderableType] = [Text()]
    if not items and not failures:
        return [*parts, text(f"No plugins: none in {folder}, none installed. `gizzi plugin new KIND NAME` writes one."), Text()]
    rows = [
        [text(i["kind"], "cyan", 20), text(i["name"], "bold", 60), text(i["summary"], "", 200), text(i["where"], "dim", 300)] for i in items
    ]
    rows += [[Text("failed", "red"), Text(), text(failure["error"], "", 300), text(failure["where"], "dim", 300)] for failure in failures]
    return [*parts, grid(rows, indent=2), Text()]
