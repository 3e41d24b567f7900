"""Firewalls made from a model, with faults planted, and written in three syntaxes: what is wrong with each is known beforehand."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

SYNTAXES = ("nftables", "iptables", "ufw")
FAULTS = (
    "rpc", "old_rpc", "metrics", "node_exporter", "ssh", "default_accept", "no_established", "p2p_closed", "shadowed", "opposite", "ipv6",
    "wide_range",
)  # fmt: skip
KINDS = {9944: "rpc_exposed", 9933: "rpc_exposed", 9615: "metrics_exposed", 9100: "node_exporter_exposed", 22: "ssh_world_open"}


@dataclass(frozen=True)
class Line:
    """ports: "" for all. source: None for anybody. families: which IP versions it is for."""

    action: str = "accept"
    proto: str = "tcp"
    ports: str = ""
    source: str | None = None
    special: str = ""
    planted: bool = False


@dataclass
class Model:
    lines: list[Line]
    policy: str = "drop"
    six: bool = True
    syntax: str = "nftables"
    shadows: set[str] = field(default_factory=set)
    """The listing's lines of planted rules that no packet reaches."""

    def expected(self) -> set[tuple[str, str]]:
        """By looking at the model port by port, as its author meant it."""
        found = set()
        for port in KINDS:
            if self.lets_in(port):
                found.add((KINDS[port], f"{port}/tcp"))
        if not self.lets_in(30333):
            found.add(("p2p_closed", "30333/tcp"))
        if self.policy == "accept":
            found.add(("default_accept", "input"))
        elif not any(line.special == "established" for line in self.lines) and self.syntax != "ufw":
            found.add(("no_established", "input"))
        if not self.six:
            found.add(("ipv6_forgotten", "input"))
        return found

    def lets_in(self, port: int) -> bool:
        for line in self.lines:
            if line.special or line.source is not None or line.proto != "tcp":
                continue
            spans = [span.split("-") for span in line.ports.split(",") if span]
            if not spans or any(int(span[0]) <= port <= int(span[-1]) for span in spans):
                return line.action == "accept"
        return self.policy == "accept"


def make(dice: random.Random, faults: set[str], syntax: str) -> Model:
    """A sound firewall with some rules of no harm, and then the faults."""
    admin = "10.0.0.0/8"
    head = [Line(special="established"), Line(special="lo"), Line(special="icmp")]
    body = [Line(ports="22", source=admin), Line(ports="30333"), Line(ports="9944", source="10.1.2.3")]
    spare = [
        Line(ports="443"),
        Line(ports="9615,9100", source="10.7.0.0/16"),
        Line(proto="udp", ports="51820"),
        Line(action="drop", source="198.51.100.0/24"),
        Line(ports="30334-30340"),
        Line(action="drop", ports="23"),
        Line(special="log"),
        Line(ports="8000-8100,8443"),
    ]
    body += dice.sample(spare, dice.randint(0, len(spare)))
    open_ports = {"rpc": "9944", "old_rpc": "9933", "metrics": "9615", "node_exporter": "9100", "wide_range": "9000-9950"}
    for fault in sorted(faults & open_ports.keys() - ({"rpc", "old_rpc", "metrics", "node_exporter"} if "wide_range" in faults else set())):
        ports = open_ports[fault]
        if dice.random() < 0.3 and "-" not in ports:
            ports += ",5000"
        body.append(Line(ports=ports))
    if "ssh" in faults:
        body[0] = Line(ports="22")
    if "p2p_closed" in faults:
        body.remove(Line(ports="30333"))
    if "no_established" in faults:
        head = head[1:]
    first, rest = body[:1], body[1:]
    dice.shuffle(rest)
    # what is narrower comes before what is wider, or it would be shadowed without anybody having planted that
    lines = [*head, *sorted([*first, *rest], key=lambda line: (line.source is None, "-" in line.ports))]
    model = Model(lines, "accept" if "default_accept" in faults else "drop", "ipv6" not in faults, syntax)
    if "shadowed" in faults:
        model.lines.append(Line(ports="22", source="10.9.0.0/16", planted=True))
    if "opposite" in faults and "p2p_closed" not in faults:
        model.lines.append(Line(action="drop", ports="30333", planted=True))
    return model


def written(model: Model, dice: random.Random) -> str:
    return {"nftables": _nft, "iptables": _iptables, "ufw": _ufw}[model.syntax](model, dice)


