"""What `nft list ruleset` prints, with or without `-a`, as rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gizzi.readers.rules import BOTH, MOST_RULES, Chain, Rule, RuleSet, UnreadableRules, networks_of, ports_of

_TABLE = re.compile(r"table (\w{1,10}) (\S{1,64}) \{")
_CHAIN = re.compile(r"chain (\S{1,64}) \{")
_SET = re.compile(r"(?:set|map) (\S{1,64}) \{")
_HOOK = re.compile(r"type \w+ hook (\w+)(?: device \S+)? priority ([^;]{1,40});(?: policy (\w+);)?")
_HANDLE = re.compile(r"\s*# handle ([0-9]{1,9})\s*$")
_TOKEN = re.compile(r'"[^"]*"|[{},;:]|!=|[^\s{},;"]+')
_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_FAMILIES = {"ip": frozenset((4,)), "ip6": frozenset((6,)), "inet": BOTH}
_SKIPPED = {"counter": 0, "log": 0, "comment": 1}
_VERDICTS = {"accept": "accept", "drop": "drop", "reject": "drop", "return": "return"}


@dataclass
class _Table:
    family: str
    name: str
    sets: dict[str, list[str]] = field(default_factory=dict)

    def full(self, chain: str) -> str:
        return f"{self.family} {self.name} {chain}"


def rule_set(text: str) -> RuleSet:
    """Raises UnreadableRules for what is no ruleset; an empty one is a firewall that lets everything in."""
    chains: dict[str, Chain] = {}
    inputs: list[str] = []
    table: _Table | None = None
    chain: Chain | None = None
    inside: str | None = None
    for line in _whole_lines(text):
        bare = _HANDLE.sub("", line)
        if table is None:
            found = _TABLE.match(bare)
            if found:
                table = _Table(found[1], found[2])
        elif inside is not None:
            if bare == "}":
                inside = None
            elif bare.startswith("elements = {"):
                table.sets[inside] = [t for t in _tokens(bare[len("elements = ") :]) if t not in "{},"]
        elif chain is None:
            if bare == "}":
                table = None
            elif found := _SET.match(bare):
                inside = found[1]
            elif (found := _CHAIN.match(bare)) and table.family in _FAMILIES:
                name = table.full(found[1])
                chain = chains.setdefault(name, Chain(name, _FAMILIES[table.family]))
            elif bare.endswith("{"):
                inside = ""
        elif bare == "}":
            chain = None
        elif found := _HOOK.match(bare):
            if found[1] == "input" and bare.startswith("type filter"):
                chain.policy = "drop" if found[3] == "drop" else "accept"
                chain.priority = _priority(found[2])
                inputs.append(chain.name)
        elif len(chain.rules) < MOST_RULES:
            chain.rules += _rules(line, chain, table)
    if not chains and text.strip() and "table" not in text:
        raise UnreadableRules("it is not what `nft list ruleset` prints")
    inputs.sort(key=lambda name: chains[name].priority)
    return RuleSet("nftables", chains, inputs)


def _whole_lines(text: str) -> Iterator[str]:
    """Each line without its indentation; a set whose elements go over several lines as one."""
    held = ""
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped or (stripped.startswith("#") and not held):
            continue
        held = f"{held} {stripped}" if held else stripped
        opened = held.count("{") - held.count("}")
        if opened > 0 and not (opened == 1 and held.endswith("{") and not held.startswith("elements")) and "# handle" not in held:
            continue
        yield held
        held = ""


def _priority(text: str) -> int:
    name, _, offset = text.replace(" ", "").partition("+")
    if name.lstrip("-").isdigit():
        return int(name)
    word, minus, less = name.partition("-")
    return _PRIORITIES.get(word, 0) + (int(offset) if offset.isdigit() else 0) - (int(less) if minus and less.isdigit() else 0)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text[:20_000])


class _Words:
    """The tokens of one rule, read from the left."""

    def __init__(self, tokens: list[str], sets: dict[str, list[str]]) -> None:
        self._tokens = tokens
        self._sets = sets
        self.at = 0

    def next(self) -> str:
        token = self._tokens[self.at] if self.at < len(self._tokens) else ""
        self.at += 1
        return token

    def peek(self) -> str:
        return self._tokens[self.at] if self.at < len(self._tokens) else ""

    def values(self) -> tuple[list[str], bool, bool]:
        """(values, negated, a map of verdicts): one value, a set in braces, a named one, or a list with commas."""
        negated = self.peek() == "!="
        if negated or self.peek() == "==":
            self.next()
        vmap = self.peek() == "vmap"
        if vmap:
            self.next()
        first = self.next()
        if first.startswith("@"):
            return self._sets.get(first[1:], [first]), negated, vmap
        found = [first]
        if first == "{":
            found = []
            while (token := self.next()) not in ("}", ""):
                found += [token] if token != "," else []
        else:
            while self.peek() == ",":
                self.next()
                found.append(self.next())
        return [word.strip('"') for word in found], negated, vmap


def _rules(line: str, chain: Chain, table: _Table) -> list[Rule]:
    handle = _HANDLE.search(line)
    text = _HANDLE.sub("", line)
    words = _Words(_tokens(text), table.sets)
    read: dict[str, Any] = {"families": chain.families, "handle": int(handle[1]) if handle else None}
    maps: list[tuple[str, str]] = []
    verdict, target = "none", ""
    while token := words.next():
        if token in _VERDICTS:
            verdict = _VERDICTS[token]
            break
        if token in ("jump", "goto"):
            verdict, target = token, table.full(words.next())
            break
        _match(token, words, read, maps)
    base = Rule(chain.name, len(chain.rules) + 1, text, verdict, target, **read)  # type: ignore[arg-type]
    if not maps:
        return [base]
    states: dict[str, set[str]] = {}
    for state, then in maps:
        states.setdefault(_VERDICTS.get(then, "none"), set()).add(state)
    return [replace(base, verdict=then, states=frozenset(of)) for then, of in states.items()]  # type: ignore[arg-type]


def _match(token: str, words: _Words, read: dict[str, Any], maps: list[tuple[str, str]]) -> None:
    """Take in one condition, or one statement that decides nothing."""
    if token == "meta":
        token = words.next()
    if token in ("ip", "ip6"):
        read["families"] = read["families"] & (frozenset((4,)) if token == "ip" else frozenset((6,)))
        _address(words.next(), words, read)
    elif token in ("tcp", "udp", "th", "sctp", "dccp"):
        if token != "th":
            read["protos"] = frozenset((token,))
        which = words.next()
        values, negated, vmap = words.values()
        ports = ports_of(values) if which == "dport" and not negated and not vmap else None
        read.update({"ports": ports} if ports is not None else {"unclear": f"{token} {which}"})
    elif token in ("iif", "iifname"):
        values, negated, _ = words.values()
        read["interfaces"], read["not_interfaces"] = tuple(values), negated
    elif token == "l4proto":
        values, negated, _ = words.values()
        read.update({"unclear": "l4proto !="} if negated else {"protos": frozenset("icmp" if v in ("1", "58") else v for v in values)})
    elif token == "nfproto":
        values, _, _ = words.values()
        read["families"] = read["families"] & frozenset({"ipv4": 4, "ipv6": 6}.get(v, 0) for v in values)
    elif token in ("icmp", "icmpv6"):
        words.next()
        words.values()
        read["protos"] = frozenset((token,))
    elif token == "ct" and words.peek() == "state":
        words.next()
        values, negated, vmap = words.values()
        if vmap:
            maps += [(values[i], values[i + 2]) for i in range(0, len(values) - 2, 3)]
        else:
            states = frozenset(values)
            read["states"] = frozenset(("new", "established", "related", "invalid", "untracked")) - states if negated else states
    else:
        _statement(token, words, read)


def _address(which: str, words: _Words, read: dict[str, Any]) -> None:
    values, negated, vmap = words.values()
    if which in ("protocol", "nexthdr") and not negated:
        read["protos"] = frozenset(values)
        return
    networks = networks_of(values)
    if which == "saddr" and networks is not None and not vmap:
        read["sources"], read["not_sources"] = networks, negated
    elif which == "daddr" and networks is not None and not negated and not vmap:
        read["destinations"] = networks
    else:
        read["unclear"] = f"ip {which}"


def _statement(token: str, words: _Words, read: dict[str, Any]) -> None:
    if token == "counter":
        if words.peek() in ("packets", "name"):
            for _ in range(4 if words.peek() == "packets" else 2):
                words.next()
    elif token == "log":
        while words.peek() in ("prefix", "level", "flags", "group", "snaplen", "queue-threshold"):
            words.next()
            words.next()
    elif token == "comment":
        words.next()
    elif token == "limit":
        read["limited"] = True
        while words.peek() and words.peek() not in (*_VERDICTS, "counter", "log", "jump", "goto", "comment"):
            words.next()
    else:
        read["unclear"] = token.strip('"')[:60]
        while words.peek() and words.peek() not in (*_VERDICTS, "counter", "log", "jump", "goto", "comment", "tcp", "udp"):
            words.next()
