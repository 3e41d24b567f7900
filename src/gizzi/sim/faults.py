"""Every fault a scenario can inject, as data, and one injected fault."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from gizzi.config import nearest
from gizzi.errors import ConfigError

ClearsOn = Literal["restart", "never"] | float
"""A restart of the validator ends it, nothing does, or it ends by itself after so many seconds."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number a kind takes. default: None where the scenario must give it."""

    default: float | None = None
    least: float = 0.0
    most: float = 1e15
    whole: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. of_chain: it happens to a whole chain. brief: it ends by itself, whatever `clears_on` says."""

    name: str
    meaning: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    of_chain: bool = False
    brief: bool = False


_KINDS = (
    Kind("node_down", "the process ended, its database closed cleanly"),
    Kind("unclean_stop", "the process was killed with its database open"),
    Kind("rpc_down", "the RPC port refuses connections"),
    Kind("metrics_down", "the metrics port refuses connections"),
    Kind("hang", "connections are accepted and never answered; the host can be read"),
    Kind("garbage", "page and RPC answer something that is neither metrics nor JSON"),
    Kind("slow", "each answer takes `delay_s`", {"delay_s": Parameter(least=0.001, most=3600)}),
    Kind("lost_scrapes", "each request is lost with probability `rate`", {"rate": Parameter(most=1)}),
    Kind("peers_drop", "it has `peers` peers", {"peers": Parameter(whole=True, most=100_000)}),
    Kind(
        "peers_fall",
        "it loses `per_min` peers a minute, down to `least`",
        {"per_min": Parameter(least=0.01, most=1000), "least": Parameter(0.0, whole=True, most=100_000)},
    ),
    Kind("best_stall", "its best block stands still"),
    Kind("finality_stall", "its finalized block stands still, the chain's goes on"),
    Kind("lag", "its finalized block falls behind, to `blocks` below the best", {"blocks": Parameter(whole=True, least=1)}),
    Kind("fork", "it follows another chain from this height on"),
    Kind("not_voting", "in the active set, but it casts no GRANDPA votes"),
    Kind("para_silent", "blocks authored, but no parachain votes"),
    Kind("syncing", "it imports slowly and calls itself syncing"),
    Kind("tx_queue", "`size` transactions wait in its pool", {"size": Parameter(whole=True)}),
    Kind("disk_fill", "its disk loses `bytes_per_s`", {"bytes_per_s": Parameter(least=1)}),
    Kind("restart_loop", "restarts do not help", {"peers": Parameter(whole=True, most=100_000, optional=True)}),
    Kind("db_lost", "it starts anew from an empty database"),
    Kind("twin", "a second signer with the same keys runs elsewhere"),
    Kind("chain_finality_stall", "finality of the whole chain stands still", of_chain=True),
    Kind("session_change", "a new session begins: the authority set's number rises", of_chain=True, brief=True),
    Kind("slot_gap", "the whole chain pauses for `for_s`", {"for_s": Parameter(least=0.1)}, of_chain=True, brief=True),
    Kind(
        "rolling_restart",
        "a person restarts one after the other, each away for `away_s`, a new one every `every_s` (4 s after the last is back)",
        {"away_s": Parameter(8.0, least=0.1), "every_s": Parameter(least=0.1, optional=True)},
        brief=True,
    ),
)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})

DOWN = frozenset({"node_down", "unclean_stop"})
"""Kinds during which the process does not run."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault. at_s: seconds since the simulation began. validators: None means all. names_nobody: its chain was meant."""

    kind: str
    at_s: float
    validators: tuple[int, ...] | None = None
    clears_on: ClearsOn = "never"
    chain: str | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    names_nobody: bool = False

    def __getitem__(self, parameter: str) -> float:
        return self.parameters[parameter]

    @property
    def ends_after_s(self) -> float | None:
        """Seconds after which it ends by itself; None where only a restart, or nothing, ends it."""
        return self.clears_on if isinstance(self.clears_on, float) else None


