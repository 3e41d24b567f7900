"""What a learned router sees of a prompt: buckets of hashed words and word pairs, and a few dozen figures about its shape.

Pure Python, the same in every process and on every machine (CRC-32, never Python's salted hash). Time is bounded: of a longer text only
the beginning and the end are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import log
from typing import NamedTuple
from zlib import crc32

VERSION = 1
"""Changes whenever a feature changes: a router trained on other features than these cannot be used."""
BUCKETS = 1 << 13
HEAD_CHARS, TAIL_CHARS = 6144, 2048

_PUNCTUATION = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_PLAIN = bytes.maketrans(b"123456789" + _PUNCTUATION, b"0" * 9 + b" " * len(_PUNCTUATION))
"""Over lower-case UTF-8: punctuation parts words, and of a number only the count of its digits is kept."""
_SYMBOL = re.compile("[\u2000-\u2fff]")
"""Quotes, dashes, arrows, mathematics: each a word of its own."""
_OPTION = re.compile(r"\n[ \t]*[A-Ja-j1-9][.)][ \t]")
_ALL_BYTES = bytes(range(256))


def _other_than(characters: bytes) -> bytes:
    return bytes(set(_ALL_BYTES) - set(characters))


_NOT_DIGIT = _other_than(b"0123456789")
_NOT_UPPER = _other_than(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NOT_MATHS = _other_than(b"=+*/^<>|{}[]\\~&$")
_NOT_PUNCTUATION = _other_than(_PUNCTUATION)


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


_COMMON = _words(
    "the of a to and in is that for it as was with be by on not he his but at are this have from or had an they which one you were her all"
    " she there would their we him been has when who will more no if out so said what up its about into than them can only other"
)
_CUES: tuple[tuple[str, frozenset[bytes]], ...] = tuple(
    (name, _words(words))
    for name, words in {
        "denies": "not except least false incorrect never",
        "which": "which",
        "what": "what",
        "who": "who whom whose",
        "how": "how",
        "why": "why",
        "when": "when year date",
        "amount": "many much total average",
        "following": "following",
        "statement": "statement statements claim claims",
        "all_or_none": "both none neither all",
        "first_person": "i my me mine we our",
        "choice": "should recommend decide best better worse versus",
        "therefore": "because therefore if then since given suppose assume",
    }.items()
)
_MEASURES: tuple[str, ...] = (
    "bias", "length", "question_length", "option_length", "longest_option", "shortest_option", "option_spread", "numeric_options",
    "lines", "sentences", "word_length", "long_words", "distinct_words", "common_words", "capitalised", "upper_case",
    "digits", "question_digits", "punctuation", "mathematics", "commas", "question_mark", "blank", "ends_in_colon", "shouted_not",
    "quotes", "dollars", "latex", "percent", "year", "code",
)  # fmt: skip
SHAPE: tuple[str, ...] = _MEASURES + tuple(name for name, _ in _CUES)
"""Names of the figures of `Features.shape`, in order."""


class Features(NamedTuple):
    """buckets: for question words, option words and word pairs, each bucket once, from 0 to BUCKETS - 1. shape: one figure per name in SHAPE."""

    question: frozenset[int]
    options: frozenset[int]
    pairs: frozenset[int]
    shape: tuple[float, ...]


def bounded(text: str) -> str:
    """The text, or of a long one its beginning and its end."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def extract(prompt: str) -> Features:
    text = bounded(prompt)
    first = _OPTION.search(text)
    question, listed = (text, "") if first is None else (text[: first.start()], text[first.start() :])
    asked = _tokens(question)
    offered = _tokens(listed)
    mask = BUCKETS - 1
    buckets = [crc32(word) & mask for word in asked]
    chained = buckets + [crc32(word) & mask for word in offered]
    return Features(
        set(buckets),
        {crc32(word, 7) & mask for word in offered},
        {(a * 2039 + b) & mask for a, b in zip(chained, chained[1:])},
        _shape(text, question, listed, asked+offered, {*asked, *offered}),
    )


def _tokens(text: str) -> list[bytes]:
    if not text.isascii():
        text = _SYMBOL.sub(r" \g<0> ", text)
    return text.lower().encode("utf-8", "replace").translate(_PLAIN).split()


def _shape(text: str, question: str, listed: str, words: list[bytes], distinct: set[bytes]) -> tuple[float, ...]:
    raw = text.encode("utf-8", "replace")
    asked = question.encode("utf-8", "replace")
    size = len(raw) + 1
    spaced = text.split()
    count = len(spaced) + 1
    options = [part.split("\n", 1)[0] for part in _OPTION.split(listed)[1:11]] or [""]
    lengths = [len(option) for option in options]
    mean = sum(lengths) / len(lengths)
    known = len(distinct) + 1
    def of(keep, data=raw): return len(data.translate(None, keep))
    figures = (
        1.0,
        log(size),
        log(len(asked) + 1),
        log(mean + 1),
        log(max(lengths) + 1),
        log(min(lengths) + 1),
        (max(lengths) - min(lengths)) / (mean + 1),
        sum(map(_numeric, options)) / len(options),
        log(asked.count(b"\n") + 1),
        log(1 + asked.count(b". ") + asked.count(b"?")),
        size / count,
        sum(len(word) > 8 for word in distinct) / known,
        known / (len(words)+1),
        len(distinct & _COMMON) / known,
        sum(map(str.istitle, spaced)) / count,
        of(_NOT_UPPER) / size * 10,
        of(_NOT_DIGIT) / size * 10,
        log(1 + of(_NOT_DIGIT, asked)),
        of(_NOT_PUNCTUATION) / size * 10,
        log(1 + of(_NOT_MATHS)),
        raw.count(b",") / count,
        float(b"?" in asked),
        float(b"__" in asked),
        float(asked.rstrip().endswith(b":")),
        float("NOT" in spaced or "EXCEPT" in spaced or "LEAST" in spaced),
        float(b'"' in raw or b"\xe2\x80\x9c" in raw),
        log(1 + raw.count(b"$")),
        log(1 + raw.count(b"\\")),
        float(b"%" in raw),
        float(b"0000" in distinct),
        float(b"```" in raw or b"();" in raw or b"def " in raw or b"print" in raw),
    )
    return figures + tuple(float(not cue.isdisjoint(distinct)) for _, cue in _CUES)


def _numeric(option: str) -> bool:
    return any(map(str.isdigit, option)) and sum(map(str.isalpha, option)) <= 4
