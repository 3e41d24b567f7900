"""What a model said becomes a decision, or a reason why not. Pure, and written for an adversary: no word of it is believed.

What is not asked for (a claimed approval, a permission, a risk score) is left out; nothing downstream can see it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from gizzi.alerts.incident import Decision, DecisionAction, Incident
from gizzi.engine.decide.evidence import Evidence
from gizzi.readers.text import one_line

LONGEST_REPLY = 32_768
"""Characters. A decision has a few hundred."""
LONGEST_REASONING = 1500
LONGEST_QUOTE = 500
MOST_CITATIONS = 24
MOST_BRACES = 64
"""Places in a text where an object may begin: each is tried, and trying costs time."""
LONGEST_DOWNTIME_MIN = 7 * 24 * 60
ACTIONS: tuple[DecisionAction, ...] = get_args(DecisionAction)
_TARGETS = ("validator", "validators", "target")


@dataclass(frozen=True, slots=True)
class Refused:
    """In words that follow "the answer"."""

    reason: str


class Wrong(ValueError):
    """The answer is not one; the text follows "the answer"."""


def parse(said: str | Mapping[str, Any], incident: Incident, tier: str, model: str) -> Decision | Refused:
    """The one decision in it. Its citations are still unchecked: `checked` comes next."""
    try:
        return _decision(said if isinstance(said, Mapping) else _object(said), incident, tier, model)
    except Wrong as wrong:
        return Refused(str(wrong))


def checked(decision: Decision, evidence: Evidence, incident: Incident) -> tuple[Decision, str | None]:
    """The decision if every citation of it holds, word for word; otherwise to investigate, and why."""
    false = [(name, quote) for name, quote in decision.evidence if not evidence.holds(name, quote)]
    about = {name.partition("/")[0] for name, _ in decision.evidence}
    doubt = None
    if false:
        name, quote = false[0]
        doubt = f"it cites {one_line(name, 60)} with words that were not observed there: {one_line(quote, 80)!r}"
    elif not decision.evidence:
        doubt = "it cites no observation"
    elif decision.action == "restart" and len(incident.validators) != 1:
        doubt = f"it would restart one of {len(incident.validators)} validators without a way to say which"
    elif decision.action == "restart" and str(incident.validators[0]) not in about:
        doubt = f"it would restart validator {incident.validators[0]} on what was observed of others"
    if doubt is None:
        return decision, None
    kept = tuple(item for item in decision.evidence if item not in false)
    reasoning = f"{decision.action.capitalize()} was proposed, but {doubt}. What was said: {decision.reasoning}"
    return replace(decision, action="investigate", reasoning=reasoning, evidence=kept, escalate_to=None, estimated_downtime_min=None), doubt


def _object(text: str) -> Mapping[str, Any]:
    if not text.strip():
        raise Wrong("is empty")
    if len(text) > LONGEST_REPLY:
        raise Wrong(f"has {len(text):,} characters; at most {LONGEST_REPLY:,} are read")
    found = [item for item in objects(text) if "action" in item or "actions" in item]
    if not found:
        raise Wrong("holds no JSON object with an action")
    if len(found) > 1:
        raise Wrong(f"holds {len(found)} decisions; exactly one is wanted")
    return found[0]


def objects(text: str) -> Iterator[Mapping[str, Any]]:
    """Every outermost JSON object in a text. Raises Wrong."""
    decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)
    at = tried = 0
    while (at := text.find("{", at)) >= 0:
        tried += 1
        if tried > MOST_BRACES:
            raise Wrong("is full of braces; one JSON object is wanted")
        try:
            item, at = decoder.raw_decode(text, at)
        except Wrong:
            raise
        except RecursionError:
            raise Wrong("is nested too deeply") from None
        except ValueError:
            at += 1
            continue
        yield item


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    item = dict(pairs)
    if len(item) < len(pairs) and "action" in item:
        raise Wrong("gives one key twice")
    return item


def _constant(name: str) -> Any:
    raise Wrong(f"holds {name}, which is no number")


def _decision(said: Mapping[str, Any], incident: Incident, tier: str, model: str) -> Decision:
    action = _action(said)
    _only_of(incident, said)
    return Decision(
        action=action,
        reasoning=_text(said, "reasoning", LONGEST_REASONING),
        confidence=_number(said, "confidence", 1.0),
        evidence=_citations(said.get("evidence")),
        estimated_downtime_min=_downtime(said) if action == "restart" else None,
        escalate_to=_escalate_to(said) if action == "escalate" else None,
        tier=tier,
        model=model,
    )


def _action(said: Mapping[str, Any]) -> DecisionAction:
    if "actions" in said:
        raise Wrong("gives several actions; exactly one is wanted")
    word = said.get("action")
    if not isinstance(word, str):
        raise Wrong("gives no action, or more than one" if word is not None else "gives no action")
    found = next((action for action in ACTIONS if action == word.strip().lower()), None)
    if found is None:
        raise Wrong(f"names the action {one_line(word, 40)!r}, which there is not; there are {', '.join(ACTIONS)}")
    return found


def _only_of(incident: Incident, said: Mapping[str, Any]) -> None:
    """A validator that it names must be one of the incident's."""
    for key in _TARGETS:
        named = said.get(key)
        for item in named if isinstance(named, list) else [] if named is None else [named]:
            words = item.strip().lower() if isinstance(item, str) else ""
            match = re.fullmatch(r"(?:validator[ /-]?)?([0-9]{1,10})", words)
            number = int(match[1]) if match else item
            if type(number) is not int or number not in incident.validators:
                raise Wrong(f"names validator {_shown(item)}, which is not in the incident")


def _text(said: Mapping[str, Any], key: str, longest: int) -> str:
    value = said.get(key)
    if not isinstance(value, str) or not (shown := one_line(value, longest)):
        raise Wrong(f"gives no {key}")
    return shown


def _number(said: Mapping[str, Any], key: str, most: float) -> float:
    value = said.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or not math.isfinite(value):
        raise Wrong(f"gives as {key} {_shown(value)}, which is no number from 0 to {most:g}")
    return float(value)


def _shown(value: Any) -> str:
    """Of something that may be anything."""
    return repr(one_line(value, 40)) if isinstance(value, str) else str(value) if isinstance(value, float) else f"a {type(value).__name__}"


def _downtime(said: Mapping[str, Any]) -> float | None:
    return None if said.get("estimated_downtime_min") is None else _number(said, "estimated_downtime_min", LONGEST_DOWNTIME_MIN)


def _escalate_to(said: Mapping[str, Any]) -> str:
    whom = said.get("escalate_to")
    return (one_line(whom, 80) if isinstance(whom, str) else "") or "the operator on call"


def _citations(items: Any) -> tuple[tuple[str, str], ...]:
    if items is None:
        return ()
    if not isinstance(items, list) or len(items) > MOST_CITATIONS:
        raise Wrong(f"gives as evidence something else than at most {MOST_CITATIONS} citations")
    return tuple(dict.fromkeys(map(_citation, items)))


def _citation(item: Any) -> tuple[str, str]:
    observation, quote = (item.get("observation"), item.get("quote")) if isinstance(item, Mapping) else (None, None)
    if isinstance(quote, int | float) and not isinstance(quote, bool):
        quote = str(quote)
    if not isinstance(observation, str) or not isinstance(quote, str) or len(observation) > 120 or len(quote) > LONGEST_QUOTE:
        raise Wrong('gives evidence that is not {"observation": id, "quote": words copied from it}')
    return observation.strip(), quote
