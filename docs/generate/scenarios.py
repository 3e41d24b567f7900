"""What a scenario.toml may hold, every fault kind, and the simulator's own command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from gizzi.sim import scenario
from gizzi.sim.__main__ import _parser
from gizzi.sim.faults import KINDS, Kind, Parameter

from .markdown import code, codes, meaning_of, number, page, table

INTRO = """
A scenario is a folder with a `scenario.toml`: a simulated fleet, what happens to it and when, and what must come of it.
`gizzi scenario run DIR...` plays it in simulated time through the same sources, rules and loop that watch a live fleet;
[Write and record a scenario](../how-to/scenarios.md) shows how. The repository's own are in [scenarios/](../../scenarios).

```toml scenario.toml
title = "One validator loses its peers"
validators = 21
duration_s = 600

[[faults]]
at_s = 60
validators = [6]
kind = "peers_drop"
peers = 1
clears_on = 300

[expect]
incidents = [{ rule = "peers_low", validators = [6], opened_within_s = 30, resolved = true }]
max_incidents = 1
decision = "restart"
```
"""
FAULTS_INTRO = """
Each `[[faults]]` has:

| key | means |
|---|---|
| `kind` | one of the kinds below |
| `at_s` | when it begins, in seconds |
| `validators` | a list of numbers, or `"all"`; may be left out for a kind that happens to a whole chain |
| `chain` | for a kind that happens to a whole chain: which one |
| `clears_on` | `"restart"`, `"never"` (the default), or the seconds after which it ends by itself |

and the parameters of its kind.
"""
RESULTS = """
`gizzi scenario run --json` prints one object a line, one a scenario:

