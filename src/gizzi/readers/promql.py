"""Reads what a Prometheus server (or another PromQL engine) answers, and writes what a query must quote.

Labels come from scraped pages and may say anything; a row that is not what it should be is left out, the others count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Series = tuple[dict[str, str], float]
"""Labels (the metric's name among them as `__name__`, where it has one) and value, which may be nan or infinite."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_REGEX_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_SHOWN_CHARS = 200
_ONLY_TEXT = {str}


class UnreadableAnswer(ValueError):
    """The answer is not what the API promises, or says why it failed; the text follows "the answer"."""


@dataclass(frozen=True, slots=True)
class Target:
    """One scrape target. health: "unknown" until it was scraped once. error: why the last scrape failed, empty where it did not."""

    labels: dict[str, str]
    scrape_url: str
    pool: str
    health: Literal["up", "down", "unknown"]
    error: str


def vector(answer: object) -> list[Series]:
    """The series of an instant query's answer, in its order. Histogram rows are left out. Raises UnreadableAnswer, nothing else."""
    data = _data(answer)
    if data.get("resultType") != "vector":
        raise UnreadableAnswer(f"holds {plain(data.get('resultType'))} where an instant vector was expected")
    rows = data.get("result")
    if not isinstance(rows, list):
        raise UnreadableAnswer("has no list of results")
    found = []
    for row in rows:
        try:
            labels, (_, value) = row["metric"], row["value"]
            if type(value) is str and type(labels) is dict and (not labels or set(map(type, labels.values())) == _ONLY_TEXT):
                found.append((labels, float(value)))
        except (KeyError, TypeError, ValueError):
            continue
    return found


def targets(answer: object) -> list[Target]:
    """The active targets of an answer to /api/v1/targets, in its order. Raises UnreadableAnswer, nothing else."""
    rows = _data(answer).get("activeTargets")
    if not isinstance(rows, list):
        raise UnreadableAnswer("has no list of active targets")
    return [target for target in map(_target, rows) if target is not None]


def _target(row: object) -> Target | None:
    if not isinstance(row, dict):
        return None
    labels, scrape_url = row.get("labels"), row.get("scrapeUrl")
    if not isinstance(labels, dict) or not isinstance(scrape_url, str) or not all(isinstance(value, str) for value in labels.values()):
        return None
    pool, health = row.get("scrapePool"), row.get("health")
    return Target(
        labels=labels,
        scrape_url=scrape_url,
        pool=pool if isinstance(pool, str) else labels.get("job", ""),
        health="up" if health == "up" else "down" if health == "down" else "unknown",
        error=plain(row.get("lastError") or ""),
    )


def _data(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise UnreadableAnswer("is no JSON object: this is not the API of a Prometheus server")
    if answer.get("status") == "error":
        raise UnreadableAnswer(f"is an error: {plain(answer.get('error') or answer.get('errorType') or 'no reason given')}")
    data = answer.get("data")
    if answer.get("status") != "success" or not isinstance(data, dict):
        raise UnreadableAnswer("has no data: this is not the API of a Prometheus server")
    return data


def plain(text: object) -> str:
    """Foreign text as one bounded line without control characters."""
    shown = _CONTROL.sub(" ", text if isinstance(text, str) else type(text).__name__).strip()
    return shown if len(shown) <= _SHOWN_CHARS else shown[: _SHOWN_CHARS - 1] + "…"


def quoted(text: str) -> str:
    """As a PromQL string literal."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _CONTROL.sub(lambda found: "".join(f"\\u{ord(char):04x}" for char in found[0]), text) + '"'


def any_of(words: Iterable[str]) -> str:
    """As the literal of a PromQL `=~` that matches exactly these words, in sorted order."""
    return quoted("|".join(_REGEX_SPECIAL.sub(r"\\\g<0>", word) for word in sorted(set(words))))
