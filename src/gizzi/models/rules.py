"""The strategy `rules`: which tier a question needs, by its words and its shape. The words and the rules are data, in words.toml.

Words match as words. What is pasted (log lines, fenced code, quotations) does not speak for the person who pasted it. Of a long text only
the beginning and the end are read, so that the time is bounded.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import is_normalized, normalize

from gizzi.kinds import Opinion
from gizzi.marks import strategy
from gizzi.models.task import Task

TABLE = Path(__file__).with_name("words.toml")
HEAD_CHARS, TAIL_CHARS = 2000, 1000
LONG_WORDS = 60
"""A question of more words than this (pasted matter left out) is not answered by a glance."""
BRIEF_WORDS = 8
MASK = "mask"
_SHAPES = ("question", "code_shape", "sum_shape", "numbers", "pasted_log", "long", "brief")
_FILLERS = frozenset(["please", "so", "and", "then", "ok", "hey", "hi", "hello", "gizzi", "now", "but", "or", "also"])
_ENDS = ("?", "!")
_OPENERS = _FILLERS.union(_ENDS)
_CODE_SIGNS = (
    *("```", "fn ", "def ", "()", "::", "=>", "->", " += ", "==", "!=", "#[", "let ", "&&", "{ ", "};", "async def", "</", "$("),
    *("| awk", "| grep", "#include"),
)
_SIGNS = tuple((sign, next((mark for mark in sign if not mark.isalnum() and mark != " "), sign)) for sign in _CODE_SIGNS)
"""Each with a character of it that is soon looked for in vain."""
_SUMS = (
    (("*", "^", "×", "÷"), re.compile(r"[\d)x] ?[*×÷^] ?[\d(]")),
    ((" - ", " + ", " / "), re.compile(r"[\d)] [-+/] [\d(]")),
    (("+",), re.compile(r"\d\+\d")),
    (("floor(", "min(", "max(", "sqrt(", "log2(", ")/"), re.compile(r"[(/]\d|\(\(")),
)
"""What an arithmetic expression looks like: where one of the signs stands at all, its pattern is looked for."""
_QUOTED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"|'(?<!\w')[^'\n]*'(?!\w)", re.DOTALL)
_LOG_LINE = re.compile(r"\W{0,3}(?:\d{4}-\d\d-\d\d|[A-Z][a-z]{2} [ \d]\d)[ T]\d\d:\d\d")
_POSSESSIVE = re.compile(r"(?<=\w)'s\b")
_SHORT = re.compile(r"\b(what|how|who|where|when|it|there)'s\b")
_ASIDE = {"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "—": ";", "–": "-", "…": "!", "？": "?", "。": "!"}
"""Signs, each with what is read in its place."""
_FOREIGN = re.compile(r"[^\w\x00-\x7f]+")
_KEPT = "?%"
_PLAIN = bytes(33 if c in b"!;\n" else c if c > 127 or chr(c).isalnum() or chr(c) in _KEPT else 32 for c in range(256))
"""Over lower-case UTF-8: punctuation parts words, what ends a sentence becomes "!" or stays "?". (Apostrophes are dropped.)"""


@dataclass(frozen=True, slots=True)
class Rule:
    """See words.toml. when, any, same, unless: signals, a bit each."""

    tier: str
    kind: str
    when: int
    any: int
    same: int
    unless: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A word or words of one signal. rest: those after the first. begins: only where a sentence begins."""

    signal: str
    bit: int
    rest: tuple[str, ...]
    begins: bool


@dataclass(frozen=True, slots=True)
class Word:
    """What may begin with a word. alone: signals that it gives by itself, begins: where a sentence begins, number: with a number behind it.
    more: entries of several words, by the second of them, the longest first."""

    alone: tuple[Entry, ...]
    alone_bits: int
    begins: tuple[Entry, ...]
    more: Mapping[str, tuple[Entry, ...]]
    number: Entry | None


@dataclass(frozen=True, slots=True)
class Table:
    """bits: of every signal."""

    kinds: Mapping[str, str]
    bits: Mapping[str, int]
    words: Mapping[str, Word]
    rules: tuple[Rule, ...]


@dataclass(slots=True)
class Signals:
    """What was seen in a text. words: for each signal the words that gave it first. sentences: the signals of each."""

    all: int
    words: dict[str, str]
    sentences: list[int]


