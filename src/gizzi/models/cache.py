"""Answers that may be given again: to the same question, or to one that differs in filler words only.

A near-duplicate has the same words that matter (every number, name, negation and verb) in nearly the same order: "please tell me, is
validator 6 healthy?" is "Is validator 6 healthy?", but never "Is validator 7 healthy?". Nothing that may lead to a write comes from here.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Connection, delete, func, insert, select

from gizzi.clock import Clock
from gizzi.config import Cache
from gizzi.models.task import Answer, Task, Tier, Usage
from gizzi.store import Store
from gizzi.store.ledger_schema import alone, answers

ALIKE = 0.8
"""Least share of equal word pairs (Jaccard) of two questions with the same words that matter."""
_MOST_CANDIDATES = 16
_LONGEST_TEXT = 20_000
"""Characters of a question; a longer one is only ever found word for word."""
_LONGEST_RESPONSE = 200_000
_FILLER_WORDS = "a|an|the|please|kindly|could|can|you|tell|me|us|let|know|hi|hello|hey|gizzi|just|now|currently|well|ok|okay|thanks|thank"
_FILLER = frozenset(_FILLER_WORDS.split("|"))
_WORD = re.compile(r"[^\W_]+(?:[.:/_'’-][^\W_]+)*|[<>=!+*%#$&|^~-]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """near: the question was put in other words. usage: what the answer took when it was made; now it takes nothing."""

    model: str
    tier: Tier
    response: str
    usage: Usage
    stored_at: float
    near: bool


class AnswerCache:
    """In the store, so for every process. `[cache] ttl`, `entries` and `near` bound it."""

    def __init__(self, store: Store, settings: Cache, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    async def get(self, task: Task, tier: Tier, facts: str) -> Hit | None:
        """facts: the version of what the answer rests on (the fleet's status, the role's text): another version, another answer."""
        if not self._may(task):
            return None
        now = self._clock.now()
        key, near, words = _keys(task, tier, facts)

        def work(connection: Connection) -> Hit | None:
            live = answers.c.expires_at > now
            row = connection.execute(select(answers).where(answers.c.key == key, live)).first()
            if row is not None:
                return _hit(row, near=False)
            if not words or not self._settings.near:
                return None
            alike = select(answers).where(answers.c.near == near, live).order_by(answers.c.stored_at.desc()).limit(_MOST_CANDIDATES)
            found = next((row for row in connection.execute(alike) if likeness(words, json.loads(row.words)) >= ALIKE), None)
            return _hit(found, near=True) if found is not None else None

        return await self._store.run(work)

    async def put(self, task: Task, tier: Tier, facts: str, answer: Answer) -> None:
        """Keep an answer. Typed output, cached answers and what may lead to a write are not kept."""
        if not self._may(task) or answer.cached or answer.output is not None or not _storable(answer.response):
            return
        now = self._clock.now()
        key, near, words = _keys(task, tier, facts)
        row = {
            "key": key,
            "near": near,
            "words": json.dumps(words),
            "stored_at": now,
            "expires_at": now + self._settings.ttl_s,
            "model": answer.model,
            "tier": answer.tier,
            "response": answer.response,
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
        }

        def work(connection: Connection) -> None:
            alone(connection)
            connection.execute(delete(answers).where((answers.c.key == key) | (answers.c.expires_at <= now)))
            self._make_room(connection)
            connection.execute(insert(answers), row)

        await self._store.run(work)

    def _may(self, task: Task) -> bool:
        return not task.decides_write and self._settings.ttl_s > 0

    def _make_room(self, connection: Connection) -> None:
        """The oldest answers go, a sixteenth more than needed, so that not every new one has to count and sort."""
        held = connection.execute(select(func.count()).select_from(answers)).scalar_one()
        if held >= self._settings.entries:
            over = held - self._settings.entries + 1 + self._settings.entries // 16
            oldest = select(answers.c.key).order_by(answers.c.stored_at).limit(over)
            connection.execute(delete(answers).where(answers.c.key.in_(oldest)))


def likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """The Jaccard index of the word pairs of two questions, 0 to 1."""
    a, b = _pairs(one), _pairs(other)
    return len(a & b) / len(a | b)


def words_that_matter(text: str) -> list[str]:
    """Its words, folded, without filler; empty where it is too long to compare."""
    if len(text) > _LONGEST_TEXT:
        return []
    return [word for word in _WORD.findall(_folded(text)) if word not in _FILLER]


def _pairs(words: Sequence[str]) -> set[tuple[str, str]]:
    framed = ["", *words, ""]
    return set(pairwise(framed))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


def _keys(task: Task, tier: Tier, facts: str) -> tuple[str, str, list[str]]:
    """The exact key, the key that near-duplicates share, and the words that matter."""
    scope = [tier, task.model, task.role, task.kind, task.private, sorted(task.needs), facts]
    words = words_that_matter(task.text)
    return _hash([*scope, " ".join(_folded(task.text).split())]), _hash([*scope, sorted(words)]), words


def _storable(response: str) -> bool:
    """Short enough, and text that every database takes: PostgreSQL has no NUL, and lone surrogates are no text."""
    return len(response) <= _LONGEST_RESPONSE and not re.search("[\0\ud800-\udfff]", response)


def _hash(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _hit(row: object, *, near: bool) -> Hit:
    at = row._mapping  # type: ignore[attr-defined]
    usage = Usage(at["input_tokens"], at["output_tokens"])
    return Hit(at["model"], at["tier"], at["response"], usage, at["stored_at"], near)
