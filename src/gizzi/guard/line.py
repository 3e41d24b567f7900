"""The guard on JSON lines: what `gizzi guard check` answers to one of them.

A key that is absent or null is unknown, and what is unknown asks. A value of the wrong kind (a number as text, NaN, a negative count, a key
said twice) is malformed, and what is malformed is denied. Keys that are not named here change nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gizzi.guard.permit import HARMLESS, UNKNOWN, permit
from gizzi.guard.situation import Answer, Limits, Proposal, Situation

LONGEST_LINE_BYTES = 1_000_000
MOST_AUTHORITIES = 100_000
HIGHEST_NUMBER = 2**31 - 1
BUILT_IN = frozenset({"restart", "start", "stop", "upgrade"})
"""The actions that write and come with Gizzi; no plugin is loaded to answer a line."""
_KEYS = frozenset({"authorities", "missing", "in_flight", "recent_restarts", "mode", "policy", "proposal", "facts"})
_POLICY = frozenset({"reserve", "cooldown_s"})
_PROPOSAL = frozenset({"action", "validator"})
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")


class Malformed(ValueError):
    """The text says which key, and what it should be."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A JSON object: its values, and the keys that it has more than once."""

    values: Mapping[str, Any]
    twice: frozenset[str]


def answer_line(line: str | bytes) -> dict[str, Any]:
    """`{"permission", "reasons"}` for one line. Never raises: a malformed line is denied."""
    try:
        answer = _answer(_parsed(line))
    except Malformed as error:
        answer = Answer("deny", (f"malformed: {error}",))
    return {"permission": answer.permission, "reasons": list(answer.reasons)}


def _answer(said: _Said) -> Answer:
    proposal = _proposal(_object(said, "proposal", _PROPOSAL))
    if proposal.action in HARMLESS:
        return permit(proposal, _NOTHING_KNOWN, Limits())
    _once_each(said, _KEYS, "the line")
    facts, policy = _object(said, "facts", frozenset(UNKNOWN)), _object(said, "policy", _POLICY)
    situation = Situation(
        authorities=_whole(said.values.get("authorities"), "authorities", 1, MOST_AUTHORITIES),
        missing=_set(said.values.get("missing"), "missing", ids=True),
        in_flight=_set(said.values.get("in_flight"), "in_flight"),
        rejoin_awaited=frozenset(),
        recent_restarts=_restarts(said),
        attempts_today=0,
        facts={name: _fact(facts.get(name), name) for name in UNKNOWN},
        actions=BUILT_IN,
    )
    reserve = _whole(policy.get("reserve"), "policy.reserve", 0, MOST_AUTHORITIES)
    cooldown_s = _seconds(policy.get("cooldown_s"), "policy.cooldown_s")
    given = {"reserve": reserve, "cooldown_s": cooldown_s}
    limits = Limits(mode=_mode(said.values.get("mode")), **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    unknown = [name for name, value in given.items() if value is None]
    return _asking(permit(proposal, situation, limits), unknown if proposal.action in BUILT_IN else [])


_NOTHING_KNOWN = Situation(
    authorities=None,
    missing=None,
    in_flight=None,
    rejoin_awaited=frozenset(),
    recent_restarts=None,
    attempts_today=0,
    facts={},
    actions=BUILT_IN,
)


def _asking(answer: Answer, unknown: list[str]) -> Answer:
    """The same, but never allow while a limit is unknown."""
    if not unknown:
        return answer
    more = tuple(f"the policy's {name} is unknown" for name in unknown)
    if answer.permission == "allow":
        return Answer("ask", more)
    return Answer(answer.permission, (*answer.reasons, *more))


def _parsed(line: str | bytes) -> _Said:
    if len(line) > LONGEST_LINE_BYTES:
        raise Malformed(f"the line is longer than {LONGEST_LINE_BYTES:,} bytes")
    try:
        said = json.loads(line.decode("utf-8") if isinstance(line, bytes) else line, object_pairs_hook=_pairs, parse_constant=_constant)
    except UnicodeDecodeError:
        raise Malformed("the line is not UTF-8") from None
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("the line is not JSON") from None
    if not isinstance(said, _Said):
        raise Malformed("the line is not an object")
    return said


def _pairs(pairs: list[tuple[str, Any]]) -> _Said:
    values = dict(pairs)
    if len(values) == len(pairs):
        return _Said(values, frozenset())
    seen: set[str] = set()
    return _Said(values, frozenset(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]


def _constant(name: str) -> float:
    return math.nan


def _once_each(said: _Said, keys: frozenset[str], where: str) -> None:
    for key in sorted(said.twice & keys):
        raise Malformed(f"{where} has {key} twice")


def _object(said: _Said, key: str, keys: frozenset[str]) -> Mapping[str, Any]:
    _once_each(said, frozenset({key}), "the line")
    value = said.values.get(key)
    if value is None:
        return {}
    if not isinstance(value, _Said):
        raise Malformed(f"{key} must be an object")
    _once_each(value, keys, key)
    return value.values


def _proposal(given: Mapping[str, Any]) -> Proposal:
    action = given.get("action")
    if not isinstance(action, str) or not action:
        raise Malformed("proposal.action must be the name of an action")
    return Proposal(action, None if action in HARMLESS else _whole(given.get("validator"), "proposal.validator", 0, HIGHEST_NUMBER))


def _whole(value: Any, key: str, least: int, most: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Malformed(f"{key} must be a whole number from {least} to {most}")
    return value


def _seconds(value: Any, key: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise Malformed(f"{key} must be a number of seconds, 0 or more")
    return min(value, 1e15)


def _set(value: Any, key: str, *, ids: bool = False) -> frozenset[Any] | None:
    """Validator numbers, and with `ids` also ids of authorities. One that is named twice counts once."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise Malformed(f"{key} must be a list")
    return frozenset(item if ids and isinstance(item, str) and item else _member(item, key) for item in value)


def _member(item: Any, key: str) -> int:
    number = _whole(item, f"each of {key}", 0, HIGHEST_NUMBER)
    if number is None:
        raise Malformed(f"each of {key} must be a number, not null")
    return number


def _restarts(said: _Said) -> Mapping[int, float] | None:
    value = said.values.get("recent_restarts")
    if value is None:
        return None
    if not isinstance(value, _Said) or value.twice:
        raise Malformed("recent_restarts must be an object with each validator once")
    found: dict[int, float] = {}
    for name, since in value.values.items():
        since_s = _seconds(since, f"recent_restarts of {name[:20]!r}")
        if since_s is None or not _NUMBER.fullmatch(name):
            raise Malformed(f"recent_restarts {name[:20]!r} must be a validator's number with the seconds since then")
        found[int(name)] = since_s
    return found


def _fact(value: Any, name: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise Malformed(f"facts.{name} must be true, false or null")
    return value


def _mode(value: Any) -> Literal["suggest", "auto"]:
    """Nothing said is suggest."""
    if value == "auto":
        return "auto"
    if value is None or value == "suggest":
        return "suggest"
    raise Malformed('mode must be "suggest" or "auto"')
