"""Alerts that no rule of ours raises, but another system, such as Alertmanager: whose they are, and what they become here. Pure.

Labels and annotations come from outside and may say anything: each is cut to one short line, and none is trusted to be there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from gizzi.alerts.alert import Alert, chain_subject, validator_subject
from gizzi.config import Validator
from gizzi.kinds import Severity
from gizzi.readers.promql import endpoint, host_of
from gizzi.readers.text import one_line

PREFIX = "alertmanager:"
MODEL = "model:"
NETWORK = "network"
NUMBER_LABELS = ("validator", "validator_number", "number")
NAME_LABELS = ("validator", "validator_name", "name", "node", "instance", "host", "hostname", "nodename")
CHAIN_LABELS = ("chain", "network")
SEVERITIES: Mapping[str, Severity] = {
    **dict.fromkeys(("critical", "page", "emergency", "fatal", "disaster"), "critical"),
    **dict.fromkeys(("high", "error", "major"), "high"),
    **dict.fromkeys(("low", "info", "informational", "none", "debug", "notice"), "low"),
}
"""How others call them; anything else is medium."""
EXPLAINED_BY = frozenset({"node_down", "process_down", "node_unresponsive"})
"""Where a whole node is gone, whatever another system says of it follows from that."""
MOST_LABELS = 20
_FINGERPRINT = re.compile(r"[0-9A-Za-z_-]{1,32}")


def is_external(rule: str) -> bool:
    """Whether no rule of ours said it, but another system or a model."""
    return rule.startswith((PREFIX, MODEL))


def is_model(rule: str) -> bool:
    """Whether a model said it: nothing is done because of it, and it stays apart from what rules say."""
    return rule.startswith(MODEL)


def source_of(rule: str) -> Literal["rule", "alertmanager", "model"]:
    return "model" if is_model(rule) else "alertmanager" if rule.startswith(PREFIX) else "rule"


def owner(subject: str) -> str:
    """validator/6 of validator/6/9f86d081: whose it is, without the fingerprint."""
    return "/".join(subject.split("/")[:2]) if not subject.startswith(f"{NETWORK}/") else NETWORK


def whose(alert: Alert) -> str:
    """The subject it concerns, without the fingerprint."""
    return owner(alert.subject) if is_external(alert.rule) else alert.subject


@dataclass(frozen=True, slots=True)
class Said:
    """One alert as it was said. since, over_at: epoch seconds; over_at None while it fires."""

    subject: str
    rule: str
    chain: str | None
    validators: tuple[int, ...]
    severity: Severity
    text: str
    since: float
    over_at: float | None
    evidence: tuple[tuple[str, str], ...]


class Owners:
    """Who a label can name. chain_label: of [prometheus], besides the usual ones."""

    def __init__(self, validators: Iterable[Validator], chains: Iterable[str], chain_label: str) -> None:
        self._by_number = {validator.number: validator for validator in validators}
        self._chains = {chain.lower(): chain for chain in chains}
        self._chain_labels = dict.fromkeys((chain_label, *CHAIN_LABELS))
        self._by_word = _only_ones((word, v.number) for v in self._by_number.values() for word in _words(v) if word)

    def validator(self, labels: Mapping[str, str]) -> Validator | None:
        """By its number, then its name, then where it is reached; None where the labels name none, or could mean several."""
        for label in NUMBER_LABELS:
            word = labels.get(label, "").strip()
            if word.isascii() and word.isdigit() and len(word) <= 10 and int(word) in self._by_number:
                return self._by_number[int(word)]
        for label in NAME_LABELS:
            word = labels.get(label, "").strip().lower()
            for known in (word, host_of(word) or "") if label == "instance" else (word,):
                if known in self._by_word:
                    return self._by_number[self._by_word[known]]
        return None

    def chain(self, labels: Mapping[str, str]) -> str | None:
        return next((self._chains[word] for label in self._chain_labels if (word := labels.get(label, "").lower()) in self._chains), None)


def _words(v: Validator) -> Iterable[str | None]:
    """What a label may call it."""
    yield from (v.name, v.host, v.labels.get("instance"))
    yield from (_endpoint(url) for url in (v.metrics_url, v.rpc_url, v.node_exporter_url))
    yield from (_host(url) for url in (v.metrics_url, v.rpc_url))


def _only_ones(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Words that mean one validator; what several share means none."""
    found: dict[str, set[int]] = {}
    for word, number in pairs:
        found.setdefault(word.lower(), set()).add(number)
    return {word: numbers.pop() for word, numbers in found.items() if len(numbers) == 1}


def _endpoint(url: str | None) -> str | None:
    return endpoint(url) if url else None


def _host(url: str | None) -> str | None:
    return host_of(url) if url else None


def said(
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    fingerprint: str,
    *,
    since: float,
    over_at: float | None,
    owners: Owners,
    now: float,
) -> Said:
    """The alert of those labels. Its identity is the fingerprint: what was said before is said again, not anew."""
    name = one_line(labels.get("alertname", ""), 80) or "alert"
    validator = owners.validator(labels)
    chain = validator.chain if validator is not None else owners.chain(labels)
    whose = validator_subject(validator.number) if validator is not None else chain_subject(chain) if chain is not None else NETWORK
    mark = fingerprint if _FINGERPRINT.fullmatch(fingerprint) else _digest(labels)
    summary = next((text for key in ("summary", "description", "message") if (text := annotations.get(key, "").strip())), name)
    shown = ", ".join(f"{one_line(key, 60)}={one_line(value, 120)}" for key, value in islice(sorted(labels.items()), MOST_LABELS))
    return Said(
        subject=f"{whose}/{mark}",
        rule=f"{PREFIX}{name}",
        chain=chain,
        validators=(validator.number,) if validator is not None else (),
        severity=SEVERITIES.get(labels.get("severity", "").strip().lower(), "medium"),
        text=one_line(summary, 600),
        since=min(since, now),
        over_at=None if over_at is None else min(over_at, now),
        evidence=((f"{PREFIX.rstrip(':')}/{mark}", one_line(shown, 1000)),),
    )


def _digest(labels: Mapping[str, str]) -> str:
    """For senders that give no fingerprint of their own."""
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode("utf-8", "replace")).hexdigest()[:16]
