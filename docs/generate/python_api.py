"""What `gizzi` itself offers to extensions, from its own docstrings."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any, get_args

import gizzi
from gizzi.errors import FailureKind
from gizzi.fleet.view import ChainView, ValidatorView

from .markdown import code, meaning_of, page, sentence, table

INTRO = """
Extensions import from `gizzi`, from `gizzi.readers`, and from their own libraries. A plugin is a `.py` file in the plugins folder
(`[plugins] folder`, `plugins/` beside gizzi.toml by default), or an installed package with an entry point in the group `gizzi`.
Built-in rules and sources come in through the same door. A name taken twice is an error that says where the first lives; a plugin that
cannot be loaded is reported by `gizzi doctor` and skipped.
"""
WORDS = {
    "UNKNOWN": "What a rule returns where it cannot tell: an alert that fires goes on firing, one that does not stays silent.",
    "Answer": "What a rule may return: a text or a `Finding` while the condition holds, `None` where it does not, `UNKNOWN`.",
    "Value": "What an observation may be: a number, true or false, a text, or a tuple of texts.",
    "Samples": "Samples of a metrics page by name: each a pair of labels and value.",
    "Chain": "One of `[[chains]]`; its keys are its attributes.",
    "Validator": "One of `[[validators]]`; its keys are its attributes.",
    "Settings": "The whole configuration, frozen.",
    "Node": "How a source reaches a node; it asks for it as the parameter `node`.",
    "Ssh": "How a source reaches a validator's host; it asks for it as the parameter `ssh`.",
    "CommandFailed": "A `SourceError`: a command on a host ended with another exit status than 0. `status`: which. `stderr`: the last "
    "line it wrote there, printable, at most 200 characters, and untrusted.",
    "Http": "How a source reaches any other HTTP server; it asks for it as the parameter `http`.",
}
"""For names whose docstring says nothing, or that cannot have one."""
PARAMETERS = {
    "validator": "the validator it is called for",
    "validators": 'with `scope="fleet"`: all that it applies to',
    "node": "a [`Node`](#node)",
    "ssh": "an [`Ssh`](#ssh); None where `[ssh] user` is not set",
    "http": "an [`Http`](#http)",
    "fleet": "what is known of the fleet",
    "clock": "`now()` and `sleep()`; in a simulation these are simulated",
    "settings": "the [`Settings`](#settings)",
    "memory": "a dict of its own, kept between its calls",
}
KINDS = {
    "refused": "no connection: refused, reset, no route, unknown name",
    "timeout": "connected, but no answer in time",
    "unreadable": "an answer that is not what it should be",
    "unauthorised": "401, 403, or SSH permission denied",
    "http": "another HTTP status, or another exit status than 0",
    "rpc": "a well-formed JSON-RPC error",
    "host_key": "the SSH host key is unknown or has changed",
    "internal": "a bug in the source itself",
}
"""The kinds of a SourceError."""
ORDER = ("rule", "source", "Finding", "UNKNOWN", "Answer")
"""The most wanted first; then the rest by name."""


def names() -> list[str]:
    return [*ORDER, *sorted(set(gizzi.__all__) - set(ORDER), key=lambda name: (name.lower(), name))]


def python_page() -> str:
    parameters = "## What a source may ask for\n\n" + table(["parameter", "is"], [(code(name), text) for name, text in PARAMETERS.items()])
    views = [
        "## What a rule sees\n\nA validator's observations are attributes of `v`, None where nothing fresh is known: see "
        "[Observations](observations.md). Besides, `v.number`, `v.config` (its entry in gizzi.toml), `v.now`, `v.up`, and:",
        _members(ValidatorView, "v"),
        "`fleet` is the validator's chain; `fleet.validators`, `fleet.chain` (its entry in gizzi.toml), `fleet.now`, `fleet.parent` (the "
        "same of its relay chain, or None), `fleet.median_height`, `fleet.max_height`, `fleet.median_finalized`, `fleet.max_finalized`, "
        "`fleet.authorities` (how many vote; None where nobody knows), and:",
        _members(ChainView, "fleet"),
    ]
    return page("Python", INTRO, *map(_one, names()), parameters, *views)


def _one(name: str) -> str:
    thing = getattr(gizzi, name)
    parts = [f"## {name}"]
    if inspect.isfunction(thing):
        parts += [f"```python\n{name}{_signature(thing)}\n```", _doc(thing)]
    else:
        parts.append(WORDS.get(name) or _doc(thing))
        if thing is gizzi.SourceError:
            told = [(code(kind), meaning_of(kind, KINDS, "docs/generate/python_api.py, KINDS")) for kind in get_args(FailureKind)]
            parts += ["`SourceError(kind, text)`, where kind is:", table(["kind", "means"], told)]
        if dataclasses.is_dataclass(thing):
            parts.append("Fields: " + ", ".join(code(field.name) for field in dataclasses.fields(thing)) + ".")
        if getattr(thing, "_is_protocol", False):
            parts.append(_members(thing, name.lower()))
    return "\n\n".join(parts)


def _signature(function: Any) -> str:
    """Without annotations, which only a type checker wants."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty, default=_told(p.default)) for p in signature.parameters.values() if p.name != "self"]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def _told(default: Any) -> Any:
    """A function as its name: a repr would hold its address."""
    return _Named(default.__name__.lstrip("_")) if inspect.isfunction(default) else default


@dataclasses.dataclass(frozen=True)
class _Named:
    name: str

    def __repr__(self) -> str:
        return self.name


def _members(thing: type, called: str) -> str:
    return table(["call", "gives"], _described(thing, called))


def _described(thing: type, called: str) -> Iterator[tuple[str, str]]:
    for name, member in vars(thing).items():
        inner = member.func if hasattr(member, "func") else member.fget if isinstance(member, property) else member
        if name.startswith("_") or not inspect.isfunction(inner) or not inner.__doc__:
            continue
        call = "" if inner is not member else _signature(inner)
        awaited = "await " if inspect.iscoroutinefunction(inner) or "Coroutine" in str(inspect.signature(inner).return_annotation) else ""
        yield code(f"{awaited}{called}.{name}{call}"), sentence(_doc(inner))


def _doc(thing: Any) -> str:
    return inspect.getdoc(thing) or ""
