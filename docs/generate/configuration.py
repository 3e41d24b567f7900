"""The keys of gizzi.toml, from the settings' own field descriptions."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from gizzi.config import Settings
from gizzi.sections import Duration

from .markdown import code, number, page, sentence, table, written

INTRO = """
One file, `gizzi.toml`: in this folder, in `~/.config/gizzi/`, or in `/etc/gizzi/`, or the one named with `--config FILE`. Every key has a
default except the validators; those may be left out where `[prometheus] url` is set, and are then discovered. An unknown key is an error
that names the nearest known one. Relative paths (the store, the plugins folder) are relative to the file.

Durations are written `"5s"`, `"1m30s"`, `"2h"`, `"1d"`, or as a number of seconds.

**Environment.** A variable `GIZZI_SECTION__KEY` overrides `[section] key`: `GIZZI_STORE__URL=sqlite:///other.db`,
`GIZZI_COLLECT__EVERY=15s`. Other variables: the token named by `[api] token_env` (`GIZZI_API_TOKEN`), which may be a systemd credential of
that name instead.

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
LATER: dict[str, set[str] | None] = {"validators": {"role"}}
"""Sections (None: the whole of it), or keys of a section, that nothing uses yet."""


KINDS = {str: "text", SecretStr: "text", int: "whole number", float: "number", bool: "true or false", Decimal: "number"}


@dataclass(frozen=True)
class Section:
    """One table of the file. name: "collect", or "api.tokens" for a table inside one. title: as its head is written in the file."""

    name: str
    title: str
    model: type[BaseModel]

    def entries(self) -> list[tuple[str, Any]]:
        """(key as the file has it, field), without the tables inside, which are sections of their own."""
        return [(field.alias or name, field) for name, field in self.model.model_fields.items() if _model_in(field.annotation) is None]


def sections() -> Iterator[Section]:
    """Every table, in the file's order."""
    yield from _inside(Settings, "", "")


def _inside(model: type[BaseModel], name: str, title: str) -> Iterator[Section]:
    for key, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is None:
            continue
        full, head = f"{name}{key}", f"{title}{field.alias or key}"
        container = get_origin(field.annotation)
        shown = f"[[{head}]]" if container is tuple else f"[{head}.NAME]" if container is dict else f"[{head}]"
        yield Section(full, shown, inner)
        yield from _inside(inner, f"{full}.", f"{shown.strip('[]')}.")


def configuration_page() -> str:
    rules = sentence(Settings.model_fields["rules"].description or "")
    about_rules = f"## [rules.NAME]\n\n{rules} [Rules](rules.md) lists every rule with its thresholds."
    return page("Configuration", INTRO, EXAMPLE, *map(_section, sections()), about_rules)


def _section(section: Section) -> str:
    later = LATER.get(section.name, set())
    rows = [
        (code(key), _kind(field.annotation, field.metadata) + _bounds(field), _default(field), _means(field, later is None or key in later))
        for key, field in section.entries()
    ]
    return f"## {section.title}\n\n" + table(["key", "type", "default", "means"], rows)


def _means(field: Any, later: bool) -> str:
    return ("*Later.* " if later else "") + (field.description or "")


def _bounds(field: Any) -> str:
    words = {"ge": "{} or more", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}
    limits = [(text, getattr(item, name, None)) for name, text in words.items() for item in field.metadata]
    return "".join(f", {text.format(number(limit))}" for text, limit in limits if limit is not None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of a table, of each of several tables, or of each named table; None where the key holds plain values."""
    kinds = [annotation, *get_args(annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _kind(annotation: Any, metadata: Any = ()) -> str:
    if any(item in get_args(Duration) for item in metadata):
        return "duration"
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0], inner[1:])
    if origin is Literal:
        return " or ".join(code(f'"{value}"') for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(kind) for kind in inner if kind is not type(None))
    if origin is tuple:
        each = _kind(inner[0])
        return f"list of {each}" + ("" if each.startswith("`") else "s")
    if origin is dict:
        return f"table of {_kind(inner[1])}s"
    return KINDS.get(annotation, annotation.__name__)


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else field.default_factory()
    if value in (None, "", {}) or value == ():
        return "none"
    if isinstance(value, dict):
        return code("{ " + ", ".join(f'{key} = "{written(item)}"' for key, item in value.items()) + " }")
    if isinstance(value, tuple):
        return code("[" + ", ".join(f'"{item}"' for item in value) + "]")
    if any(item in get_args(Duration) for item in field.metadata):
        return code(f'"{written(value)}"')
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(f'"{value}"' if isinstance(value, str) else number(value))
