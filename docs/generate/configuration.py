"""The keys of gizzi.toml, from the settings' own field descriptions."""

from __future__ import annotations

import types
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from gizzi.config import Duration, Settings

from .markdown import code, number, page, sentence, table, written

INTRO = """
One file, `gizzi.toml`: in this folder, in `~/.config/gizzi/`, or in `/etc/gizzi/`, or the one named with `--config FILE`. Every key has a
default except the validators; those may be left out where `[prometheus] url` is set, and are then discovered. An unknown key is an error that
names the nearest known one. Relative paths (the store, the plugins folder) are relative to the file.

Durations are written `"5s"`, `"1m30s"`, `"2h"`, `"1d"`, or as a number of seconds.

**Environment.** A variable `GIZZI_SECTION__KEY` overrides `[section] key`: `GIZZI_STORE__URL=sqlite:///other.db`,
`GIZZI_COLLECT__EVERY=15s`. Other variables: the token named by `[api] token_env` (`GIZZI_API_TOKEN`), which may be a systemd credential of
that name instead.

Keys marked *later* are read and checked, but nothing uses them yet: Gizzi does not act, ask models or send messages so far.
"""
EXAMPLE = """
A small file:

```toml gizzi.toml
[network]
name = "Example network"

[[chains]]
id = "flare"

[[chains]]
id = "btc-pbc"
parent = "flare"                          # a side chain: the trouble of its relay chain explains its own

[[validators]]
number = 6
name = "runtime-dev01-a"
chain = "flare"
host = "validator-6.example"
metrics_url = "http://validator-6.example:9615/metrics"
rpc_url = "http://validator-6.example:9944"
unit = "flare-node"

[ssh]
user = "gizzi"
key_file = "~/.ssh/gizzi-validator"

[rules.peers_low]
below = 5
hold = "30s"
```
"""
LATER = {
    "tiers": None,
    "budget": None,
    "notify": None,
    "policy": {"mode", "cooldown", "verify_after", "approval_ttl"},
    "validators": {"role"},
    "api.tokens": {"role"},
}
"""Sections, or keys of a section, that nothing uses yet."""
ARRAYS = {"chains", "validators"}


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """("collect", its model) of every section, in the file's order; ("api.tokens", …) for a table inside one."""
    for name, field in Settings.model_fields.items():
        for model in _models_in(field.annotation):
            yield name, model
            for inner, inside in model.model_fields.items():
                yield from ((f"{name}.{inner}", below) for below in _models_in(inside.annotation))


def keys(model: type[BaseModel]) -> list[tuple[str, Any]]:
    """(key as the file has it, field), without the tables inside, which are sections of their own."""
    return [(field.alias or name, field) for name, field in model.model_fields.items() if not _models_in(field.annotation)]


def configuration_page() -> str:
    rules = sentence(Settings.model_fields["rules"].description or "")
    about_rules = f"## [rules.NAME]\n\n{rules} [Rules](rules.md) lists every rule with its thresholds."
    return page("Configuration", INTRO, EXAMPLE, *(_section(name, model) for name, model in sections()), about_rules)


def _section(name: str, model: type[BaseModel]) -> str:
    later = LATER.get(name, set())
    title = f"[[{name}]]" if name in ARRAYS or "." in name else f"[{name}]"
    rows = [
        (code(key), _kind(field.annotation, field.metadata) + _bounds(field), _default(field), _means(field, later is None or key in later))
        for key, field in keys(model)
    ]
    return f"## {title}\n\n" + table(["key", "type", "default", "means"], rows)


def _means(field: Any, later: bool) -> str:
    return ("*Later.* " if later else "") + (field.description or "")


def _bounds(field: Any) -> str:
    words = {"ge": "{} or more", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}
    found = [text.format(number(value)) for name, text in words.items() for item in field.metadata if (value := getattr(item, name, None)) is not None]
    return f", {', '.join(found)}" if found else ""


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    kinds = [annotation, *get_args(annotation)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _kind(annotation: Any, metadata: Any = ()) -> str:
    if any(item in get_args(Duration) for item in metadata):
        return "duration"
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0], get_args(annotation)[1:])
    if origin is Literal:
        return " or ".join(code(f'"{value}"') for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(kind) for kind in get_args(annotation) if kind is not type(None))
    if origin is tuple:
        return "list of texts"
    if origin is dict:
        return "table of texts"
    return {str: "text", int: "whole number", float: "number", bool: "true or false", Decimal: "number"}[annotation]


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else field.default_factory()
    if value in (None, "", {}) or value == ():
        return "none"
    if any(item in get_args(Duration) for item in field.metadata):
        return code(f'"{written(value)}"')
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(f'"{value}"' if isinstance(value, str) else number(value))
