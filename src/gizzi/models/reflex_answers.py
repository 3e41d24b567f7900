"""Tier 0: questions about the fleet that live status answers in words, without a model and at no cost.

Only a question whose every word is understood is answered here; anything else is None and goes on to a model. What was not observed is said
to be unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Status = Mapping[str, Any]
LAGGING_BLOCKS = 20
NAMED = 12
LONGEST_QUESTION = 200

_ONE = r"(?:the )?(?:validator|node)(?: number| no\.?)? ?#?(?P<number>\d{1,9})"
_ALL = r"(?:the |my |our |all |all the )?(?:validators?|nodes?)"
_STATE = r"(?P<state>healthy|ok|okay|fine|up|online|down|offline|syncing|lagging|behind|critical|unhealthy|unknown)"
_QUESTIONS: tuple[tuple[str, str], ...] = (
    ("one", rf"is {_ONE} (?:still )?{_STATE}"),
    ("describe", rf"how is {_ONE}(?: doing)?"),
    ("describe", rf"(?:what is the )?(?:status|health|state) of {_ONE}"),
    ("peers", rf"how many peers does {_ONE} have"),
    ("peers", rf"how many peers has {_ONE}(?: got)?"),
    ("count", rf"how many(?:(?: of)? {_ALL})? are {_STATE}"),
    ("which", rf"(?:which|what)(?: of)? {_ALL} (?:are|is) {_STATE}"),
    ("which", rf"(?:which|what)(?: of)? {_ALL} (?:lags?|(?:are|is) lagging behind)"),
    ("all", rf"(?:are|is) (?:all|everything|all of them|every validator|all (?:the )?(?:validators|nodes)) {_STATE}"),
)
_PATTERNS = tuple(
    (kind, re.compile(rf"(?:please )?{pattern}(?: now| right now| currently| at the moment)?(?: please)?")) for kind, pattern in _QUESTIONS
)
_SAME = {"ok": "healthy", "okay": "healthy", "fine": "healthy", "online": "up", "offline": "down", "behind": "lagging"}


@dataclass(frozen=True, slots=True)
class Question:
    kind: str
    state: str = ""
    number: int | None = None


def understand(text: str) -> Question | None:
    """None where any word of it is not understood."""
    if len(text) > LONGEST_QUESTION:
        return None
    words = " ".join(text.lower().replace("?", " ").rstrip(" .!").split())
    for kind, pattern in _PATTERNS:
        match = pattern.fullmatch(words)
        if match:
            found = match.groupdict()
            state = found.get("state", "lagging" if kind == "which" else "")
            return Question(kind, _SAME.get(state, state), int(found["number"]) if found.get("number") else None)
    return None


def answer(question: Question, statuses: Sequence[Status]) -> str | None:
    """In words; None where these statuses do not hold it (no such validator, no fleet)."""
    if not statuses:
        return None
    if question.kind in ("one", "describe", "peers"):
        status = next((status for status in statuses if status["number"] == question.number), None)
        if status is None:
            return f"There is no validator {question.number}; {_plural(len(statuses), 'validator')} are watched."
        return _peers(status) if question.kind == "peers" else _one(question, status)
    holds = _TESTS[question.state]
    yes = [status for status in statuses if holds(status) is True]
    unsure = [status for status in statuses if holds(status) is None]
    if question.kind == "all":
        return _all(question.state, statuses, yes, unsure)
    text = f"{len(yes)} of {_plural(len(statuses), 'validator')} {'is' if len(yes) == 1 else 'are'} {question.state}"
    listed = question.kind == "which" or 0 < len(yes) <= 3 < len(statuses)
    if yes and listed:
        text += f": {_names(yes, question.state)}"
    return f"{text}.{_unsure(unsure, question.state)}"


def _one(question: Question, status: Status) -> str:
    if question.kind == "describe":
        return _describe(status)
    holds = _TESTS[question.state](status)
    if holds is None:
        return f"Unknown: {_describe(status)}"
    return f"{'Yes' if holds else 'No'}: {_describe(status)}"


def _describe(status: Status) -> str:
    facts = []
    if status["up"] is False:
        facts.append("it does not answer")
    if status["peers"] is not None:
        facts.append(_plural(status["peers"], "peer"))
    if status["block_height"] is not None:
        facts.append(f"block {status['block_height']:,}")
    if status["finalization_lag"] is not None:
        facts.append(f"{_plural(status['finalization_lag'], 'block')} not yet finalized")
    if status["syncing"]:
        facts.append("it is syncing")
    reasons = [str(reason) for reason in status["reasons"][:3]]
    seen = f" ({', '.join(facts)})" if facts else ""
    why = f": {'; '.join(reasons)}" if reasons else ""
    when = f" Seen at {status['observed_at']}." if status.get("observed_at") else ""
    return f"validator {status['number']} is {status['health']}{seen}{why}.{when}"


def _peers(status: Status) -> str:
    if status["peers"] is None:
        return f"Unknown: the peers of validator {status['number']} have not been seen."
    return f"Validator {status['number']} has {_plural(status['peers'], 'peer')}."


def _all(state: str, statuses: Sequence[Status], yes: Sequence[Status], unsure: Sequence[Status]) -> str:
    no = [status for status in statuses if status not in yes and status not in unsure]
    if no:
        count = f"{_plural(len(no), 'validator')} of {len(statuses)} {'is' if len(no) == 1 else 'are'} not {state}"
        return f"No: {count}: {_names(no, state)}.{_unsure(unsure, state)}"
    if unsure:
        return f"Unknown:{_unsure(unsure, state)}"
    return f"Yes: {f'all {len(statuses)} validators are' if len(statuses) > 1 else 'the one validator is'} {state}."


def _names(found: Sequence[Status], state: str) -> str:
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(_name(status, state) for status in found[:NAMED]) + more


def _name(status: Status, state: str) -> str:
    lag = status["finalization_lag"]
    return f"{status['number']} ({_plural(lag, 'block')})" if state == "lagging" and lag is not None else str(status["number"])


def _unsure(unsure: Sequence[Status], state: str) -> str:
    if not unsure or state == "unknown":
        return ""
    return f" Of {_plural(len(unsure), 'validator')} that is unknown: {_names(unsure, '')}."


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _healthy(status: Status) -> bool | None:
    return None if status["health"] == "unknown" else status["health"] == "healthy"


def _lagging(status: Status) -> bool | None:
    lag = status["finalization_lag"]
    return None if lag is None else lag > LAGGING_BLOCKS


def _not(test: Callable[[Status], bool | None]) -> Callable[[Status], bool | None]:
    return lambda status: None if (found := test(status)) is None else not found


def _up(status: Status) -> bool | None:
    up: bool | None = status["up"]
    return up


def _syncing(status: Status) -> bool | None:
    syncing: bool | None = status["syncing"]
    return syncing


def _critical(status: Status) -> bool | None:
    return None if status["health"] == "unknown" else status["health"] == "critical"


def holds(state: str, status: Status) -> bool | None:
    """Whether a validator is healthy, unhealthy, critical, unknown, up, down, syncing or lagging; None where nobody knows."""
    return _TESTS[state](status)


_TESTS: dict[str, Callable[[Status], bool | None]] = {
    "healthy": _healthy,
    "unhealthy": _not(_healthy),
    "critical": _critical,
    "unknown": lambda status: status["health"] == "unknown",
    "up": _up,
    "down": _not(_up),
    "syncing": _syncing,
    "lagging": _lagging,
}
