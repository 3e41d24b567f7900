"""Named tables of everything that can be added: what a decorator marks, loading collects.

A decorator only marks its function, so importing a module does nothing. `Registry.load` imports the built-in modules, the plugins folder
and the installed packages' entry points (group `gizzi`), and files what it finds under its name. A name taken twice is an error that says
where the first one lives; a plugin that cannot be loaded is kept in `failures` and skipped.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from gizzi.clock import seconds
from gizzi.config import Settings, nearest
from gizzi.errors import ConfigError, NotFound
from gizzi.kinds import MARK, SEVERITIES, Action, Extension, Notifier, Panel, RoleTask, Rule, Source, Strategy, Wire, Workflow

_Item = TypeVar("_Item", bound=Extension)

_KINDS = ("alerts.rules", "sources", "actions", "notifiers", "tasks", "workflows", "panels")
_BUILT_IN_PACKAGES = tuple(f"gizzi.{name}" for name in _KINDS)
_WIRES = ("openai", "anthropic", "google", "mistral", "ollama", "claude_code")
_CHOOSERS = ("rules", "strategies", "learned_choice")
_BUILT_IN_MODULES = (*(f"gizzi.models.{name}" for name in _CHOOSERS), *(f"gizzi.models.wire_{name}" for name in _WIRES))


class Table(Generic[_Item]):
    """Extensions of one kind by name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, _Item] = {}

    def add(self, item: _Item) -> None:
        """Raises ConfigError where the name is taken by another."""
        first = self._items.get(item.name)
        if first is not None and first.where != item.where:
            raise ConfigError(f"the {self.kind} {item.name!r} in {item.where} is already defined in {first.where}; rename one of them")
        self._items[item.name] = item

    def replace(self, item: _Item) -> None:
        self._items[item.name] = item

    def __getitem__(self, name: str) -> _Item:
        try:
            return self._items[name]
        except KeyError:
            raise NotFound(f"there is no {self.kind} {name!r}{nearest(name, list(self._items))}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[_Item]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)


@dataclass(frozen=True, slots=True)
class PluginFailure:
    where: str
    error: str


@dataclass
class Registry:
    rules: Table[Rule] = field(default_factory=lambda: Table[Rule]("rule"))
    sources: Table[Source] = field(default_factory=lambda: Table[Source]("source"))
    strategies: Table[Strategy] = field(default_factory=lambda: Table[Strategy]("strategy"))
    actions: Table[Action] = field(default_factory=lambda: Table[Action]("action"))
    notifiers: Table[Notifier] = field(default_factory=lambda: Table[Notifier]("notifier"))
    workflows: Table[Workflow] = field(default_factory=lambda: Table[Workflow]("workflow"))
    tasks: Table[RoleTask] = field(default_factory=lambda: Table[RoleTask]("task"))
    panels: Table[Panel] = field(default_factory=lambda: Table[Panel]("panel"))
    wires: Table[Wire] = field(default_factory=lambda: Table[Wire]("wire"))
    model_rows: list[tuple[str, Any]] = field(default_factory=list)
    """(where from, {"providers": …, "models": …}) of each installed package that brings models (entry points `gizzi.models`)."""
    failures: list[PluginFailure] = field(default_factory=list)

    def add_module(self, module: ModuleType) -> None:
        """File every marked object of a module."""
        for item in list(vars(module).values()):
            found = getattr(item, MARK, None)
            if isinstance(found, Extension):
                self._table(found).add(found)

    def _table(self, item: Extension) -> Table[Any]:
        tables: dict[type, Table[Any]] = {
            Rule: self.rules,
            Source: self.sources,
            Strategy: self.strategies,
            Action: self.actions,
            Notifier: self.notifiers,
            Workflow: self.workflows,
            Panel: self.panels,
            RoleTask: self.tasks,
            Wire: self.wires,
        }
        return tables[type(item)]

    def configure(self, settings: Settings) -> None:
        """Apply `[rules.*]`. Raises ConfigError for an unknown rule or key."""
        origin = settings.file or "the configuration"
        for name, changes in settings.rules.items():
            if name not in self.rules:
                raise ConfigError(f"{origin}: unknown rule [rules.{name}]{nearest(name, [r.name for r in self.rules])}")
            self.rules.replace(_configured(self.rules[name], changes, f"{origin}: [rules.{name}]"))


def _configured(item: Rule, changes: Mapping[str, Any], place: str) -> Rule:
    limits = dict(item.limits)
    changed: dict[str, Any] = {}
    for key, value in changes.items():
        if key == "enabled" and isinstance(value, bool):
            changed["scope"] = item.scope if value else "off"
        elif key == "hold":
            try:
                changed["hold_s"] = seconds(value)
            except ValueError as error:
                raise ConfigError(f"{place} hold: {error}") from None
        elif key == "severity" and value in SEVERITIES:
            changed["severity"] = value
        elif key in limits and isinstance(value, int | float) and not isinstance(value, bool):
            limits[key] = value
        elif key in {"enabled", "severity", *limits}:
            raise ConfigError(f"{place} {key}: {value!r} is not a value it can take")
        else:
            raise ConfigError(f"{place}: unknown key {key}{nearest(key, ['enabled', 'hold', 'severity', *limits])}")
    return replace(item, limits=limits, **changed)


def load(settings: Settings) -> Registry:
    """The registry of this installation: built-ins, then the plugins folder, then entry points, then `[rules.*]`."""
    registry = Registry()
    for package in _BUILT_IN_PACKAGES:
        for module in _modules_of(package):
            registry.add_module(module)
    for name in _BUILT_IN_MODULES:
        registry.add_module(importlib.import_module(name))
    for file in sorted(Path(settings.plugins.folder).glob("*.py")):
        if file.name.startswith("test_"):
            continue
        _try(registry, str(file), lambda file=file: _import_file(file))  # type: ignore[misc]
    for entry in entry_points(group="gizzi"):
        _try(registry, f"entry point {entry.name} = {entry.value}", entry.load)
    for entry in entry_points(group="gizzi.models"):
        _try_rows(registry, f"entry point {entry.name} = {entry.value}", entry.load)
    registry.configure(settings)
    return registry


def _modules_of(package: str) -> Iterator[ModuleType]:
    parent = importlib.import_module(package)
    for info in pkgutil.iter_modules(parent.__path__):
        if not info.name.startswith("_"):
            yield importlib.import_module(f"{package}.{info.name}")


def _import_file(file: Path) -> ModuleType:
    name = f"gizzi_plugin_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _try(registry: Registry, where: str, get: Callable[[], object]) -> None:
    """Load one plugin; whatever it raises, apart from a doubled name, is kept as its failure."""
    try:
        module = get()
    except Exception as error:
        registry.failures.append(PluginFailure(where, f"{type(error).__name__}: {error}"))
        return
    if not isinstance(module, ModuleType):
        registry.failures.append(PluginFailure(where, "it does not name a module"))
        return
    registry.add_module(module)


def _try_rows(registry: Registry, where: str, get: Callable[[], object]) -> None:
    """Models that a package brings: a mapping, or a function that gives one."""
    try:
        found = get()
        rows = found() if callable(found) else found
    except Exception as error:
        registry.failures.append(PluginFailure(where, f"{type(error).__name__}: {error}"))
        return
    registry.model_rows.append((where, rows))
