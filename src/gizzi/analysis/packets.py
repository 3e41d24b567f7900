"""What a firewall does to a stranger's packet, and which of its rules no packet reaches. Rules that are not understood decide nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from gizzi.readers.rules import Network, Ports, Rule, RuleSet

MOST_JUMPS = 16
_PRIVATE_INTERFACE = re.compile(r"(?:lo|docker|br-|veth|wg|tun|tap|tailscale|virbr|vmnet|cni|flannel|cali|podman|zt|lxc|lxd)[\w.+*-]*")
"""Interfaces behind which no stranger stands."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A first packet of a stranger on the internet to one port; or, with state established, one that answers."""

    family: int
    proto: str
    port: int
    state: str = "new"


@dataclass(frozen=True, slots=True)
class Fate:
    """rule: what decided; None: a policy. doubts: rules before it that might have decided otherwise, and are not understood."""

    verdict: Literal["accept", "drop"]
    rule: Rule | None
    doubts: tuple[Rule, ...] = ()


def fate_of(packet: Packet, rules: RuleSet) -> Fate:
    """Every chain of the input must let it through; a listing without chains lets everything."""
    doubts: list[Rule] = []
    last = Fate("accept", None)
    for name in rules.inputs:
        chain = rules.chains[name]
        if packet.family not in chain.families:
            continue
        verdict, rule = _through(packet, name, rules, doubts, 0)
        if verdict not in ("accept", "drop"):
            verdict, rule = chain.policy or "accept", None
        if verdict == "drop":
            return Fate("drop", rule, tuple(doubts))
        last = Fate("accept", rule)
    return Fate(last.verdict, last.rule, tuple(doubts))


def _through(packet: Packet, name: str, rules: RuleSet, doubts: list[Rule], depth: int) -> tuple[str, Rule | None]:
    """ "none" where the chain decides nothing."""
    chain = rules.chains.get(name)
    if chain is None or depth > MOST_JUMPS:
        return "none", None
    for rule in chain.rules:
        if rule.verdict == "none" or not _matches(packet, rule):
            continue
        if rule.unclear or (rule.limited and rule.verdict != "accept"):
            if rule.verdict in ("accept", "drop"):
                doubts.append(rule)
            continue
        if rule.verdict in ("accept", "drop"):
            return rule.verdict, rule
        if rule.verdict == "return":
            return "none", None
        verdict, decided = _through(packet, rule.target, rules, doubts, depth + 1)
        if verdict != "none" or rule.verdict == "goto":
            return verdict, decided
    return "none", None


def _matches(packet: Packet, rule: Rule) -> bool:
    if packet.family not in rule.families or (rule.protos is not None and packet.proto not in rule.protos):
        return False
    if rule.ports is not None and not any(first <= packet.port <= last for first, last in rule.ports):
        return False
    if rule.states is not None and packet.state not in rule.states:
        return False
    if rule.sources is not None and (any(net.prefixlen == 0 for net in rule.sources) == rule.not_sources):
        return False
    if rule.destinations is not None and all(net.is_loopback for net in rule.destinations):
        return False
    if rule.interfaces is not None:
        private = any(_PRIVATE_INTERFACE.fullmatch(name) for name in rule.interfaces)
        return private == rule.not_interfaces
    return True


def shadowed(rules: RuleSet) -> Iterator[tuple[Rule, Rule]]:
    """(rule, the earlier rule of its chain that takes all of its packets), for each rule that no packet reaches."""
    for chain in rules.chains.values():
        ends: list[Rule] = []
        for rule in chain.rules:
            if rule.verdict == "none":
                continue
            earlier = next((end for end in ends if covers(end, rule)), None)
            if earlier is not None:
                yield rule, earlier
            elif rule.verdict in ("accept", "drop", "return", "goto") and not rule.limited and not rule.unclear:
                ends.append(rule)


def covers(earlier: Rule, later: Rule) -> bool:
    """Whether every packet that the later rule matches is matched by the earlier one."""
    return (
        later.families <= earlier.families
        and _within(later.protos, earlier.protos)
        and _within(later.states, earlier.states)
        and (earlier.ports is None or (later.ports is not None and all(_spans(earlier.ports, span) for span in later.ports)))
        and _same_or_any(earlier.interfaces, earlier.not_interfaces, later.interfaces, later.not_interfaces)
        and _networks(earlier.sources, later.sources, earlier.not_sources, later.not_sources)
        and _networks(earlier.destinations, later.destinations, False, False)
    )


def _within(later: frozenset[str] | None, earlier: frozenset[str] | None) -> bool:
    return earlier is None or (later is not None and later <= earlier)


def _spans(ports: Ports, span: tuple[int, int]) -> bool:
    at = span[0]
    for first, last in sorted(ports):
        if first <= at <= last:
            at = last + 1
    return at > span[1]


def _same_or_any(earlier: tuple[str, ...] | None, not_earlier: bool, later: tuple[str, ...] | None, not_later: bool) -> bool:
    return earlier is None or (later is not None and not_earlier == not_later and set(later) == set(earlier))


def _networks(earlier: tuple[Network, ...] | None, later: tuple[Network, ...] | None, not_earlier: bool, not_later: bool) -> bool:
    if earlier is None:
        return True
    if later is None:
        return not not_earlier and all_of(earlier)
    if not_earlier or not_later:
        return not_earlier == not_later and set(earlier) == set(later)
    return all(any(_subnet(net, wider) for wider in earlier) for net in later)


def all_of(networks: tuple[Network, ...]) -> bool:
    """Whether they hold every address of a version."""
    return any(net.prefixlen == 0 for net in networks)


@cache
def _subnet(net: Network, wider: Network) -> bool:
    return net.version == wider.version and net.subnet_of(wider)  # type: ignore[arg-type]
