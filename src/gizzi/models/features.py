"""What a learned router sees of a prompt: hashed words and word pairs, and a few dozen figures about its shape.

Pure Python, and the same in every process and on every machine (CRC-32, never Python's salted hash). Time is bounded: of a long text
only the beginning and the end are read.
"""

from __future__ import annotations

import re
from collections.abc import Set
from itertools import pairwise
from math import isfinite, log
from typing import Any, NamedTuple
from zlib import crc32

VERSION = 1
"""Goes up whenever a feature changes: a router trained on other features than these is refused."""
BUCKETS = 1 << 13
"""Of each block. On 1,500 labels 4,096 and 16,384 score alike."""
BLOCKS = ("question", "options", "pairs", "answer")
HEAD_CHARS, TAIL_CHARS = 640, 384
"""What is read of a longer text. Eight times as much scores 0.001 better in APGR and takes twice the time at 2,000 characters."""

_PUNCTUATION = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_CAPITALS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLAIN = bytes.maketrans(_CAPITALS + b"123456789" + _PUNCTUATION, _CAPITALS.lower() + b"0" * 9 + b" " * len(_PUNCTUATION))
"""Over UTF-8: ASCII letters become small, punctuation parts words, and of a number only its count of digits is kept."""
_TYPOGRAPHIC = re.compile(rb"\xe2\x80[\x93\x94\x98\x99\x9c\x9d\xa2\xa6]")
"""Dashes, quotes, bullet and ellipsis beyond ASCII, which part words too."""
_OPTION = re.compile(rb"\n[ \t]*[A-Ja-j1-9][.)][ \t]")
"""The start of a listed option: "A. " or "2) " at the start of a line."""
_MAX_OPTIONS = 10


def _all_but(kept: bytes) -> bytes:
    return bytes(set(range(256)) - set(kept))


_ALL_BUT_DIGITS = _all_but(b"0123456789")
_ALL_BUT_CAPITALS = _all_but(_CAPITALS)
_ALL_BUT_LETTERS = _all_but(_CAPITALS + _CAPITALS.lower())
_ALL_BUT_PUNCTUATION = _all_but(_PUNCTUATION)
_ALL_BUT_MATHEMATICS = _all_but(b"=+*/^<>|{}[]\\~&$")

_CUES: dict[str, frozenset[bytes]] = {
    name: frozenset(words.encode().split())
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
        "conditions": "because therefore if then since given suppose assume",
    }.items()
}
_CUE_WORDS = tuple(_CUES.values())
_DOUBTS = frozenset(b"sorry cannot unable unsure uncertain unknown maybe perhaps might possibly unclear guess depends".split())
_VARIETY = ("distinct_words", "distinct_option_words", "distinct_pairs", "long_words")
_MEASURES = (
    *("question_length", "option_length", "longest_option", "shortest_option", "numeric_options", "lines"),
    *("capitals", "digits", "question_digits", "punctuation", "mathematics", "backslashes", "commas"),
    *("quotes", "asks", "blank", "ends_in_colon", "code"),
)
_ANSWER_MEASURES = (
    "answer_given",
    "answer_length",
    "answer_lines",
    "answer_digits",
    "answer_doubts",
    "answer_distinct",
    "answer_echoes",
    "answer_asks",
)
SHAPE: tuple[str, ...] = ("length", *_VARIETY, *_MEASURES, "year", *_CUES, *_ANSWER_MEASURES)
"""Names of the figures in `Features.shape`, in order."""


class Features(NamedTuple):
    """buckets: for each of BLOCKS the buckets that occur in it, from 0 to BUCKETS - 1. shape: one figure for each of SHAPE."""

    buckets: tuple[Set[int], ...]
    shape: tuple[float, ...]

    def without_answer(self) -> Features:
        """Those of the prompt alone."""
        return Features((*self.buckets[:-1], frozenset()), (*self.shape[: -len(_ANSWER_MEASURES)], *(0.0,) * len(_ANSWER_MEASURES)))

    @property
    def has_answer(self) -> bool:
        return self.shape[-len(_ANSWER_MEASURES)] > 0

    def as_json(self) -> dict[str, Any]:
        return {"buckets": [sorted(block) for block in self.buckets], "shape": [round(figure, 6) for figure in self.shape]}


