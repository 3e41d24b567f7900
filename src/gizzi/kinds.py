"""What can be added to Gizzi: one kind of thing each. The decorators that mark them are in `marks`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from gizzi.clock import beside, seconds
from gizzi.config import Settings
from gizzi.errors import ConfigError, GizziError, OutcomeUnknown, SourceError
from gizzi.sections import Severity as Severity

SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
RuleScope = Literal["validator", "chain", "gizzi", "off"]
MARK = "__gizzi__"
_ACTION_GETS = ("validator", "ssh", "settings")
_WORKFLOW_GETS = ("settings", "http")


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
    """What a strategy thinks: these models, best first, or this tier ("local", "standard", "frontier"); and why, in a few words. Only a
    reason: why it has no opinion, which the route then tells.

    plan: "cascade" asks the models in turn until an answer holds, "consensus" asks them all and counts their votes; None asks the first.
    """

    models: Sequence[Any] = ()
    tier: str | None = None
    reason: str = ""
    plan: str | None = None


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


NEVER = frozenset(
    {
        "rotate_keys",
        "insert_keys",
        "copy_keystore",
        "start_standby",
        "purge_chain",
        "restore_database",
        "note_stalled",
        "sudo_call",
        "open_unsafe_rpc",
    }
)
"""What Gizzi must never do, not even with approval: an action of such a name cannot be registered."""


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done to a validator. See `action`."""

    name: str
    run: Callable[..., Any]
    writes: bool
    idempotent: bool
    longest_s: float
    wants: tuple[str, ...]
    awaits: bool
    summary: str
    where: str

    async def carry_out(self, given: Mapping[str, Any]) -> str | None:
        """Its own words for what it did. Raises GizziError: OutcomeUnknown where it ended as no action should, and may have done it."""
        arguments = {name: given[name] for name in self.wants if name in given}
        try:
            said = await self.run(**arguments) if self.awaits else await beside(partial(self.run, **arguments))
        except GizziError:
            raise
        except Exception as error:
            said_so = f"the action {self.name} in {self.where} failed: {type(error).__name__}: {error}"
            raise OutcomeUnknown("internal", f"{said_so}; whether it was carried out is not known") from None
        return None if said is None else str(said)

    def needs(self) -> tuple[str, ...]:
        """What a proposal must give it besides the validator."""
        found = inspect.signature(self.run).parameters.values()
        return tuple(p.name for p in found if p.default is p.empty and p.name not in _ACTION_GETS)


@dataclass(frozen=True, slots=True)
class Notifier:
    """A channel. See `notifier`."""

    name: str
    send: Callable[..., Any]
    one_by_one: bool
    wants: tuple[str, ...]
    awaits: bool
    summary: str
    where: str

    async def tell(self, given: Mapping[str, Any], in_thread: Callable[[Callable[[], Any]], Awaitable[Any]] | None) -> str | None:
        """What went wrong where the message did not go out, None where it did. in_thread: what runs a plain function; None: here."""
        arguments = {name: given[name] for name in self.wants}
        try:
            if self.awaits:
                await self.send(**arguments)
            elif in_thread is not None:
                await in_thread(lambda: self.send(**arguments))
            else:
                self.send(**arguments)
        except Exception as error:
            return str(error) if isinstance(error, GizziError) else f"{type(error).__name__}: {error}"
        return None


@dataclass(frozen=True, slots=True)
class Workflow:
    """A procedure with durable steps. See `workflow`."""

    name: str
    run: Callable[..., Any]
    here: bool
    wants: tuple[str, ...]
    summary: str
    where: str

    def options(self) -> dict[str, bool]:
        """What it is started with, by name, and whether it must be given."""
        found = list(inspect.signature(self.run).parameters.values())[1:]
        return {p.name: p.default is p.empty for p in found if p.name not in _WORKFLOW_GETS}

    async def carry_out(self, run: Any, given: Mapping[str, Any]) -> tuple[Any, str | None]:
        """What it returned, and what went wrong where it has a fault. Raises the GizziError with which it stopped."""
        try:
            return await self.run(run, **{name: given[name] for name in self.wants[1:] if name in given}), None
        except GizziError:
            raise
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True)
class RoleTask:
    """What a role does, its facts gathered by code. See `task`."""

    name: str
    run: Callable[..., Any]
    wants: tuple[str, ...]
    awaits: bool
    summary: str
    where: str

    async def gather(self, given: Mapping[str, Any]) -> str | list[ReportItem]:
        """What it found. Raises GizziError; SourceError where it has a fault, or found something else than it should."""
        try:
            said = await self.run(**given) if self.awaits else await beside(partial(self.run, **given))
            found = said if isinstance(said, str) else list(said or ())
        except GizziError:
            raise
        except Exception as error:
            raise SourceError("internal", f"the task in {self.where} failed: {type(error).__name__}: {error}") from None
        if not isinstance(found, str) and not all(isinstance(item, ReportItem) for item in found):
            raise SourceError("internal", f"the task in {self.where} must return a list of ReportItem, or a text")
        return found


@dataclass(frozen=True, slots=True)
class ReportItem:
    """One thing that a role found.

    about: the validator, chain or file it concerns. evidence: (observation id or place, what was seen there). proposal: the exact change
    or command that is suggested; nobody carries it out by itself. next_at: when it breaks, epoch seconds, where that can be foreseen.
    """

    text: str
    severity: Severity = "low"
    about: str = ""
    evidence: tuple[tuple[str, str], ...] = ()
    proposal: str | None = None
    next_at: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """A table, a number, a text or a series on the pages and in the terminal. See `panel`."""

    name: str
    draw: Callable[..., Any]
    title: str
    wants: tuple[str, ...]
    awaits: bool
    summary: str
    where: str

    def call(self, given: Mapping[str, Any], read: Callable[[Any], Any]) -> tuple[Any, str | None]:
        """What `read` makes of what a plain function drew, or what went wrong."""
        try:
            return read(self.draw(**{name: given[name] for name in self.wants})), None
        except Exception as error:
            return None, str(error) if isinstance(error, GizziError) else f"{type(error).__name__}: {error}"

    async def call_here(self, given: Mapping[str, Any], read: Callable[[Any], Any]) -> tuple[Any, str | None]:
        """The same of either kind of function, without a thread. A caller's time-out passes."""
        if not self.awaits:
            return self.call(given, read)
        try:
            return read(await self.draw(**{name: given[name] for name in self.wants})), None
        except Exception as error:
            return None, str(error) if isinstance(error, GizziError) else f"{type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True)
class Wire:
    """How models of one kind of provider are reached. See `wire`."""

    name: str
    build: Callable[..., Any]
    wants: tuple[str, ...]
    summary: str
    where: str

    def made(self, provider: Any, model: Any, key: str, http: Any, settings: Any) -> Any:
        """The pydantic-ai model. Raises ConfigError where the wire fails to make one."""
        more = {"settings": settings} if "settings" in self.wants else {}
        try:
            return self.build(provider, model, key, http, **more)
        except Exception as error:
            raise ConfigError(f"the wire {self.name!r} in {self.where} failed for {model.id}: {type(error).__name__}: {error}") from None


Extension = Rule | Source | Strategy | Action | Notifier | Workflow | Panel | Wire | RoleTask
