"""Whose is a Prometheus server's scrape target? Answered from the target's own labels, never from what the scraped page says of itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gizzi import Validator
from gizzi.readers.promql import Series, endpoint, host_of

METRICS_PORT = 9615
_NAME_LABELS = ("validator", "name", "node")
_BY_NAME_RANK = 5

Samples = dict[str, list[Series]]


class Target:
    """One target of the server. age_s: how old its latest scrape is by the server's clock, None where it is not known."""

    __slots__ = ("age_s", "answered", "labels", "samples")

    def __init__(self, labels: Mapping[str, str], answered: bool, age_s: float | None) -> None:
        self.labels = labels
        self.answered = answered
        self.age_s = age_s
        self.samples: Samples = {}


class Targets:
    """The targets in an answer about `up`, with the ages of their latest scrapes, and then their samples."""

    def __init__(self, up: Iterable[Series], ages: Iterable[Series]) -> None:
        age_of = {frozenset(labels.items()): age for labels, age in ages if age == age}
        self._by_place: dict[tuple[str | None, str | None], list[Target]] = {}
        for labels, value in up:
            own = {key: text for key, text in labels.items() if key != "__name__"}
            target = Target(own, value == 1, age_of.get(frozenset(own.items())))
            self._by_place.setdefault((own.get("job"), own.get("instance")), []).append(target)

    def __iter__(self) -> Any:
        return (target for places in self._by_place.values() for target in places)

    def add(self, rows: Iterable[Series], name: str | None = None) -> None:
        """File samples with their targets, under `name` or their own; those of no target are left out."""
        for row in rows:
            labels = row[0]
            found = self._by_place.get((labels.get("job"), labels.get("instance")))
            if found is not None:
                target = found[0] if len(found) == 1 else _of_replica(found, labels)
                if target is not None:
                    target.samples.setdefault(name or labels.get("__name__", ""), []).append(row)


def _of_replica(found: Sequence[Target], labels: Mapping[str, str]) -> Target | None:
    """Which of several targets of one job and instance (say, of two servers of a pair) a sample is of; None where that is not clear."""
    matching = [target for target in found if target.labels.items() <= labels.items()]
    return matching[0] if len(matching) == 1 else None


class Owners:
    """Validators by what the labels of a target can say. What two validators claim alike, says nothing."""

    def __init__(self, validators: Iterable[Validator]) -> None:
        validators = tuple(validators)
        self._by_instance: dict[str, tuple[int, int] | None] = {}
        self._by_name: dict[str, int | None] = {}
        self._by_host: dict[str, list[Validator]] = {}
        for rank, claims in enumerate(zip(*map(_claims, validators), strict=True)):
            found = _settled(zip(claims, validators, strict=True))
            for word, number in found.items():
                self._by_instance.setdefault(word, None if number is None else (rank, number))
        self._by_name = _settled((name, v) for v in validators for name in (v.name, str(v.number)))
        for validator in validators:
            for host in _hosts(validator):
                self._by_host.setdefault(host, []).append(validator)

    def by_instance(self, labels: Mapping[str, str]) -> tuple[int, int] | None:
        """The validator whose node is at this target's address, as (how sure, 0 the surest; its number); None where that is not clear."""
        instance = labels.get("instance", "")
        return self._by_instance.get(instance) or self._by_instance.get(instance.lower())

    def by_name(self, labels: Mapping[str, str]) -> tuple[int, int] | None:
        """The validator that this target is labelled with, in the same form: the target is its node, or something else of it."""
        for label in _NAME_LABELS:
            number = self._by_name.get(labels.get(label, ""))
            if number is not None:
                return _BY_NAME_RANK, number
        return None

    def at_host_of(self, labels: Mapping[str, str]) -> Sequence[Validator]:
        """The validators on the target's host."""
        return self._by_host.get(host_of(labels.get("instance", "")) or "", ())


def _claims(validator: Validator) -> tuple[str | None, str | None, str | None, str | None, str | None]:
    """The `instance` by which it may be known, the surest first. One in its own labels is the only one."""
    stated = validator.labels.get("instance")
    if stated:
        return stated, None, None, None, None
    page = endpoint(validator.metrics_url) if validator.metrics_url else None
    host = validator.host.lower() if validator.host else None
    port = page.rpartition(":")[2] if page else METRICS_PORT
    usual = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}") if host else None
    return None, page, usual, host, validator.name


def _settled(claims: Iterable[tuple[str | None, Validator]]) -> dict[str, int | None]:
    """Each word's only claimant; None where there are several."""
    found: dict[str, int | None] = {}
    for word, validator in claims:
        if word:
            found[word] = validator.number if found.get(word, validator.number) == validator.number else None
    return found


def _hosts(validator: Validator) -> set[str]:
    """Its host by all its names. Not loopback: on the server's side that is another machine."""
    named = {host_of(validator.metrics_url or ""), host_of(validator.host or ""), host_of(validator.labels.get("instance", ""))}
    return {host for host in named if host and not _is_loopback(host)}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