| field | means |
|---|---|
| `scenario` | the folder's name |
| `passed`, `failures` | whether everything expected came true; what did not, in words |
| `incidents` | each an [Incident](objects.md#incident), and `opened_s` and `resolved_s` |
| `notifications` | how many messages the person on call would have had |
| `actions` | what was proposed, each an [Action](objects.md#action); `outcome` is null where it was not carried out |
| `violations` | what was carried out although the policy does not allow it on what was true, and no person approved; always a failure |
| `cost_usd` | what the models cost |
| `simulated_s`, `wall_s` | how long it lasted, in simulated and in real seconds |

`opened_s` and `resolved_s` are simulated seconds since the first fault that names one of the incident's validators, null where none does.
"""
SERVER = """
`python -m gizzi.sim` serves such a fleet on loopback in real time, until Ctrl-C: each validator has a metrics page and a JSON-RPC port.
"""
CONTROL = """
It prints where faults are injected. A fault is the JSON of a `[[faults]]` entry; without `at_s` it begins at once.

| request | does |
|---|---|
| `POST /faults` | injects a fault; answers it with its `id` |
| `GET /faults` | lists those injected |
| `DELETE /faults`, `DELETE /faults/ID` | ends all of them, or one |
| `POST /validators/N/restart`, `/start`, `/stop` | does that to a validator |
| `GET /validators/N` | the truth about a validator |
"""
TABLES: dict[str, type[BaseModel]] = {
    "The file": scenario._File,
    "[[chains]]": scenario._ChainTable,
    "[expect]": scenario.Expect,
    "expect.incidents": scenario.ExpectedIncident,
    "expect.actions": scenario.ExpectedAction,
    "expect.never": scenario.ForbiddenAction,
    "[[replies]]": scenario.Reply,
    "[[people]]": scenario.Person,
}
MEANINGS = {
    "The file": {
        "title": "what it is about, in one line; the folder's name where none is given",
        "seed": "the same seed gives the same fleet and the same chance",
        "validators": "how many validators are watched; they are numbered from 1",
        "authorities": "how many vote on the chain, those included; as many as there are validators where none is given",
        "block_time_s": "seconds between blocks",
        "duration_s": "how long it lasts",
        "policy": "any key of gizzi.toml's [\\[policy\\]](configuration.md#policy)",
        "chains": "several chains instead of one",
        "faults": "what happens",
        "replies": "what scripted models say, each tier's in order; with none left no model of it is reachable",
        "people": "what people do meanwhile",
        "expect": "what must come of it",
    },
    "[[chains]]": {
        "id": "its id",
        "parent": "the relay chain of a side chain",
        "block_time_s": "seconds between blocks; the file's where none is given",
        "validators": "numbers of its validators; one chain may leave it out and takes the rest",
        "authorities": "how many vote on it",
    },
    "[expect]": {
        "incidents": "each must be there; others may be",
        "max_incidents": "no more incidents than this, of any kind",
        "actions": "each must have been carried out; others may have been",
        "never": "none of these may have been carried out",
        "decision": "the decision of the first incident opened",
        "max_notifications": "no more messages than this to the person on call",
    },
    "expect.incidents": {
        "rule": "the incident's rule, or that of an alert that joined it",
        "validators": "exactly these; any where none are given",
        "opened_within_s": "counted from the first fault that names one of its validators",
        "resolved": "true: over at the end; false: still open",
    },
    "expect.actions": {"action": "such as restart", "validator": "its number", "verdict": "what verification found"},
    "expect.never": {"action": "such as restart", "validator": "its number; any where none is given"},
    "[[replies]]": {"tier": "the tier that says it", "text": "what it says"},
    "[[people]]": {
        "at_s": "when, in seconds",
        "does": "says that somebody works on a validator, answers the next approval, or stops and resumes the guard",
        "validator": "which one; all, or whichever is asked for first, where none is given",
        "for_s": "how long the maintenance lasts",
    },
}


def scenarios_page() -> str:
    tables = [f"## {title}\n\n" + table(["key", "type", "default", "means"], _keys(title, model)) for title, model in TABLES.items()]
    kinds = table(["kind", "what happens", "parameters", "happens to"], map(_kind, KINDS.values()))
    ends = f"`clears_on` counts for nothing with {codes(kind.name for kind in KINDS.values() if kind.brief)}: they end by themselves."
    options = table(["option", "means"], simulator_options())
    return page(
        "Scenarios and the simulator",
        INTRO,
        *tables[:2],
        "## [[faults]]\n\n" + FAULTS_INTRO.strip() + "\n\n" + kinds + "\n\n" + ends,
        *tables[2:],
        "## Results\n\n" + RESULTS.strip(),
        "## The simulator\n\n" + SERVER.strip() + "\n\n" + options + "\n\n" + CONTROL.strip(),
    )


def simulator_options() -> Iterator[tuple[str, str]]:
    for option in _parser()._actions:
        if not isinstance(option, argparse._HelpAction):
            yield code(f"{option.option_strings[-1]} {option.metavar or ''}".strip()), option.help or ""


def keys_of(title: str) -> Iterator[str]:
    """The keys of one table of the file."""
    yield from TABLES[title].model_fields


def _keys(title: str, model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    for name in keys_of(title):
        field = model.model_fields[name]
        default = "required" if field.is_required() else _default(field.default)
        meaning = meaning_of(name, MEANINGS[title], f"docs/generate/scenarios.py, MEANINGS[{title!r}]")
        yield code(name), _type(field.annotation), default, meaning


def _default(value: Any) -> str:
    if value is None or value == "" or value == [] or isinstance(value, BaseModel):
        return "none"
    return code(number(value))


def _type(annotation: Any) -> str:
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    if get_origin(annotation) is Literal:
        return " or ".join(code(f'"{kind}"') for kind in kinds)
    if get_origin(annotation) is list:
        return f"list of {_type(kinds[0])}s"
    if kinds and get_origin(annotation) is not dict:
        return " or ".join(map(_type, kinds))
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(annotation, "table")


def _kind(kind: Kind) -> tuple[str, str, str, str]:
    parameters = "; ".join(map(_parameter, kind.parameters, kind.parameters.values()))
    return f'<a id="{kind.name}"></a>{code(kind.name)}', kind.meaning, parameters, "a chain" if kind.of_chain else "validators"


def _parameter(name: str, about: Parameter) -> str:
    words = [] if about.default is None else [f"{number(about.default)} by default"]
    words += ["may be left out"] if about.optional else []
    words += ["whole"] if about.whole else []
    words += [f"at most {number(about.most)}"] if about.most < 1e15 else []
    return code(name) + (f" ({', '.join(words)})" if words else "")
