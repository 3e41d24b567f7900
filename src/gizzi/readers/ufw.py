"""What `ufw status`, `ufw status verbose` and `ufw status numbered` print, as rules."""

from __future__ import annotations

import re
from typing import Any, Literal

from gizzi.readers.rules import BOTH, MOST_RULES, Chain, Rule, RuleSet, UnreadableRules, networks_of, ports_of

CHAIN = "ufw"
_STATUS = re.compile(r"^Status: (active|inactive)\s*$", re.MULTILINE)
_DEFAULT = re.compile(r"^Default: (allow|deny|reject) \(incoming\)", re.MULTILINE)
_ROW = re.compile(r"(?:\[ ?([0-9]{1,5})\] )?(\S.*?)\s+(ALLOW|DENY|REJECT|LIMIT)(?: (IN|OUT|FWD))?\s+(\S.*?)\s*(?:#.*)?")
_TO = re.compile(r"(?:([0-9a-fA-F.:/]+) )?(?:([0-9,:]+)(?:/(tcp|udp))?|Anywhere(?:/(tcp|udp))?)(?: \(v6\))?(?: on (\S+))?(?: \(v6\))?")
_FROM = re.compile(r"(Anywhere|[0-9a-fA-F.:]+(?:/[0-9]{1,3})?)(?:/(?:tcp|udp))?( [0-9,:]+(?:/(?:tcp|udp))?)?(?: \(v6\))?(?: \(log[^)]*\))?")
_PROFILES = {
    "OpenSSH": "22",
    "SSH": "22",
    "WWW": "80",
    "WWW Full": "80,443",
    "Nginx Full": "80,443",
    "Nginx HTTP": "80",
    "Nginx HTTPS": "443",
}


def rule_set(text: str) -> RuleSet:
    """Raises UnreadableRules. A listing without the line `Default:` says nothing of the policy; ufw's own, deny, is taken."""
    status = _STATUS.search(text)
    if status is None:
        raise UnreadableRules("it is not what `ufw status` prints")
    default = _DEFAULT.search(text)
    policy: Literal["accept", "drop"] = "accept" if default and default[1] == "allow" else "drop"
    active = status[1] == "active"
    chain = Chain(CHAIN, BOTH, policy if active else "accept")
    for line in text.split("\n") if active else ():
        row = _ROW.fullmatch(line.strip())
        if row and row[4] in (None, "IN") and len(chain.rules) < MOST_RULES:
            chain.rules.append(_rule(row, line.strip(), len(chain.rules) + 1))
    return RuleSet("ufw", {CHAIN: chain}, [CHAIN], BOTH, active, default is not None or not active)


def _rule(row: re.Match[str], text: str, number: int) -> Rule:
    verdict = "accept" if row[3] in ("ALLOW", "LIMIT") else "drop"
    six = "(v6)" in row[2] or "(v6)" in row[5]
    read: dict[str, Any] = {"families": frozenset((6 if six else 4,)), "limited": row[3] == "LIMIT"}
    to, source = _TO.fullmatch(row[2]), _FROM.fullmatch(row[5])
    profile = _PROFILES.get(row[2].removesuffix(" (v6)"))
    if profile:
        read |= {"protos": frozenset(("tcp",)), "ports": ports_of(profile.split(","))}
    elif to is None:
        read["unclear"] = row[2][:60]
    else:
        _destination(to, read)
    if source is None or source[2]:
        read["unclear"] = row[5][:60]
    elif source[1] != "Anywhere":
        read["sources"] = networks_of([source[1]])
        read["families"] = frozenset((6 if ":" in source[1] else 4,))
    return Rule(CHAIN, int(row[1] or number), text, verdict, **read)  # type: ignore[arg-type]


def _destination(to: re.Match[str], read: dict[str, Any]) -> None:
    address, ports, proto, any_proto, interface = to.groups()
    if ports:
        read["ports"] = ports_of(ports.split(","))
        read["protos"] = frozenset((proto,)) if proto else frozenset(("tcp", "udp"))
    elif any_proto:
        read["protos"] = frozenset((any_proto,))
    if address:
        read["destinations"] = networks_of([address])
    if interface:
        read["interfaces"] = (interface,)