def from_json(raw: Any) -> Features | None:
    """What `as_json` gave, which may be hashed; None where it is damaged."""
    try:
        found = Features(tuple(frozenset(map(int, block)) for block in raw["buckets"]), tuple(map(float, raw["shape"])))
    except (KeyError, TypeError, ValueError):
        return None
    whole = len(found.buckets) == len(BLOCKS) and len(found.shape) == len(SHAPE) and all(map(isfinite, found.shape))
    return found if whole and all(0 <= bucket < BUCKETS for block in found.buckets for bucket in block) else None


def extract(prompt: str, answer: str | None = None) -> Features:
    """answer: what a cheaper model has already answered, where the router reads it before it decides."""
    raw = _bounded(prompt)
    first = _OPTION.search(raw)
    question, listed = (raw, b"") if first is None else (raw[: first.start()], raw[first.start() :])
    asked, offered = _words(question), _words(listed)
    mask = BUCKETS - 1
    plain = [crc32(word) & mask for word in asked]
    chained = plain + [crc32(word) & mask for word in offered]
    options = set(chained[len(plain) :])
    pairs = {a * 2039 + b & mask for a, b in pairwise(chained)}
    distinct = {*asked, *offered}
    known = len(distinct) + 1
    variety = (
        known / (len(chained) + 1),
        (len(options) + 1) / (len(offered) + 1),
        (len(pairs) + 1) / (len(chained) + 1),
        sum([len(word) > 8 for word in distinct]) / known,
    )
    cues = [0.0 if cue.isdisjoint(distinct) else 1.0 for cue in _CUE_WORDS]
    said, figures = _read_answer(answer, distinct)
    shape = (log(len(prompt) + 1), *variety, *_measures(raw, question, listed, len(chained)), float(b"0000" in distinct), *cues, *figures)
    return Features((set(plain), options, pairs, said), shape)


def _bounded(text: str) -> bytes:
    """The text, or of a long one its beginning and its end, as UTF-8."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"
    return text.encode("utf-8", "replace")


def _words(raw: bytes) -> list[bytes]:
    return _TYPOGRAPHIC.sub(b" ", raw).translate(_PLAIN).split()


def _measures(raw: bytes, asked: bytes, listed: bytes, words: int) -> tuple[float, ...]:
    """The figures that need no words, in the order of _MEASURES."""
    size = len(raw) + 1
    options = [part.split(b"\n", 1)[0] for part in _OPTION.split(listed, _MAX_OPTIONS)[1:]] or [b""]
    lengths = [len(option) for option in options]
    return (
        log(len(asked) + 1),
        log(sum(lengths) / len(lengths) + 1),
        log(max(lengths) + 1),
        log(min(lengths) + 1),
        sum(map(_is_numeric, options)) / len(options),
        log(asked.count(b"\n") + 1),
        len(raw.translate(None, _ALL_BUT_CAPITALS)) / size,
        len(raw.translate(None, _ALL_BUT_DIGITS)) / size,
        log(len(asked.translate(None, _ALL_BUT_DIGITS)) + 1),
        len(raw.translate(None, _ALL_BUT_PUNCTUATION)) / size,
        log(len(raw.translate(None, _ALL_BUT_MATHEMATICS)) + 1),
        log(raw.count(b"\\") + 1),
        raw.count(b",") / (words + 1),
        float(b'"' in raw or b"\xe2\x80\x9c" in raw),
        float(b"?" in asked),
        float(b"__" in asked),
        float(asked.rstrip().endswith(b":")),
        float(b"```" in raw or b"();" in raw or b"def " in raw or b"print" in raw),
    )


def _is_numeric(option: bytes) -> bool:
    digits, letters = len(option.translate(None, _ALL_BUT_DIGITS)), len(option.translate(None, _ALL_BUT_LETTERS))
    return digits > 0 and letters <= 4 and len(option) <= 40


def _read_answer(answer: str | None, prompted: set[bytes]) -> tuple[set[int], tuple[float, ...]]:
    """Buckets and figures of a cheaper model's answer, in the order of _ANSWER_MEASURES; prompted: the words of the prompt."""
    if answer is None:
        return set(), (0.0,) * len(_ANSWER_MEASURES)
    raw = _bounded(answer)
    words = _words(raw)
    distinct = set(words)
    return {crc32(word) & (BUCKETS - 1) for word in distinct}, (
        1.0,
        log(len(raw) + 1),
        log(raw.count(b"\n") + 1),
        len(raw.translate(None, _ALL_BUT_DIGITS)) / (len(raw) + 1),
        float(not distinct.isdisjoint(_DOUBTS)),
        len(distinct) / (len(words) + 1),
        len(distinct & prompted) / (len(distinct) + 1),
        float(b"?" in raw),
    )
