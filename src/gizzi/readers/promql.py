"""Reads what a Prometheus server (or another PromQL engine) answers, and writes what a query must quote.

Labels come from scraped pages and may say anything; a row that is not what it should be is left out, the others count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from gizzi.readers.text import one_line

Series = tuple[dict[str, str], float]
"""Labels (the metric's name among them as `__name__`, where it has one) and value, which may be nan or infinite."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REGEX_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_HOST = re.compile(r"[\w.:%-]+")
_ONLY_TEXT = {str}
_DEFAULT_PORTS = {"http": 80, "https": 443}


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
        raise UnreadableAnswer("holds no instant vector")
    rows = data.get("result")
    if not isinstance(rows, list):
        raise UnreadableAnswer("has no list of results")
    found = []
    for row in rows:
        try:
            labels, pair = row["metric"], row["value"]
            if type(pair) is list and type(pair[1]) is str and _is_labels(labels):
                found.append((labels, float(pair[1])))
        except (KeyError, IndexError, TypeError, ValueError):
            continue
    return found


def _is_labels(labels: object) -> bool:
    return type(labels) is dict and (not labels or set(map(type, labels.values())) == _ONLY_TEXT)


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
    if not isinstance(labels, dict) or not _is_labels(labels) or not isinstance(scrape_url, str):
        return None
    pool, health, error = row.get("scrapePool"), row.get("health"), row.get("lastError")
    return Target(
        labels=labels,
        scrape_url=scrape_url,
        pool=pool if isinstance(pool, str) else labels.get("job", ""),
        health="up" if health == "up" else "down" if health == "down" else "unknown",
        error=one_line(error) if isinstance(error, str) else "",
    )


def _data(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise UnreadableAnswer("is no JSON object; is this a Prometheus server?")
    if answer.get("status") == "error":
        reason = answer.get("error") or answer.get("errorType")
        raise UnreadableAnswer(f"is an error: {one_line(reason) if isinstance(reason, str) else 'no reason given'}")
    data = answer.get("data")
    if answer.get("status") != "success" or not isinstance(data, dict):
        raise UnreadableAnswer("has no data; is this a Prometheus server?")
    return data


def quoted(text: str) -> str:
    """As a PromQL string literal."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + '"'


def any_of(words: Iterable[str]) -> str:
    """As the literal of a PromQL `=~` that matches exactly these words, in sorted order."""
    return quoted("|".join(_REGEX_SPECIAL.sub(r"\\\g<0>", word) for word in sorted(set(words))))


def endpoint(url: str) -> str | None:
    """host:port of an http(s) address as Prometheus writes it in `instance`, in small letters; None where it is no such address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or not _HOST.fullmatch(host):
        return None
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_of(instance: str) -> str | None:
    """The host in an `instance` label (host:port, host, or an address), in small letters; None where it makes no sense."""
    try:
        return urlsplit(instance if "://" in instance else f"//{instance}").hostname or None
    except ValueError:
        return None
