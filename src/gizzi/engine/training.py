"""Closed incidents as examples to train a model on: chat messages, redacted, without doubles, split by time. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gizzi.memory.case import Case
from gizzi.models.redact import Redactor

DECISIONS = ("restart", "wait", "investigate", "escalate")
HELD_BACK = 5
"""One example in so many, the newest, is kept for the test."""
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Example:
    """closed_at: epoch seconds. like: equal for examples that differ in numbers alone."""

    closed_at: float
    rule: str
    action: str
    messages: tuple[Mapping[str, str], ...]
    like: str

    def line(self) -> str:
        return json.dumps({"messages": list(self.messages)}, ensure_ascii=False) + "\n"


@dataclass
class TrainingSet:
    """train is older than test. left_out: cases by the reason why they are in neither. redacted: what was taken out, by kind."""

    train: list[Example] = field(default_factory=list)
    test: list[Example] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    redacted: Counter[str] = field(default_factory=Counter)
    cases: int = 0


def training_set(cases: Iterable[Case], instructions: str, words: frozenset[str] | None = None) -> TrainingSet:
    """instructions: the system message. words: the BIP-39 list for finding mnemonics, where there is one."""
    found = TrainingSet()
    examples: dict[str, Example] = {}
    for case in sorted(cases, key=lambda case: (case.closed_at, case.number)):
        found.cases += 1
        wanted = _answer(case)
        if isinstance(wanted, str):
            found.left_out[wanted] += 1
            continue
        example = _example(case, wanted, instructions, words, found.redacted)
        if example.like in examples:
            found.left_out["the same as another but for its numbers"] += 1
        else:
            examples[example.like] = example
    _split(list(examples.values()), found)
    return found


def _answer(case: Case) -> dict[str, Any] | str:
    """What a model should have said; or, as text, why the case cannot tell."""
    if case.decision not in DECISIONS:
        return "no decision of ours"
    evidence = [{"observation": name, "quote": quote} for name, quote in case.evidence]
    match case.verdict:
        case "resolved":
            return {"action": case.decision, "reasoning": case.reasoning, "evidence": evidence}
        case "not_resolved" | "worse":
            return {"action": "escalate", "reasoning": f"{_tried(case)} A person must decide.", "evidence": evidence}
        case "unknown":
            return "the verdict is unknown"
        case _:
            return "no action, so no verdict"


def _tried(case: Case) -> str:
    return (
        f"The action {case.action or case.decision} did not help."
        if case.verdict == "not_resolved"
        else f"It was worse after {case.action}."
    )


def _question(case: Case) -> str:
    seen = case.situation
    lines = [
        f"Rule: {seen.rule} ({seen.severity})",
        f"Chain: {seen.chain or 'unknown'}",
        f"Validators: {', '.join(map(str, seen.validators)) or 'none'}",
        f"Alerts: {', '.join(seen.alert_rules) or seen.rule}",
        f"Summary: {seen.summary}",
        *(f"{name}: {quote}" for name, quote in case.evidence),
    ]
    return "\n".join(lines if case.verdict == "resolved" else [*lines, f"Tried: {_tried(case)}"])


def _example(case: Case, wanted: Mapping[str, Any], instructions: str, words: frozenset[str] | None, counts: Counter[str]) -> Example:
    redactor = Redactor(private_addresses=True, words=words)

    def clean(text: str) -> str:
        shown = redactor.redact(text)
        counts.update(shown.found)
        return shown.text

    question = clean(_question(case))
    evidence = [{"observation": item["observation"], "quote": clean(item["quote"])} for item in wanted["evidence"]]
    answer = {"action": wanted["action"], "reasoning": clean(wanted["reasoning"]), "evidence": evidence}
    messages = (
        {"role": "system", "content": instructions},
        {"role": "user", "content": question},
        {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)},
    )
    return Example(case.closed_at, case.situation.rule, wanted["action"], messages, f"{wanted['action']}\n{_DIGITS.sub('0', question)}")


def _split(examples: list[Example], into: TrainingSet) -> None:
    """By the time at which the incidents were closed; those of one moment stay together."""
    held = len(examples) // HELD_BACK
    from_at = examples[-held].closed_at if held else float("inf")
    into.train = [example for example in examples if example.closed_at < from_at]
    into.test = [example for example in examples if example.closed_at >= from_at]
