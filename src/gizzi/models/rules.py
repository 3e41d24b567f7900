"""The strategy `rules`: which tier a question needs, by its words and its shape. The words and the rules are data, in words.toml.

Words match as words. What is pasted (log lines, fenced code, quotations) does not speak for the person who pasted it. Of a long text only
the beginning and the end are read, so that the time is bounded.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from gizzi.models.task import Task
from gizzi.registry import Opinion, strategy

TABLE = Path(__file__).with_name("words.toml")
HEAD_CHARS, TAIL_CHARS = 2000, 1000
LONG_WORDS = 60
"""A question of more words than this (pasted matter left out) is not answered by a glance."""
BRIEF_WORDS = 8
MASK = "mask"
_SHAPES = ("question", "code_shape", "sum_shape", "numbers", "pasted_log", "long", "brief")
_END = "!"
_FILLERS = frozenset(["please", "so", "and", "then", "ok", "hey", "hi", "hello", "gizzi", "now", "but", "or", "also"])
_PUNCTUATION = {chr(code): " " for code in range(128) if not chr(code).isalnum()}
_PLAIN = str.maketrans(_PUNCTUATION | {"'": "", "?": " ? ", "!": " ! ", ";": " ! ", "\n": " ! ", "%": " percent "})
"""Over ASCII: punctuation parts words, an apostrophe does not ("don't" is one word)."""
_ASIDE = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "—": "; ", "–": "-", "…": " ", "：": ": ", "？": "?", "\u00a0": " "})
_QUOTED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"|(?<!\w)'[^'\n]*'(?!\w)", re.DOTALL)
_LOG_LINE = re.compile(r"^\W{0,3}(?:\d{4}-\d\d-\d\d|[A-Z][a-z]{2} [ \d]\d)[ T]\d\d:\d\d[^\n]*", re.MULTILINE)
_CODE_SIGNS = (
    "```",
    "fn ",
    "def ",
    "()",
    "::",
    "=>",
    "->",
    " += ",
    "==",
    "!=",
    "#[",
    "let ",
    "&&",
    "{ ",
    "};",
    "async def",
    "</",
    "$(",
    "| awk",
    "| grep",
    "#include",
)
_SHORT = re.compile(r"\b(what|how|who|where|when|it|there)'s\b")
_SUM = re.compile(r"[\d)]\s*[*×÷^]\s*[\d(]|[\d)]\s+[-+/]\s+[\d(]|\d\)?/\d+\)|\bfloor\(|\bmin\(|\bmax\(|0x[0-9a-f]+ in|\d\+\d")


@dataclass(frozen=True, slots=True)
class Rule:
    """See words.toml."""

    tier: str
    kind: str
    when: frozenset[str]
    any: frozenset[str]
    same: frozenset[str]
    unless: frozenset[str]

    def holds(self, seen: Mapping[str, str], sentences: Sequence[set[str]]) -> bool:
        names = seen.keys()
        if not self.when <= names or not self.unless.isdisjoint(names) or (self.any and self.any.isdisjoint(names)):
            return False
        return not self.same or any(self.same <= sentence for sentence in sentences)

    def because(self, seen: Mapping[str, str]) -> str:
        """The words that made it hold."""
        words = [seen[name] for name in sorted(self.when | self.any | self.same) if seen.get(name)]
        return ", ".join(f'"{word}"' for word in dict.fromkeys(words))


@dataclass(frozen=True, slots=True)
class Entry:
    """A word or words of one signal. rest: those after the first. begins: only at the beginning of a sentence."""

    signal: str
    rest: tuple[str, ...]
    begins: bool


@dataclass(frozen=True, slots=True)
class Table:
    """entries: by their first word, the longest first."""

    kinds: Mapping[str, str]
    entries: Mapping[str, tuple[Entry, ...]]
    numbered: Mapping[str, str]
    rules: tuple[Rule, ...]


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
    seen, sentences = signals(text, table)
    for rule in table.rules:
        if rule.holds(seen, sentences):
            return rule, rule.because(seen)
    return None


def signals(text: str, table: Table) -> tuple[dict[str, str], list[set[str]]]:
    """Every signal of a text with the words that gave it, and those of each sentence."""
    asked, shapes = _own_words(text)
    words = _words(asked)
    seen: dict[str, str] = dict.fromkeys(shapes, "")
    sentences: list[set[str]] = [set()]
    at_start, hidden_until = True, 0
    entries, numbered = table.entries, table.numbered
    count = numbers = 0
    for place, word in enumerate(words):
        if word in ("?", _END):
            if word == "?":
                sentences[-1].add("question")
                seen.setdefault("question", "")
            sentences.append(set())
            at_start = True
            continue
        count += 1
        if word[0] <= "9" and word.isdigit():
            numbers += 1
        if place >= hidden_until:
            longest = 0
            for entry in entries.get(word, ()):
                length = len(entry.rest)
                if entry.begins and not at_start:
                    continue
                if (length < longest and not entry.begins) or (length and tuple(words[place + 1 : place + 1 + length]) != entry.rest):
                    continue
                longest = longest if entry.begins else length
                if entry.signal == MASK:
                    hidden_until = place + 1 + length
                    break
                seen.setdefault(entry.signal, " ".join((word, *entry.rest)))
                sentences[-1].add(entry.signal)
            if word in numbered and place + 1 < len(words) and words[place + 1].isdigit():
                seen.setdefault(numbered[word], f"{word} {words[place + 1]}")
                sentences[-1].add(numbered[word])
        at_start = at_start and word in _FILLERS
    if numbers > 1:
        seen["numbers"] = ""
    if count > LONG_WORDS:
        seen["long"] = ""
    if count <= BRIEF_WORDS:
        seen["brief"] = ""
    return seen, sentences


def _own_words(text: str) -> tuple[str, list[str]]:
    """What the person says beside what is pasted, and the shapes of the whole."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"
    if not text.isascii():
        text = normalize("NFKC", text.translate(_ASIDE))
    shapes = ["code_shape"] if any(sign in text for sign in _CODE_SIGNS) else []
    if _SUM.search(text):
        shapes.append("sum_shape")
    asked = text
    if "\n" in text and _LOG_LINE.search(text):
        shapes.append("pasted_log")
        asked = _LOG_LINE.sub(" ", asked)
    if '"' in asked or "`" in asked or "'" in asked:
        asked = _QUOTED.sub(" ", asked)
    return (asked if any(map(str.isalnum, asked)) else text), shapes