@strategy("rules")
def rules(task: Task) -> Opinion | None:
    """By the words of the question: health and logs local, code and arithmetic standard, decisions and governance frontier."""
    table = shipped_table()
    if task.decides_write:
        return Opinion(tier="frontier", reason="its answer may lead to an action: the frontier tier")
    if task.kind is not None and task.kind in table.kinds:
        return Opinion(tier=table.kinds[task.kind], reason=f"{task.kind}: the {table.kinds[task.kind]} tier")
    found = look(task.text, table)
    if found is None:
        return None
    rule, because = found
    return Opinion(tier=rule.tier, reason=f"{rule.kind}{f' ({because})' if because else ''}: the {rule.tier} tier")


def look(text: str, table: Table) -> tuple[Rule, str] | None:
    """The rule that holds for a text, and the words that made it hold."""
    seen = signals(text, table)
    bits = seen.all
    for rule in table.rules:
        if bits & rule.when != rule.when or bits & rule.unless or (rule.any and not bits & rule.any):
            continue
        if rule.same and not any(sentence & rule.same == rule.same for sentence in seen.sentences):
            continue
        wanted = rule.when | rule.any | rule.same
        words = [words for name, words in seen.words.items() if words and table.bits[name] & wanted]
        return rule, ", ".join(f'"{word}"' for word in dict.fromkeys(words))
    return None


def signals(text: str, table: Table) -> Signals:
    """Every signal of a text."""
    asked, shapes = _own_words(text)
    words = _words(asked)
    seen = Signals(0, dict.fromkeys(shapes, ""), [])
    known, question = table.words, table.bits["question"]
    sentence = hidden_until = 0
    words.append("!")
    for place in [place for place, word in enumerate(words) if word in known]:
        word = words[place]
        if word in _ENDS:
            seen.sentences.append(sentence | question if word == "?" else sentence)
            sentence = 0
            continue
        told, follows = known[word], words[place + 1]
        news = follows in told.more or sentence & told.alone_bits != told.alone_bits
        if place < hidden_until or not (news or told.number or (told.begins and (not place or words[place - 1] in _OPENERS))):
            continue
        entries, hidden = _at(words, place, told)
        hidden_until = place + hidden
        for entry in entries:
            sentence |= entry.bit
            if entry.signal not in seen.words:
                seen.words[entry.signal] = " ".join(words[place : place + 1 + len(entry.rest)])
    _measure(words, len(words) - len(seen.sentences), seen.words)
    for bits in (*seen.sentences, *(table.bits[name] for name in _SHAPES if name in seen.words)):
        seen.all |= bits
    return seen


def _at(words: Sequence[str], place: int, word: Word) -> tuple[Sequence[Entry], int]:
    """What begins at a place, and how many words a mask hides from it on. Several words that match hide what the first gives alone."""
    follows = words[place + 1]
    found: list[Entry] = []
    for entry in word.more.get(follows, ()):
        length = len(entry.rest)
        if (length == 1 or tuple(words[place + 1 : place + 1 + length]) == entry.rest) and (not entry.begins or _begins(words, place)):
            if entry.signal == MASK:
                return found, length + 1
            if not found or entry.begins or length >= len(found[-1].rest):
                found.append(entry)
    if word.begins and _begins(words, place):
        found += word.begins
    if word.number is not None and follows.isdigit():
        found.append(word.number)
    if not found or all(entry.begins or entry is word.number for entry in found):
        found += word.alone
    return found, 0


def _begins(words: Sequence[str], place: int) -> bool:
    while place and words[place - 1] in _FILLERS:
        place -= 1
    return not place or words[place - 1] in _ENDS


def _measure(words: Sequence[str], count: int, found: dict[str, str]) -> None:
    if count > LONG_WORDS:
        found["long"] = ""
    elif count <= BRIEF_WORDS:
        found["brief"] = ""
    if sum(map(str.isdigit, words)) > 1:
        found["numbers"] = ""


