"""What can be added to Gizzi, one decorator a kind. A decorator only marks its function, so importing a module does nothing."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from gizzi.clock import seconds
from gizzi.config import Settings, Validator
from gizzi.errors import ConfigError, GizziError
from gizzi.sections import Severity as Severity

SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
RuleScope = Literal["validator", "chain", "gizzi", "off"]
MARK = "__gizzi__"
_ACTION_GETS = ("validator", "ssh", "settings")
_WORKFLOW_GETS = ("settings", "http")
_STRATEGY_GETS = ("task", "candidates", "spend", "settings")
_NOTIFIER_GETS = ("http", "settings", "url", "message")
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
class Panel:
    """A table, a number or a series on the pages and in the terminal. See `panel`."""

    name: str
    draw: Callable[..., Any]
    title: str
    wants: tuple[str, ...]
    awaits: bool
    summary: str
    where: str


@dataclass(frozen=True, slots=True)
class Wire:
    """How models of one kind of provider are reached. See `wire`."""

    name: str
    build: Callable[..., Any]
    summary: str
    where: str

    def made(self, provider: Any, model: Any, key: str, http: Any) -> Any:
        """The pydantic-ai model. Raises ConfigError where the wire fails to make one."""
        try:
            return self.build(provider, model, key, http)
        except Exception as error:
            raise ConfigError(f"the wire {self.name!r} in {self.where} failed for {model.id}: {type(error).__name__}: {error}") from None


Extension = Rule | Source | Strategy | Action | Notifier | Workflow | Panel | Wire


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
            MARK,
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
            MARK,
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
    spend (what was spent and what is left), settings. It returns those of the candidates it wants, best first, an `Opinion`, or None
    where it has no opinion; then the next strategy is asked.
    """

    def mark(function: _Function) -> _Function:
        wants = tuple(inspect.signature(function).parameters)
        odd = next((want for want in wants if want not in _STRATEGY_GETS), None)
        if odd is not None or inspect.iscoroutinefunction(function):
            said = f"asks for {odd!r}; it gets {', '.join(_STRATEGY_GETS)}" if odd else "is async; it must be a plain function"
            raise ConfigError(f"the strategy {name!r} in {_where(function)} {said}")
        setattr(function, MARK, Strategy(name, function, wants, _summary(function), _where(function)))
        return function

    return mark


def action(name: str, *, writes: bool, idempotent: bool = False, longest: str | float = "150s") -> Callable[[_Function], _Function]:
    """Mark a function (async, or plain and then run in a thread) as something that can be done to a validator.

    Its parameters are filled by name: validator, ssh, settings, and those that a proposal gives it. It raises CommandFailed or SourceError
    where it could not be done, and returns what there is to say about it, text or nothing.

    writes: it changes something, and then runs only through the guard, with an intent row before and an outcome row after it.
    idempotent: running it twice does no more than once; anything else that was cut off is in doubt, and goes to a person.
    longest: after so long it is cut off.
    """

    def mark(function: _Function) -> _Function:
        if name in NEVER:
            raise ConfigError(f"the action {name!r} in {_where(function)} is one that Gizzi must never do")
        setattr(
            function,
            MARK,
            Action(
                name,
                function,
                writes,
                idempotent,
                seconds(longest),
                _wants(function),
                _awaits(function),
                _summary(function),
                _where(function),
            ),
        )
        return function

    return mark


def notifier(name: str, *, one_by_one: bool = False) -> Callable[[_Function], _Function]:
    """Mark a function (async, or plain and then run in a thread) as a channel; `[notify] urls` name it as `NAME://…` or `NAME+https://…`.

    Its parameters are filled by name: http, settings, url (its address as configured), message (a `Message`). It raises where the message
    did not go out; then it is tried again, and more than once must do no harm.

    one_by_one: it keeps incidents of its own, so it hears of each by itself, of acknowledgements too, and is not reminded.
    """

    def mark(function: _Function) -> _Function:
        wants = _wants(function)
        odd = next((want for want in wants if want not in _NOTIFIER_GETS), None)
        if odd is not None:
            raise ConfigError(f"the notifier {name!r} in {_where(function)} asks for {odd!r}; it gets {', '.join(_NOTIFIER_GETS)}")
        setattr(function, MARK, Notifier(name, function, one_by_one, wants, _awaits(function), _summary(function), _where(function)))
        return function

    return mark


def workflow(name: str, *, here: bool = False) -> Callable[[_Function], _Function]:
    """Mark an async function as a workflow. Its first parameter is the run, a `Run`; `await run.step("name", function, ...)` makes a step
    durable. It returns a last word, or nothing, and raises GizziError where it stops, with the reason.

    Its other parameters are filled by name: settings, http, and what it is started with, which are texts: `gizzi workflow run NAME
    --to 1.2` fills `to`. Those without a default must be given.

    here: it runs at the terminal that starts it, for as long as that is there, and is not kept; it can look at and act on nothing.
    """

    def mark(function: _Function) -> _Function:
        wants = _wants(function)
        if not inspect.iscoroutinefunction(function) or not wants:
            raise ConfigError(f"the workflow {name!r} in {_where(function)} must be an async function whose first parameter is the run")
        setattr(function, MARK, Workflow(name, function, here, wants, _summary(function), _where(function)))
        return function

    return mark


def panel(name: str, *, title: str = "") -> Callable[[_Function], _Function]:
    """Mark a function (async, or plain) as a panel of the pages and the terminal. Its parameters are filled by name: fleet, store,
    clock, settings.

    It returns a number, a text, a table (a list of mappings with the same keys) or a series (a list of (epoch seconds, number) pairs).
    """

    def mark(function: _Function) -> _Function:
        shown = title or name.replace("_", " ").capitalize()
        setattr(function, MARK, Panel(name, function, shown, _wants(function), _awaits(function), _summary(function), _where(function)))
        return function

    return mark


def wire(name: str) -> Callable[[_Function], _Function]:
    """Mark a plain function as a wire, the way a provider is spoken to: `[providers.ACME] api = "NAME"` then goes through it.

    It is called as `build(provider, model, key, http)` when a model is first asked, and returns a pydantic-ai `Model`. provider: its row
    (name, url …). model: the model's row (name, context_tokens …). key: the provider's key, "" where it has none. http: the `httpx2` client
    that all wires share: no redirects, only so much of an answer, and no time-outs, which are the caller's.
    """

    def mark(function: _Function) -> _Function:
        wants = _wants(function)
        if len(wants) != 4 or inspect.iscoroutinefunction(function):
            raise ConfigError(f"the wire {name!r} in {_where(function)} must be a plain function of (provider, model, key, http)")
        setattr(function, MARK, Wire(name, function, _summary(function), _where(function)))
        return function

    return mark


def _wants(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _awaits(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function)


def _summary(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")


def _where(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)
