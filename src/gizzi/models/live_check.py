"""Whether an answer in free text contradicts the live status it was given: the peers, height and health that it claims of a validator.

Only plain claims about one validator are looked at ("validator 6 has 5 peers"); what is hedged, wished or past is left alone, because a
false objection is worse than none. What was not observed cannot be claimed either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gizzi.models.task import Answer

Status = Mapping[str, Any]
LONGEST_ANSWER = 50_000
CLOSE_BLOCKS = 100
"""Heights move while an answer is written: ten minutes of a 6 s chain."""
MOST_TOLD = 5

_SENTENCE = re.compile(r"(?<!\d)[.;!?]|[.;!?](?!\d)|\n")
_VALIDATOR = re.compile(r"\b(?:validator|node)(?: number| no\.?)? ?#?(\d{1,9})\b", re.IGNORECASE)
_SEVERAL = re.compile(r"\b(?:validators|nodes)\b", re.IGNORECASE)
_IT = re.compile(r"\s*[-*]*\s*(?:currently,? )?(?:it|its|this validator|this node|the validator|the node)\b", re.IGNORECASE)
_HEDGED = re.compile(
    r"\b(?:if|when|unless|until|should|would|could|might|may|must|needs?|required?|had|was|were|ago|earlier|before|after|least|most|fewer|less"
    r"|more|than|below|above|under|over|between|from|to|threshold|minimum|maximum|expected?|normal(?:ly)?|usual(?:ly)?|average|median|not|no"
    r"|nor|neither|never|isn't|whether|unknown|assuming|suppose)\b",
    re.IGNORECASE,
)
_PEERS = (
    re.compile(r"\b(?:has|sees|shows|reports|with|have|is connected to)(?: only| just| currently| now)* (\d{1,9}) peers?\b", re.IGNORECASE),
    re.compile(r"\bpeers?(?: count)?(?: is| are|:| ?=) ?(\d{1,9})\b", re.IGNORECASE),
)
_HEIGHT = re.compile(
    r"\b(?:(?:at|on) (?:block|height)|(?:block )?height(?: is|:| ?=| of)|best block(?: is|:| ?=)) #?(\d[\d,]{0,14})\b", re.IGNORECASE
)
_HEALTH = re.compile(
    r"\b(?:is|health:|status:)(?: currently| now| perfectly| completely| fully| very| marked| in)*"
    r" (healthy|unhealthy|critical|offline|online|down|up)(?=[\s,)]|$)(?! (?:to|for|because))",
    re.IGNORECASE,
)


def contradictions(text: str, statuses: Sequence[Status], about: int | None = None) -> list[str]:
    """What live status says instead, in a few words each; empty where nothing is contradicted.

    about: the validator that was asked about, which "it" means before the answer names one.
    """
    known = {status["number"]: status for status in statuses}
    found: list[str] = []
    subject = about
    for sentence in _SENTENCE.split(text[:LONGEST_ANSWER]):
        named = {int(number) for number in _VALIDATOR.findall(sentence)}
        if named:
            subject = named.pop() if len(named) == 1 else None
        elif not _IT.match(sentence):
            continue
        if subject in known and not _HEDGED.search(sentence) and not _SEVERAL.search(sentence):
            found += _against(sentence, known[subject])
    return list(dict.fromkeys(found))[:MOST_TOLD]


def checked(answer: Answer, question: str, statuses: Sequence[Status]) -> tuple[Answer, bool]:
    """The answer, which says so where live status contradicts it; and whether it does."""
    note = note_on(answer.response, question, statuses)
    if not note:
        return answer, False
    route = replace(answer.route, reason=f"{answer.route.reason}; live status contradicts the answer")
    return replace(answer, response=f"{answer.response}\n\n{note}", route=route), True


def note_on(response: str, question: str, statuses: Sequence[Status]) -> str:
    """A line to stand below the answer; "" where nothing contradicts it."""
    asked = {int(number) for number in _VALIDATOR.findall(question[:LONGEST_ANSWER])}
    found = contradictions(response, statuses, asked.pop() if len(asked) == 1 else None) if statuses else []
    return f"Live status contradicts this answer: {'; '.join(found)}." if found else ""


def _against(sentence: str, status: Status) -> Iterator[str]:
    who = f"validator {status['number']}"
    for pattern in _PEERS:
        for claimed in pattern.findall(sentence):
            if status["peers"] is None:
                yield f"the peers of {who} have not been seen"
            elif int(claimed) != status["peers"]:
                yield f"{who} has {status['peers']:,} peer{'' if status['peers'] == 1 else 's'}, not {int(claimed):,}"
    heights = [status[name] for name in ("block_height", "finalized_height") if status.get(name) is not None]
    for claimed in _HEIGHT.findall(sentence):
        height = int(claimed.replace(",", ""))
        if not heights:
            yield f"the height of {who} has not been seen"
        elif all(abs(height - seen) > CLOSE_BLOCKS for seen in heights):
            yield f"{who} is at block {heights[0]:,}, not {height:,}"
    for claimed in _HEALTH.findall(sentence):
        yield from _health(who, claimed.lower(), status)


def _health(who: str, claimed: str, status: Status) -> Iterator[str]:
    health, up = status["health"], status["up"]
    if claimed in ("up", "online", "down", "offline"):
        if up is None:
            yield f"whether {who} is up is unknown"
        elif up is not (claimed in ("up", "online")):
            yield f"{who} is {'up' if up else 'down'}"
    elif health == "unknown":
        yield f"the health of {who} is unknown"
    elif (claimed == "unhealthy" and health == "healthy") or (claimed != "unhealthy" and health != claimed):
        yield f"{who} is {health}"
