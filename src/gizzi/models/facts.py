"""What in a model's answer live status contradicts. Pure.

Only plain claims in the present are read ("validator 6 is healthy", "validator 6 has 30 peers"): to miss a wrong answer costs less than to
call a right one wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gizzi.models.reflex_answers import holds

READ_CHARS = 8000
PEERS_APART = 2
"""Peers come and go; so many more or fewer are no contradiction."""
_SENTENCE = re.compile(r"[.!?;:](?=\s|$)|\n")
_HEDGE = re.compile(
    r"n't\b|\b(not?|never|cannot|neither|nor|if|unless|whether|should|would|could|can|may|might|must|will|was|were|been|had|until|once|when"
    r"|least|most|fewer|less|more|than|below|above|under|over|minimum|maximum|needs?|require\w*|normal\w*|usual\w*|typical\w*|expect\w*"
    r"|from|earlier|ago|previous\w*|example|suppose|unknown|unclear)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\b(validator|node)(?: number)? ?[#-]?(\d{1,9})\b", re.IGNORECASE)
_STATE = re.compile(
    r"\b(?:validator|node)(?: number)? ?[#-]?\d{1,9},? (?:is|seems|looks|appears)(?: (?:currently|now|still|completely|fully))?"
    r" (healthy|unhealthy|online|offline|up|down|syncing)\b(?! (?:to|from|by|for)\b)",
    re.IGNORECASE,
)
_PEERS = re.compile(r"\b(\d{1,6}) (?:connected )?peers?\b", re.IGNORECASE)
_SAME = {"online": "up", "offline": "down"}


def contradiction(question: str, response: str, statuses: Sequence[Mapping[str, Any]]) -> str | None:
    """In a few words; None where there is none, or no status to compare with."""
    by_number = {status["number"]: status for status in statuses}
    if not by_number:
        return None
    asked = {int(number) for number in re.findall(r"\d{1,9}", question[:READ_CHARS])}
    for sentence in _SENTENCE.split(response[:READ_CHARS]):
        if _HEDGE.search(sentence):
            continue
        for word, number in _NUMBERED.findall(sentence):
            if word.lower() == "validator" and int(number) not in by_number and int(number) not in asked:
                return f"it speaks of validator {number}, which is not watched"
        numbers = {int(number) for _, number in _NUMBERED.findall(sentence)}
        if len(numbers) == 1 and (status := by_number.get(numbers.pop())) is not None and (found := _wrong(sentence, status)):
            return found
    return None


def _wrong(sentence: str, status: Mapping[str, Any]) -> str | None:
    state, peers = _STATE.search(sentence), _PEERS.findall(sentence)
    if state:
        said = state.group(1).lower()
        if holds(_SAME.get(said, said), status) is False:
            return f"it says that validator {status['number']} is {said}, which it is not"
    if len(peers) == 1 and status["peers"] is not None and abs(int(peers[0]) - status["peers"]) > PEERS_APART:
        return f"it says that validator {status['number']} has {peers[0]} peers; it has {status['peers']}"
    return None


_ADMITS = re.compile(
    r"\b(?:I (?:do not|don['’]t) know|I (?:cannot|can['’]t|am unable to|am not able to) (?:answer|say|tell|determine|help)|I am not sure"
    r"|I['’]m not sure|as an AI)\b",
    re.IGNORECASE,
)


def admits_ignorance(response: str) -> bool:
    return _ADMITS.search(response[:READ_CHARS]) is not None
