"""The decorators, one a kind of thing that can be added. Each only marks its function, so importing a module does nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from gizzi.clock import seconds
from gizzi.config import Settings, Validator
from gizzi.errors import ConfigError
from gizzi.kinds import MARK, NEVER, Action, Notifier, Panel, RoleTask, Rule, RuleScope, Severity, Source, Strategy, Wire, Workflow

_STRATEGY_GETS = ("task", "candidates", "spend", "settings")
_NOTIFIER_GETS = ("http", "settings", "url", "message")
_PANEL_GETS = ("fleet", "store", "clock", "settings")
_Function = TypeVar("_Function", bound=Callable[..., Any])


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
        where = _where(function)
        if name in NEVER:
            raise ConfigError(f"the action {name!r} in {where} is one that Gizzi must never do")
        wants, awaits = _wants(function), _awaits(function)
        item = Action(name, function, writes, idempotent, seconds(longest), wants, awaits, _summary(function), where)
        setattr(function, MARK, item)
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


def task(name: str) -> Callable[[_Function], _Function]:
    """Mark a function (async, or plain and then run in a thread) as what a role's task of that name does to gather its facts.

    Its parameters are filled by name: scene (what the role may look at), or one of the scene's own parts: validators, settings, store,
    clock; any other is an option of `gizzi role run`, text or None. It returns a list of `ReportItem`, the gravest first, or text.
    """

    def mark(function: _Function) -> _Function:
        setattr(function, MARK, RoleTask(name, function, _wants(function), _awaits(function), _summary(function), _where(function)))
        return function

    return mark


def panel(name: str, *, title: str = "") -> Callable[[_Function], _Function]:
    """Mark a function (async, or plain and then run in a thread) as a panel of the pages and the terminal, called every few seconds while
    somebody looks.

    Its parameters are filled by name: fleet (a `FleetNow`), store (a `StoreNow`), clock, settings. It returns a number, a text, a table (a
    list of mappings with the same keys) or a series (a list of (epoch seconds, number) pairs, oldest first). What it raises is shown in
    its place.
    """

    def mark(function: _Function) -> _Function:
        odd = next((want for want in _wants(function) if want not in _PANEL_GETS), None)
        if odd is not None:
            raise ConfigError(f"the panel {name!r} in {_where(function)} asks for {odd!r}; it gets {', '.join(_PANEL_GETS)}")
        shown = title or name.replace("_", " ").capitalize()
        setattr(function, MARK, Panel(name, function, shown, _wants(function), _awaits(function), _summary(function), _where(function)))
        return function

    return mark


def wire(name: str) -> Callable[[_Function], _Function]:
    """Mark a plain function as a wire, the way a provider is spoken to: `[providers.ACME] api = "NAME"` then goes through it.

    It is called as `build(provider, model, key, http)` when a model is first asked, and returns a pydantic-ai `Model`. provider: its row
    (name, url …). model: the model's row (name, context_tokens …). key: the provider's key, "" where it has none. http: the `httpx2` client
    that all wires share: no redirects, only so much of an answer, and no time-outs, which are the caller's. A fifth parameter, called
    settings, gets the whole configuration.
    """

    def mark(function: _Function) -> _Function:
        wants = _wants(function)
        if len(wants) != 4 + wants[4:].count("settings") or len(wants) > 5 or inspect.iscoroutinefunction(function):
            raise ConfigError(f"the wire {name!r} in {_where(function)} must be a plain function of (provider, model, key, http)")
        setattr(function, MARK, Wire(name, function, wants, _summary(function), _where(function)))
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