def _words(text: str) -> list[str]:
    plain = text.casefold()
    if "'" in plain:
        plain = _SHORT.sub(r"\1 is", plain).replace("'s", "")
    plain = plain.replace(". ", " ! ").replace(": ", " ! ").translate(_PLAIN)
    if not plain.isascii():
        plain = "".join(letter if letter.isalnum() or letter in " ?!" else " " for letter in plain)
    return plain.split()


@cache
def shipped_table() -> Table:
    return read_table(tomllib.loads(TABLE.read_text(encoding="utf-8")))


def read_table(raw: Mapping[str, Any]) -> Table:
    entries: dict[str, list[Entry]] = {}
    numbered: dict[str, str] = {}
    every = {MASK: raw["masks"], **raw["signals"]}
    for signal, said in every.items():
        for text in _phrases(said, every):
            first, *rest = _words(text.removeprefix("^"))
            entries.setdefault(first, []).append(Entry(signal, tuple(rest), text.startswith("^")))
        numbered |= dict.fromkeys(said.get("numbered", ()), signal)
    ordered = {first: tuple(sorted(found, key=lambda e: (-len(e.rest), e.signal != MASK))) for first, found in entries.items()}
    return Table(raw["kinds"], ordered, numbered, tuple(_rule(rule, every.keys()) for rule in raw["rules"]))


def _rule(raw: Mapping[str, Any], known: Iterable[str]) -> Rule:
    parts = {name: frozenset(raw.get(name, ())) for name in ("when", "any", "same", "unless")}
    unknown = frozenset().union(*parts.values()) - {*known, *_SHAPES}
    if unknown:
        raise ValueError(f"words.toml: a rule names the signal {min(unknown)!r}, which there is not")
    return Rule(raw["tier"], raw["kind"], **parts)


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
