"""Named tables of everything that can be added: what a decorator marks, loading collects.

A decorator only marks its function, so importing a module does nothing. `Registry.load` imports the built-in modules, the plugins folder
and the installed packages' entry points (group `gizzi`), and files what it finds under its name. A name taken twice is an error that says
where the first one lives; a plugin that cannot be loaded is kept in `failures` and skipped.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, Literal, TypeVar

from gizzi.clock import seconds
from gizzi.config import Settings, Validator, nearest
from gizzi.errors import ConfigError, NotFound

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
RuleScope = Literal["validator", "chain", "gizzi", "off"]
_MARK = "__gizzi__"
_BUILT_IN_PACKAGES = ("gizzi.alerts.rules", "gizzi.sources")
_BUILT_IN_MODULES = ("gizzi.models.rules",)
_STRATEGY_GETS = ("task", "candidates", "spend")
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Rule:
    """A test that turns status and history into an alert. See `rule`."""

    name: str
    check: Callable[..., Any]
    severity: Severity
    hold_s: float
    scope: RuleScope
    needs: tuple[str, ...]
    series: tuple[str, ...]
    explains: tuple[str, ...]
    optional: bool
    limits: Mapping[str, Any]
    summary: str
    where: str


@dataclass(frozen=True, slots=True)
class Source:
    """What collects. See `source`."""

    name: str
    collect: Callable[..., Any]
    every: str | float
    scope: Literal["validator", "fleet"]
    applies: Callable[..., bool]
    gives: tuple[str, ...]
    reports: str
    wants: tuple[str, ...]
    awaits: bool
    summary: str
    where: str

    def every_s(self, settings: Settings) -> float:
        """Its period: "collect" and "host" follow the configuration, anything else is a duration."""
        match self.every:
            case "collect":
                return settings.collect.every_s
            case "host":
                return settings.collect.host_every_s
            case _:
                return seconds(self.every)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a strategy thinks: these models, best first, or this tier ("local", "standard", "frontier"); and why, in a few words."""

    models: Sequence[Any] = ()
    tier: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Strategy:
    """Who has a say in which model answers. See `strategy`."""

    name: str
    choose: Callable[..., Any]
    wants: tuple[str, ...]
    summary: str
    where: str

    def ask(self, task: Any, candidates: Sequence[Any], spend: Any) -> tuple[Opinion | None, str | None]:
        """Its opinion, and what went wrong where it could not give one. It gets a list of its own, and can hurt nobody by changing it."""
        given = {"task": task, "candidates": list(candidates), "spend": spend}
        try:
            said = self.choose(**{name: given[name] for name in self.wants})
            if said is None or isinstance(said, Opinion):
                return said, None
            return Opinion(tuple(said)), None
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"


Extension = Rule | Source | Strategy
_Item = TypeVar("_Item", bound=Extension)


def rule(
    name: str,
    *,
    severity: Severity = "medium",
    hold: str | float = "1m",
    scope: RuleScope = "validator",
    needs: tuple[str, ...] = (),
    series: tuple[str, ...] = (),
    explains: tuple[str, ...] = (),
    optional: bool = False,
) -> Callable[[_Function], _Function]:
    """Mark a pure function as an alert rule.

    It is called as `check(v, fleet)` for each validator (`fleet` is its chain), `check(fleet)` with scope "chain", `check(gizzi)`
    with scope "gizzi", and returns the alert's text (or a `Finding`) while the condition holds, None when it does not, and UNKNOWN
    when it cannot tell. Keyword-only arguments with defaults are its thresholds, and keys of `[rules.NAME]`.

    hold: how long the condition must last. needs: the observations it reads; where none of them is seen anywhere the rule is dead.
    series: observations whose recent past it reads with `v.window`. explains: rules of the same validator (for a chain's rule: of the
    chain's validators) that are symptoms of this one. optional: its observations may be absent without making it dead.
    """

    def mark(function: _Function) -> _Function:
        parameters = inspect.signature(function).parameters.values()
        limits = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        setattr(
            function,
            _MARK,
            Rule(
                name=name,
                check=function,
                severity=severity,
                hold_s=seconds(hold),
                scope=scope,
                needs=needs,
                series=series,
                explains=explains,
                optional=optional,
                limits=limits,
                summary=_summary(function),
                where=_where(function),
            ),
        )
        return function

    return mark


def _always(validator: Validator, settings: Settings) -> bool:
    return True


def source(
    name: str,
    *,
    every: str | float = "collect",
    scope: Literal["validator", "fleet"] = "validator",
    applies: Callable[..., bool] = _always,
    gives: tuple[str, ...] = (),
    reports: str = "",
) -> Callable[[_Function], _Function]:
    """Mark a function (async, or plain and then run in a thread) as a source.

    Its parameters are filled by name: validator (with scope "fleet": validators), node, ssh, http, fleet, clock, settings. It returns
    a mapping of observation name to value, with scope "fleet" a mapping of validator number to such mappings; it raises SourceError
    where it cannot.

    every: a duration, or "collect" or "host" for the configured periods. applies(validator, settings): whether it is used for that
    validator. gives: the observation names it can give. reports: the source whose `_up` its success or failure tells, its own by default.
    """

    def mark(function: _Function) -> _Function:
        wants = tuple(inspect.signature(function).parameters)
        setattr(
            function,
            _MARK,
            Source(
                name,
                function,
                every,
                scope,
                applies,
                gives,
                reports or name,
                wants,
                inspect.iscoroutinefunction(function),
                _summary(function),
                _where(function),
            ),
        )
        return function

    return mark


def strategy(name: str) -> Callable[[_Function], _Function]:
    """Mark a plain function as a routing strategy; `[routing] strategies` says which are asked, and in what order.

    Its parameters are filled by name: task (what is asked), candidates (the models that no hard rule forbids, the cheapest tier first),
    spend (what was spent and what is left). It returns those of the candidates it wants, best first, an `Opinion`, or None where it has
    no opinion; then the next strategy is asked.
    """

    def mark(function: _Function) -> _Function:
        wants = tuple(inspect.signature(function).parameters)
        odd = next((want for want in wants if want not in _STRATEGY_GETS), None)
        if odd is not None or inspect.iscoroutinefunction(function):
            said = f"asks for {odd!r}; it gets {', '.join(_STRATEGY_GETS)}" if odd else "is async; it must be a plain function"
            raise ConfigError(f"the strategy {name!r} in {_where(function)} {said}")
        setattr(function, _MARK, Strategy(name, function, wants, _summary(function), _where(function)))
        return function

    return mark


def _summary(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")


def _where(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


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
    model_rows: list[tuple[str, Any]] = field(default_factory=list)
    """(where from, {"providers": …, "models": …}) of each installed package that brings models (entry points `gizzi.models`)."""
    failures: list[PluginFailure] = field(default_factory=list)

    def add_module(self, module: ModuleType) -> None:
        """File every marked object of a module."""
        for item in list(vars(module).values()):
            match getattr(item, _MARK, None):
                case Rule() as found:
                    self.rules.add(found)
                case Source() as found:
                    self.sources.add(found)
                case Strategy() as found:
                    self.strategies.add(found)

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
