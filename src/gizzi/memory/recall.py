"""Which closed cases are most like an incident: its rule, the alerts that came with it, where it is, and the words of its summary.

Words are weighed as BM25 does, against the incident's own score, so that they count between 0 and 1. The weights were chosen on the
histories of `benchmarks/recall.py` with another seed than it reports.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from gizzi.memory.case import KIND, Case, Situation, case_of
from gizzi.memory.entry import stored_of
from gizzi.memory.rows import rows_of
from gizzi.store import memory_schema as schema

MOST_CASES = 20_000
"""The newest that are kept in memory."""
SAME_RULE, ALERTS, WORDS, VALIDATORS, CHAIN, SEVERITY, RECENT = 2.0, 2.0, 2.0, 1.0, 0.5, 0.25, 0.25
LEAST_WORDS = 0.5
"""Without a rule in common, the summaries must be as alike as this."""
HALF_LIFE_S = 30 * 86400.0
_K1, _B = 1.2, 0.75
_WORD = re.compile(r"[^\W\d]{2,}")


class Recall:
    """The cases of one memory, read once and then as they come."""

    def __init__(self) -> None:
        self._read_to = 0
        self._cases: list[Case] = []
        self._words: list[Counter[str]] = []
        self._holders: dict[str, list[int]] = defaultdict(list)
        self._length = 0

    def read_new(self, connection: Connection) -> None:
        table = schema.entries
        query = select(table).where(table.c.number > self._read_to, table.c.kind == KIND).order_by(table.c.number.desc()).limit(MOST_CASES)
        for row in reversed(rows_of(connection, query)):
            self._read_to = row["number"]
            case = case_of(stored_of(row))
            if case is not None:
                self.add(case)

    def add(self, case: Case) -> None:
        words = Counter(_words(case.situation.summary))
        self._cases.append(case)
        self._words.append(words)
        self._length += words.total()
        for word in words:
            self._holders[word].append(len(self._cases) - 1)

    def rank(self, situation: Situation, now: float) -> Iterator[Case]:
        """Those that are alike at all, the most like first, the newer first where they are equally so."""
        words = self._word_scores(situation.summary)
        scored = [
            (score, place) for place, case in enumerate(self._cases) if (score := _score(situation, case, words.get(place, 0.0), now))
        ]
        for _, place in sorted(scored, reverse=True):
            yield self._cases[place]

    def _word_scores(self, summary: str) -> dict[int, float]:
        """Place of a case -> how much of the summary's weight it shares, 0 to 1."""
        count = len(self._cases)
        average = self._length / count if count and self._length else 1.0
        asked = Counter(_words(summary))
        scores: dict[int, float] = defaultdict(float)
        own = 0.0
        for word, times in asked.items():
            holders = self._holders.get(word, [])
            weight = math.log(1 + (count - len(holders) + 0.5) / (len(holders) + 0.5))
            own += weight * _saturated(times, asked.total() / average)
            for place in holders:
                found = self._words[place]
                scores[place] += weight * _saturated(found[word], found.total() / average)
        return {place: min(1.0, score / own) for place, score in scores.items()} if own else {}


def _saturated(times: int, length: float) -> float:
    return times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * length))


def _score(asked: Situation, case: Case, words: float, now: float) -> float:
    """0: not alike."""
    found = case.situation
    rules, others = {asked.rule, *asked.alert_rules}, {found.rule, *found.alert_rules}
    if not rules & others and words < LEAST_WORDS:
        return 0.0
    age_s = max(0.0, now - case.closed_at)
    return (
        SAME_RULE * (asked.rule == found.rule)
        + ALERTS * _overlap(rules, others)
        + WORDS * words
        + VALIDATORS * _overlap(set(asked.validators), set(found.validators))
        + CHAIN * (asked.chain is not None and asked.chain == found.chain)
        + SEVERITY * (asked.severity == found.severity)
        + RECENT * 2 ** -(age_s / HALF_LIFE_S)
    )


def _overlap(one: set[Any], other: set[Any]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