def _own_words(text: str) -> tuple[str, list[str]]:
    """What the person says beside what is pasted, and the shapes of the whole."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"
    if not text.isascii():
        text = _plain_signs(text)
    shapes = ["code_shape"] if any(mark in text and sign in text for sign, mark in _SIGNS) else []
    if any(pattern.search(text) for signs, pattern in _SUMS if any(sign in text for sign in signs)):
        shapes.append("sum_shape")
    asked = text
    if "\n" in text:
        lines = text.split("\n")
        said = [line for line in lines if not _LOG_LINE.match(line)]
        if len(said) < len(lines):
            shapes.append("pasted_log")
            asked = "\n".join(said)
    if '"' in asked or "`" in asked or "'" in asked:
        asked = _QUOTED.sub(" ", asked)
    return (asked if any(map(str.isalnum, asked)) else text), shapes


def _plain_signs(text: str) -> str:
    for sign, plain in _ASIDE.items():
        if sign in text:
            text = text.replace(sign, plain)
    return text if is_normalized("NFKC", text) else normalize("NFKC", text)


def _words(text: str) -> list[str]:
    plain = text.casefold()
    if "'" in plain:
        plain = _POSSESSIVE.sub("", _SHORT.sub(r"\1 is", plain))
    raw = plain.replace(". ", " ! ").replace(": ", " ! ").encode("utf-8", "replace").translate(_PLAIN, b"'")
    said = raw.replace(b"!", b" ! ").replace(b"?", b" ? ").replace(b"%", b" percent ").decode("utf-8", "replace")
    if not said.isascii() and not said.replace(" ", "").replace("!", "").replace("?", "").isalnum():
        said = _FOREIGN.sub(" ", said)
    return said.split()


@cache
def shipped_table() -> Table:
    return read_table(tomllib.loads(TABLE.read_text(encoding="utf-8")))


def read_table(raw: Mapping[str, Any]) -> Table:
    every = {MASK: raw["masks"], **raw["signals"]}
    bits = {name: 1 << place for place, name in enumerate((*every, *_SHAPES))}
    entries: dict[str, list[Entry]] = {end: [] for end in _ENDS}
    numbers: dict[str, Entry] = {}
    for signal, said in every.items():
        for text in dict.fromkeys(_phrases(said, every)):
            first, *rest = _words(text.removeprefix("^"))
            entries.setdefault(first, []).append(Entry(signal, bits[signal], tuple(rest), text.startswith("^")))
        numbers |= {word: Entry(signal, bits[signal], ("number",), False) for word in said.get("numbered", ())}
    words = {first: _word(entries.get(first, ()), numbers.get(first)) for first in {**entries, **numbers}}
    return Table(raw["kinds"], bits, words, tuple(_rule(rule, bits) for rule in raw["rules"]))


def _word(entries: Sequence[Entry], number: Entry | None) -> Word:
    more: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: (-len(entry.rest), entry.signal != MASK)):
        if entry.rest:
            more.setdefault(entry.rest[0], []).append(entry)
    single = [entry for entry in entries if not entry.rest]
    alone = tuple(entry for entry in single if not entry.begins)
    begins = tuple(entry for entry in single if entry.begins)
    return Word(alone, sum({entry.bit for entry in alone}), begins, {second: tuple(found) for second, found in more.items()}, number)


def _rule(raw: Mapping[str, Any], bits: Mapping[str, int]) -> Rule:
    """Raises KeyError for a signal that there is not."""
    sums = {name: sum(bits[signal] for signal in raw.get(name, ())) for name in ("when", "any", "same", "unless")}
    return Rule(raw["tier"], raw["kind"], **sums)


def _phrases(said: Mapping[str, Any], every: Mapping[str, Any]) -> Iterator[str]:
    for text in said.get("words", ()):
        yield from (text, *_plural(text))
    for verb in said.get("verbs", ()):
        yield from _forms(verb)
    other = every.get(said.get("begins_with", ""), {})
    yield from (f"^{text}" for text in (*other.get("verbs", ()), *other.get("words", ())))


def _plural(text: str) -> tuple[str, ...]:
    if text.endswith(("s", "x", "ch", "sh")):
        return (f"{text}es",)
    if text.endswith("y") and text[-2] not in "aeiou":
        return (f"{text[:-1]}ies", f"{text}s")
    return (f"{text}s",)


def _forms(verb: str) -> Iterator[str]:
    """restart: restart, restarted, restarting. ("restarts" and "blocks" are more often things than what somebody should do.)"""
    yield verb
    stem = verb.removesuffix("e")
    doubled = len(verb) <= 4 and verb[-1] in "pnbtg" and verb[-2] in "aeiou" and verb[-3] not in "aeiou"
    stem = stem + stem[-1] if doubled else stem
    yield from (f"{stem}ed", f"{stem}ing")
