"""Operators' questions with the tier that each needs: 200 of our own, half to write the rules by, half held out to judge them.

local: a glance at live status, or a few log lines in other words. standard: code, arithmetic, knowledge, explanations. frontier: decisions
and their consequences, governance, plans for a fleet, grave security matters. An adversarial one has words that point to another tier. A
critical one is asked with `critical` set, and needs the frontier whatever its words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gizzi.models.catalogue import MODEL_TIERS
from gizzi.models.task import TIERS, Tier

FOLDER = Path(__file__).with_name("questions")
Half = Literal["development", "held_out"]
HALVES: tuple[Half, ...] = ("development", "held_out")


@dataclass(frozen=True, slots=True)
class Question:
    """kind: what it is about. tier: the lowest that can answer it."""

    text: str
    kind: str
    tier: Tier
    critical: bool
    adversarial: bool


def questions(half: Half) -> tuple[Question, ...]:
    lines = (FOLDER / f"{half}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Question(**json.loads(line)) for line in lines)


@dataclass(frozen=True, slots=True)
class Score:
    """confusion: how many questions that need the first tier went to the second."""

    confusion: Mapping[tuple[Tier, Tier], int]
    critical: int
    critical_to_frontier: int

    @property
    def count(self) -> int:
        return sum(self.confusion.values())

    @property
    def right_or_above(self) -> float:
        good = sum(n for (needs, got), n in self.confusion.items() if TIERS.index(got) >= TIERS.index(needs))
        return good / self.count

    @property
    def right(self) -> float:
        return sum(n for (needs, got), n in self.confusion.items() if needs == got) / self.count

    @property
    def needless_frontier(self) -> float:
        """Of the questions that do not need the frontier tier, the share that went there."""
        others = {pair: n for pair, n in self.confusion.items() if pair[0] != "frontier"}
        return sum(n for (_, got), n in others.items() if got == "frontier") / (sum(others.values()) or 1)

    def as_json(self) -> dict[str, Any]:
        return {
            "questions": self.count,
            "right": round(self.right, 4),
            "right_or_above": round(self.right_or_above, 4),
            "needless_frontier": round(self.needless_frontier, 4),
            "critical": self.critical,
            "critical_to_frontier": self.critical_to_frontier,
            "confusion": {needs: {got: self.confusion.get((needs, got), 0) for got in TIERS} for needs in MODEL_TIERS},
        }


def score(asked: Iterable[Question], tier_of: Callable[[Question], Tier]) -> Score:
    confusion: dict[tuple[Tier, Tier], int] = {}
    critical = found = 0
    for question in asked:
        got = tier_of(question)
        confusion[question.tier, got] = confusion.get((question.tier, got), 0) + 1
        critical += question.critical
        found += question.critical and got == "frontier"
    return Score(confusion, critical, found)
