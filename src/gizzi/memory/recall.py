"""Which closed cases are most like an incident: its rule, the alerts that came with it, where it is, and the words of its summary.

Words are weighed as BM25 does, against the incident's own score, so that they count between 0 and 1. The weights were chosen on the
histories of `benchmarks/recall.py` with other seeds than the one it reports.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from gizzi.memory.case import KIND, Case, Situation, read_case
from gizzi.store import memory_schema as schema

MOST_CASES = 20_000
"""The newest that are kept in memory."""
SAME_RULE, ALERTS, WORDS, VALIDATORS, CHAIN, SEVERITY, RECENT = 0.5, 2.0, 1.0, 1.0, 0.5, 0.25, 0.25
LEAST_WORDS = 0.5
"""Without a rule in common, the summaries must be as alike as this."""
MANY = 100
HALF_LIFE_S = 30 * 86400.0
_K1, _B = 1.2, 0.75
_WORD = re.compile(r"[^\W\d]{2,}")


@dataclass(frozen=True, slots=True)
class _Known:
    """A case, and what is compared of it. length: words in its summary."""

    case: Case
    rules: frozenset[str]
    validators: frozenset[int]
    length: int


class Recall:
    """The cases of one memory, read once and then as they come."""

    def __init__(self) -> None:
        self._read_to = 0
        self._cases: list[_Known] = []
        self._words: dict[str, list[tuple[int, int]]] = defaultdict(list)
        """Word -> (place of a case, how often it is in its summary)."""
        self._rules: dict[str, list[int]] = defaultdict(list)
        self._length = 0

    def read_new(self, connection: Connection) -> None:
        table = schema.entries
        columns = table.c.number, table.c.at_ms, table.c.incident, table.c.body
        query = select(*columns).where(table.c.number > self._read_to, table.c.kind == KIND).order_by(table.c.number.desc())
        for number, at_ms, incident, body in reversed(connection.execute(query.limit(MOST_CASES)).all()):
            self._read_to = number
            case = read_case(body, number, at_ms, incident)
            if case is not None:
                self.add(case)

    def add(self, case: Case) -> None:
        words, place = Counter(words_of(case.situation.summary)), len(self._cases)
        known = _Known(
            case, frozenset((case.situation.rule, *case.situation.alert_rules)), frozenset(case.situation.validators), words.total()
        )
        self._cases.append(known)
        self._length += known.length
        for word, times in words.items():
            self._words[word].append((place, times))
        for rule in known.rules:
            self._rules[rule].append(place)

    def rank(self, situation: Situation, now: float) -> Iterator[Case]:
        """Those that are alike at all, the most like first, the newer first where they are equally so."""
        words = self._word_scores(Counter(words_of(situation.summary)))
        rules, validators = frozenset((situation.rule, *situation.alert_rules)), frozenset(situation.validators)
        places = {place for rule in rules for place in self._rules.get(rule, ())}
        places |= {place for place, score in words.items() if score >= LEAST_WORDS}
        scored = []
        for place in places:
            known = self._cases[place]
            score = (
                WORDS * words.get(place, 0.0) + ALERTS * _overlap(rules, known.rules) + VALIDATORS * _overlap(validators, known.validators)
            )
            scored.append((score + _plain_score(situation, known.case, now), place))
        for _, place in sorted(scored, reverse=True):
            yield self._cases[place].case

    def _word_scores(self, asked: Counter[str]) -> dict[int, float]:
        """Place of a case -> how much of the summary's weight it shares, 0 to 1. Words that most of many cases have weigh nothing."""
        count = len(self._cases)
        average = self._length / count if count and self._length else 1.0
        scores: dict[int, float] = defaultdict(float)
        own = 0.0
        for word, times in asked.items():
            holders = self._words.get(word, [])
            if len(holders) > max(MANY, count // 2):
                continue
            weight = math.log(1 + (count - len(holders) + 0.5) / (len(holders) + 0.5))
            own += weight * _saturated(times, asked.total() / average)
            for place, found in holders:
                scores[place] += weight * _saturated(found, self._cases[place].length / average)
        return {place: min(1.0, score / own) for place, score in scores.items()} if own else {}


def _saturated(times: int, length: float) -> float:
    return times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * length))


def _plain_score(asked: Situation, case: Case, now: float) -> float:
    found = case.situation
    return (
        SAME_RULE * (asked.rule == found.rule)
        + CHAIN * (asked.chain is not None and asked.chain == found.chain)
        + SEVERITY * (asked.severity == found.severity)
        + RECENT * 2 ** -(max(0.0, now - case.closed_at) / HALF_LIFE_S)
    )


def _overlap(one: frozenset[Any], other: frozenset[Any]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def words_of(text: str) -> list[str]:
    """Words without figures, which differ each time."""
    return _WORD.findall(text.lower())