def read_fault(raw: Any, place: str, numbers: Collection[int], chains: Collection[str], *, at_s: float | None = None) -> Fault:
    """Turn one `[[faults]]` entry into a Fault. place: what an error calls it, such as "scenario.toml: [[faults]] #2".

    at_s: when it begins where the entry does not say; None makes that an error. Raises ConfigError.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{place} is not a table")
    kind = _kind(raw, place)
    known = ["at_s", "validators", "kind", "clears_on", *(["chain"] if kind.of_chain else []), *kind.parameters]
    for key in raw:
        if key not in known:
            raise ConfigError(f"{place}: {kind.name} has no key {key!r}{_nearest(key, known)}")
    begins_s = raw.get("at_s", at_s)
    if begins_s is None:
        raise ConfigError(f"{place}: at_s is missing: when does it begin, in seconds?")
    return Fault(
        kind=kind.name,
        at_s=_number(begins_s, f"{place}: at_s", Parameter()),
        validators=_validators(raw, kind, place, numbers),
        clears_on=_clears_on(raw.get("clears_on", "never"), place),
        chain=_chain(raw.get("chain"), place, chains),
        parameters=MappingProxyType(_parameters(raw, kind, place)),
        names_nobody=kind.of_chain and "validators" not in raw,
    )


def _kind(raw: Mapping[str, Any], place: str) -> Kind:
    name = raw.get("kind")
    if name is None:
        raise ConfigError(f"{place}: kind is missing")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ConfigError(f"{place}: there is no fault kind {name!r}{_nearest(str(name), list(KINDS))}")
    return kind


def _parameters(raw: Mapping[str, Any], kind: Kind, place: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, parameter in kind.parameters.items():
        given = raw.get(name, parameter.default)
        if given is not None:
            values[name] = _number(given, f"{place}: {name}", parameter)
        elif not parameter.optional:
            raise ConfigError(f"{place}: {kind.name} needs {name}")
    return values


def _number(value: Any, what: str, parameter: Parameter) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not parameter.least <= value <= parameter.most:
        upper = f" to {parameter.most:g}" if parameter.most < 1e15 else " or more"
        raise ConfigError(f"{what} is {value!r}; it must be a number, {parameter.least:g}{upper}")
    if parameter.whole and value != int(value):
        raise ConfigError(f"{what} is {value!r}; it must be a whole number")
    return int(value) if parameter.whole else float(value)


def _validators(raw: Mapping[str, Any], kind: Kind, place: str, numbers: Collection[int]) -> tuple[int, ...] | None:
    value = raw.get("validators")
    if value == "all" or (value is None and (kind.of_chain or kind.name == "rolling_restart")):
        return None
    if value is None:
        raise ConfigError(f'{place}: validators is missing; write [6] or "all"')
    if not isinstance(value, list | tuple) or not value or not all(isinstance(n, int) and not isinstance(n, bool) for n in value):
        raise ConfigError(f'{place}: validators is {value!r}; it must be a list of numbers such as [6], or "all"')
    unknown = [n for n in value if n not in numbers]
    if unknown:
        raise ConfigError(f"{place}: there is no validator {unknown[0]}; there are {min(numbers)} to {max(numbers)}")
    return tuple(sorted(set(value)))


def _clears_on(value: Any, place: str) -> ClearsOn:
    if value == "restart" or value == "never":
        return "restart" if value == "restart" else "never"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ConfigError(f'{place}: clears_on is {value!r}; it must be "restart", "never" or a number of seconds')
    return float(value)


def _chain(value: Any, place: str, chains: Collection[str]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in chains:
        raise ConfigError(f"{place}: there is no chain {value!r}{_nearest(str(value), list(chains))}")
    return value


def _nearest(word: str, known: list[str]) -> str:
    hint = nearest(word, known)
    if hint or not known:
        return hint
    return f"; the nearest is {difflib.get_close_matches(word, known, n=1, cutoff=0.0)[0]!r}"
