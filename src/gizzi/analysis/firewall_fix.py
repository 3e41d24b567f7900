"""The change that mends a finding, in the syntax in which the rules were listed. Nothing here is carried out: a person does that.

`ADMIN_NETWORK` stands for the network from which the host is administered; the commands refuse it until it is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gizzi.readers.rules import Rule, RuleSet

ADMIN = "ADMIN_NETWORK"
_BEGIN = """\
nft add table inet filter
nft add chain inet filter input '{ type filter hook input priority filter; policy accept; }'
nft add rule inet filter input ct state established,related accept
nft add rule inet filter input iifname lo accept
nft add rule inet filter input meta l4proto { icmp, ipv6-icmp } accept
nft add rule inet filter input ip saddr ADMIN_NETWORK tcp dport 22 accept
nft add rule inet filter input tcp dport 30333 accept
nft chain inet filter input '{ policy drop ; }'"""
_NEW_FAMILY = (
    "-P INPUT ACCEPT",
    "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    "-A INPUT -i lo -j ACCEPT",
    "-A INPUT -p {icmp} -j ACCEPT",
    "-A INPUT -p tcp --dport 30333 -j ACCEPT",
    "-P INPUT DROP",
)


class Fixes:
    """For one listing."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._syntax = rules.syntax

    def close(self, port: int, families: Sequence[int]) -> str:
        """Nobody but the host itself reaches the port."""
        if self._syntax == "ufw":
            return f"ufw prepend deny {port}/tcp"
        if self._syntax == "iptables":
            return _lines(f"{p} -I INPUT ! -i lo -p tcp --dport {port} -j DROP" for p in _programs(families))
        return _lines(f'nft insert rule {chain} iifname != "lo" {only}tcp dport {port} drop' for chain, only in self._chains(families))

    def only_admins(self, port: int, families: Sequence[int]) -> str:
        if self._syntax == "ufw":
            return f"ufw prepend deny {port}/tcp\nufw prepend allow from {ADMIN} to any port {port} proto tcp"
        if self._syntax == "iptables":
            return _lines(
                f"{p} -I INPUT ! -s {ADMIN} -p tcp --dport {port} -m conntrack --ctstate NEW -j DROP" for p in _programs(families)
            )
        lines = []
        for chain, _ in self._chains(families):
            # a packet of the other version never matches `saddr !=`, so each version has its own line
            lines += [
                f"nft insert rule {chain} {'ip' if family == 4 else 'ip6'} saddr != {ADMIN} tcp dport {port} ct state new drop"
                for family in families
                if family in self._rules.chains[chain].families
            ]
        return _lines(lines)

    def open(self, port: int, families: Sequence[int]) -> str:
        if self._syntax == "ufw":
            return f"ufw prepend allow {port}/tcp"
        if self._syntax == "iptables":
            return _lines(f"{p} -I INPUT -p tcp --dport {port} -j ACCEPT" for p in _programs(families))
        return _lines(f"nft insert rule {chain} {only}tcp dport {port} accept" for chain, only in self._chains(families, all_of_them=True))

    def established(self, families: Sequence[int]) -> str:
        if self._syntax == "iptables":
            return _lines(f"{p} -I INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT" for p in _programs(families))
        chains = self._chains(families, all_of_them=True)
        return _lines(f"nft insert rule {chain} {only}ct state established,related accept" for chain, only in chains)

    def loopback(self, families: Sequence[int]) -> str:
        if self._syntax == "iptables":
            return _lines(f"{p} -I INPUT -i lo -j ACCEPT" for p in _programs(families))
        return _lines(f"nft insert rule {chain} {only}iifname lo accept" for chain, only in self._chains(families, all_of_them=True))

    def admit(self, port: int, families: Sequence[int]) -> str:
        """Let the administrators in, by the IP version that they use."""
        if self._syntax == "ufw":
            return f"ufw prepend allow from {ADMIN} to any port {port} proto tcp"
        if self._syntax == "iptables":
            return f"{_programs(families)[0]} -I INPUT -s {ADMIN} -p tcp --dport {port} -j ACCEPT"
        version = "ip" if families[0] == 4 else "ip6"
        chains = self._chains(families[:1], all_of_them=True)
        return _lines(f"nft insert rule {chain} {version} saddr {ADMIN} tcp dport {port} accept" for chain, _ in chains)

    def default_drop(self, families: Sequence[int]) -> str:
        if self._syntax == "ufw":
            return "ufw default deny incoming"
        if self._syntax == "iptables":
            return _lines(f"{p} -P INPUT DROP" for p in _programs(families))
        return _lines(f"nft chain {chain} '{{ policy drop ; }}'" for chain, _ in self._chains(families))

    def other_family(self, families: Iterable[int]) -> str:
        """Filter the IP version that nobody thought of."""
        if self._syntax == "ufw":
            return "sed -i 's/^IPV6=.*/IPV6=yes/' /etc/default/ufw\nufw reload"
        if self._syntax == "iptables":
            return _lines(
                f"{'ip6tables' if family == 6 else 'iptables'} {line.format(icmp='ipv6-icmp' if family == 6 else 'icmp')}"
                for family in sorted(families)
                for line in _NEW_FAMILY
            )
        lines = []
        for family in sorted(families):
            table = f"{'ip6' if family == 6 else 'ip'} filter"
            lines += [
                f"nft add table {table}",
                f"nft add chain {table} input '{{ type filter hook input priority filter; policy accept; }}'",
                f"nft add rule {table} input ct state established,related accept",
                f"nft add rule {table} input iifname lo accept",
                f"nft add rule {table} input meta l4proto {'ipv6-icmp' if family == 6 else 'icmp'} accept",
                f"nft add rule {table} input tcp dport 30333 accept",
                f"nft chain {table} input '{{ policy drop ; }}'",
            ]
        return _lines(lines)

    def begin(self) -> str:
        """A firewall where there is none."""
        if self._syntax == "ufw":
            lines = [f"ufw allow from {ADMIN} to any port 22 proto tcp", "ufw allow 30333/tcp", "ufw default deny incoming", "ufw enable"]
            return _lines(lines)
        if self._syntax == "iptables":
            ssh = f"iptables -I INPUT -s {ADMIN} -p tcp --dport 22 -j ACCEPT"
            return _lines([ssh, self.other_family(self._rules.shown)])
        return _BEGIN

    def delete(self, rule: Rule) -> str:
        if self._syntax == "ufw":
            return f"ufw delete {rule.number}"
        if self._syntax == "iptables":
            program, _, chain = rule.chain.partition(" ")
            return f"{program} {rule.text.replace('-A ', '-D ', 1)}" if chain else ""
        if rule.handle is not None:
            return f"nft delete rule {rule.chain} handle {rule.handle}"
        return f"nft -a list chain {rule.chain}  # shows the rule's handle\nnft delete rule {rule.chain} handle HANDLE"

    def _chains(self, families: Sequence[int], *, all_of_them: bool = False) -> list[tuple[str, str]]:
        """(input chain, what narrows a rule to these IP versions). To drop, one chain will do; all of them must accept."""
        found: dict[str, str] = {}
        for family in families:
            chains = [name for name in reversed(self._rules.inputs) if family in self._rules.chains[name].families]
            for chain in chains if all_of_them else chains[:1]:
                narrow = len(self._rules.chains[chain].families) > len(families)
                found[chain] = f"meta nfproto ipv{family} " if narrow else ""
        return list(found.items())


def _programs(families: Sequence[int]) -> list[str]:
    return ["iptables" if family == 4 else "ip6tables" for family in families]


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)