def _nft(model: Model, dice: random.Random) -> str:
    family = "inet" if model.six else "ip"
    named = dice.random() < 0.3
    rows = []
    for line in model.lines:
        row = _nft_row(line, dice, named)
        if line.planted:
            model.shadows.add(row)
        rows.append(f"\t\t{row}")
    head = "\tset admins {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 10.0.0.0/8 }\n\t}\n\n" if named else ""
    other = "table ip nat {\n\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\tmasquerade\n\t}\n}\n"
    chain = f"\tchain input {{\n\t\ttype filter hook input priority filter; policy {model.policy};\n" + "\n".join(rows) + "\n\t}\n"
    forward = "\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n"
    return f"{other if dice.random() < 0.5 else ''}table {family} filter {{\n{head}{chain}{forward}}}\n"


def _nft_row(line: Line, dice: random.Random, named: bool) -> str:
    special = {
        "established": dice.choice(["ct state established,related accept", "ct state { established, related } accept"]),
        "lo": dice.choice(['iifname "lo" accept', 'iif "lo" accept']),
        "icmp": "meta l4proto { icmp, ipv6-icmp } accept",
        "log": 'limit rate 5/minute log prefix "in: " counter packets 3 bytes 180',
    }
    if line.special:
        return special[line.special]
    words = []
    if line.source:
        words.append(f"ip saddr {'@admins' if named and line.source == '10.0.0.0/8' else line.source}")
    if line.ports:
        parts = line.ports.split(",")
        words.append(f"{line.proto} dport {parts[0] if len(parts) == 1 else '{ ' + ', '.join(parts) + ' }'}")
    if dice.random() < 0.3:
        words.append("counter packets 12 bytes 3400")
    words.append(line.action)
    if dice.random() < 0.2:
        words.append('comment "kept, for now { }"')
    return " ".join(words)


def _iptables(model: Model, dice: random.Random) -> str:
    parts = []
    for program in ("iptables", "ip6tables"):
        rows = []
        for line in model.lines:
            six = program == "ip6tables"
            if six and (not model.six or (line.source and ":" not in line.source)):
                continue
            row = _iptables_row(line, dice, six)
            if line.planted:
                model.shadows.add(row)
            rows.append(row)
        policy = "ACCEPT" if program == "ip6tables" and not model.six else model.policy.upper()
        head = f"# Generated by {program}-save v1.8.9 (nf_tables) on Mon Nov 23 01:00:00 2026\n*filter\n"
        chains = f":INPUT {policy} [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
        parts.append(head + chains + "".join(row + "\n" for row in rows) + "COMMIT\n# Completed\n")
    return "".join(parts)


def _iptables_row(line: Line, dice: random.Random, six: bool) -> str:
    special = {
        "established": dice.choice(["-m conntrack --ctstate RELATED,ESTABLISHED", "-m state --state RELATED,ESTABLISHED"]) + " -j ACCEPT",
        "lo": "-i lo -j ACCEPT",
        "icmp": f"-p {'ipv6-icmp' if six else 'icmp'} -j ACCEPT",
        "log": '-m limit --limit 5/min -j LOG --log-prefix "in: "',
    }
    if line.special:
        return f"-A INPUT {special[line.special]}"
    words = ["-A INPUT"]
    if line.source:
        words.append(f"-s {line.source}")
    if line.ports:
        ports = line.ports.replace("-", ":")
        words.append(f"-p {line.proto} " + (f"-m multiport --dports {ports}" if "," in ports else f"-m {line.proto} --dport {ports}"))
    if dice.random() < 0.2:
        words.append('-m comment --comment "kept for now -j DROP"')
    words.append(f"-j {line.action.upper()}")
    return " ".join(words)


def _ufw(model: Model, dice: random.Random) -> str:
    numbered = dice.random() < 0.3
    rows = []
    for six in (False, True):
        for line in model.lines:
            if line.special or (six and (not model.six or line.source)):
                continue
            mark = " (v6)" if six else ""
            to = f"{line.ports.replace('-', ':')}/{line.proto}{mark}" if line.ports else f"Anywhere{mark}"
            action = "ALLOW" if line.action == "accept" else "DENY"
            source = line.source or f"Anywhere{mark}"
            row = f"{to:<26} {action + ' IN':<11} {source}"
            if line.planted:
                model.shadows.add(" ".join(row.split()))
            rows.append(f"[{len(rows) + 1:2d}] {row}" if numbered else row)
    default = "allow" if model.policy == "accept" else "deny"
    head = f"Status: active\nLogging: on (low)\nDefault: {default} (incoming), allow (outgoing), disabled (routed)\nNew profiles: skip\n"
    return f"{head}\nTo                         Action      From\n--                         ------      ----\n" + "\n".join(rows) + "\n"
