"""A host's firewall as rules and chains, whatever syntax it was listed in: what `nftables`, `iptables` and `ufw` are read into."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Syntax = Literal["nftables", "iptables", "ufw"]
Verdict = Literal["accept", "drop", "jump", "goto", "return", "none"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ports = tuple[tuple[int, int], ...]
BOTH = frozenset((4, 6))
MOST_RULES = 5_000
SERVICES = {"ssh": 22, "http": 80, "https": 443, "domain": 53, "ftp": 21, "smtp": 25, "ntp": 123, "telnet": 23}


class UnreadableRules(ValueError):
    """The text is no listing of a firewall; the text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. What is None matches everything. number: its place in its chain, from 1; for ufw that of `status numbered`.

    limited: it matches only so often. unclear: a condition that is not understood here, so whether it matches is not known.
    """

    chain: str
    number: int
    text: str
    verdict: Verdict
    target: str = ""
    families: frozenset[int] = BOTH
    protos: frozenset[str] | None = None
    ports: Ports | None = None
    sources: tuple[Network, ...] | None = None
    not_sources: bool = False
    destinations: tuple[Network, ...] | None = None
    interfaces: tuple[str, ...] | None = None
    not_interfaces: bool = False
    states: frozenset[str] | None = None
    limited: bool = False
    unclear: str = ""
    handle: int | None = None


@dataclass(slots=True)
class Chain:
    """policy: what happens to what no rule decides; None for a chain that is only jumped to."""

    name: str
    families: frozenset[int]
    policy: Literal["accept", "drop"] | None = None
    rules: list[Rule] = field(default_factory=list)
    priority: int = 0


@dataclass(slots=True)
class RuleSet:
    """inputs: the chains that every arriving packet goes through, by name. shown: the IP versions whose rules the listing holds.

    policy_shown: whether it tells what happens by default.
    """

    syntax: Syntax
    chains: dict[str, Chain]
    inputs: list[str]
    shown: frozenset[int] = BOTH
    active: bool = True
    policy_shown: bool = True


_PORT = re.compile(r"([0-9]{1,5})(?:[-:]([0-9]{1,5}))?")


def ports_of(words: Iterable[str]) -> Ports | None:
    """None where one of them is none."""
    found = []
    for word in words:
        number = SERVICES.get(word)
        match = _PORT.fullmatch(word) if number is None else None
        if number is not None:
            found.append((number, number))
        elif match and int(match[1]) <= int(match[2] or match[1]) <= 65535:
            found.append((int(match[1]), int(match[2] or match[1])))
        else:
            return None
    return tuple(found)


def networks_of(words: Iterable[str]) -> tuple[Network, ...] | None:
    """None where one of them is no address."""
    try:
        return tuple(network for word in words for network in _network(word))
    except ValueError:
        return None


def _network(word: str) -> Iterable[Network]:
    first, dash, last = word.partition("-")
    if not dash:
        return (ipaddress.ip_network(word, strict=False),)
    return tuple(ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last)))
