"""A model may phrase a summary; what it says must be in the facts, or none of it is used."""

from __future__ import annotations

import re
from collections.abc import Iterable

ASK = (
    "Write the summary of this postmortem for people who were not there: three to six plain sentences, one paragraph, no headings. Use "
    "only what the page says, with its numbers, names and identifiers exactly as written there; compute nothing, guess nothing, advise "
    "nothing."
)
LONGEST = 2000
_LOW = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_HIGH = {"dozen": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100, "thousand": 1000}
_WORDS = {word: str(n) for word, n in {**{word: n for n, word in enumerate(_LOW, 2)}, **_HIGH, "million": 10**6, "half": 0.5}.items()}
"""Words that are numbers; "one" is a pronoun too often to count."""
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_/.:-][A-Za-z0-9]+)+")
"""Names of things: peers_low, validator/6, inc-3, host.example; not plain words."""
_PLAIN_COMPOUND = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)+")
_VALIDATORS = re.compile(
    r"\bvalidators?\b[\s#:]*((?:number|no\.?)?\s*\d+(?:(?:\s*,\s*|\s+and\s+|\s*,\s*and\s+|\s*/\s*|\s*[-–]\s*)\d+)*)", re.I
)


def stray(text: str, page: str, validators: Iterable[int]) -> list[str]:
    """What the text says that the page does not: numbers, validators, names. Empty where every one of them is there.

    page: the facts as Markdown. validators: those that belong to the incident.
    """
    known, mine = _numbers(_unescaped(page)), {str(number) for number in validators}
    found = [number for number in _numbers(text) if number not in known]
    for named in _VALIDATORS.findall(text):
        found += [f"validator {number}" for number in _numbers(named) if number not in mine]
    words = _unescaped(page).lower()
    tokens = (token for token in _TOKEN.findall(text) if not _PLAIN_COMPOUND.fullmatch(token))
    found += [token for token in tokens if token.lower() not in words]
    return list(dict.fromkeys(found))


def checked(text: str, page: str, validators: Iterable[int]) -> tuple[str | None, str | None]:
    """The text where it may be used, else None, and what to say about it."""
    said = " ".join(text.split())
    if not said:
        return None, "The model's summary was empty."
    if len(said) > LONGEST:
        return None, f"The model's summary was left out: it is longer than {LONGEST} characters."
    wrong = stray(said, page, validators)
    if wrong:
        return None, f"The model's summary was left out: it says what no fact does ({', '.join(wrong[:5])})."
    return said, "Phrased by a model; every number, validator and name in it was found in the facts below."


def _numbers(text: str) -> list[str]:
    """Each in one form: 1,000 and 1000.0 are the same."""
    found = [_canonical(number) for number in _NUMBER.findall(text)]
    return found + [_WORDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _WORDS]


def _canonical(number: str) -> str:
    whole, _, part = number.replace(",", "").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")


def _unescaped(page: str) -> str:
    return page.replace("\\", "")
