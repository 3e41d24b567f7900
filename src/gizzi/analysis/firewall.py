"""Judges a validator's firewall: `review_firewall_rules`. Each finding comes with the change, in the syntax of the listing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gizzi.analysis.firewall_fix import Fixes
from gizzi.analysis.packets import Fate, Packet, fate_of, shadowed
from gizzi.analysis.report import Evidence, Finding, Report, Severity, evidence, report
from gizzi.readers import iptables, nftables, ufw
from gizzi.readers.rules import Chain, Rule, RuleSet, UnreadableRules

IP = {4: "IPv4", 6: "IPv6"}


@dataclass(frozen=True, slots=True)
class Ports:
    """The validator's ports; what a stranger may reach is p2p alone."""

    rpc: tuple[int, ...] = (9944, 9933)
    metrics: tuple[int, ...] = (9615,)
    node_exporter: tuple[int, ...] = (9100,)
    ssh: tuple[int, ...] = (22,)
    p2p: tuple[int, ...] = (30333,)


_CLOSED: tuple[tuple[str, str, Severity, str], ...] = (
    ("rpc", "rpc_exposed", "critical", "the node's RPC"),
    ("metrics", "metrics_exposed", "high", "the node's metrics page"),
    ("node_exporter", "node_exporter_exposed", "medium", "node_exporter"),
    ("ssh", "ssh_world_open", "medium", "SSH"),
)


def review_firewall_rules(text: str, ports: Ports | None = None) -> Report:
    """text: what nft, iptables-save (and ip6tables-save) or ufw prints. Raises UnreadableRules where it is none of these."""
    return review(read_rules(text), ports or Ports())


def read_rules(text: str) -> RuleSet:
    """Raises UnreadableRules."""
    if "Status: " in text and not any(line.startswith("*filter") for line in text.split("\n")):
        return ufw.rule_set(text)
    if any(line.startswith(("*filter", "*nat", "*raw", "*mangle", "*security")) for line in text.split("\n")):
        return iptables.rule_set(text)
    if text.strip() and "table " not in text:
        raise UnreadableRules("these are no rules of nft, iptables-save or ufw; give what `nft list ruleset` prints")
    return nftables.rule_set(text)


def review(rules: RuleSet, ports: Ports) -> Report:
    found: list[Finding] = []
    doubts: dict[Rule, None] = {}
    fixes = Fixes(rules)
    filtered = _filtered(rules)
    if not filtered:
        found.append(_no_firewall(rules, fixes))
    open_by_policy = [family for family in sorted(filtered) if _fate(rules, doubts, family, 1).rule is None and _open(rules, family, 1)]
    if open_by_policy:
        versions = " and ".join(IP[family] for family in open_by_policy)
        text = f"what no rule decides is let in, over {versions}: every port that somebody opens later is open to the world"
        fix = "\n".join([*_before_drop(rules, ports, open_by_policy, fixes), fixes.default_drop(open_by_policy)])
        found.append(Finding("default_accept", "high", "input", text, _policies(rules), fix))
    missing = frozenset(rules.shown - filtered) if filtered else frozenset()
    if missing:
        versions = " and ".join(IP[family] for family in sorted(missing))
        known = " and ".join(IP[family] for family in sorted(filtered))
        text = f"only {known} is filtered: everything that listens on {versions} is open to the world"
        found.append(
            Finding("ipv6_forgotten" if 6 in missing else "ipv4_forgotten", "high", "input", text, (), fixes.other_family(missing))
        )
    judged = filtered or rules.shown
    found += _exposed(rules, ports, judged, doubts, fixes)
    found += _closed(rules, ports, judged, doubts, fixes)
    found += _unanswered(rules, filtered, doubts, fixes)
    found += [_shadow(rule, earlier, fixes) for rule, earlier in shadowed(rules)]
    return report(found, _unknown(rules, doubts))


def _filtered(rules: RuleSet) -> frozenset[int]:
    """The IP versions of whose packets something is decided at all."""
    if not rules.active:
        return frozenset()
    if rules.syntax == "ufw":
        return _ufw_filtered(rules)
    chains = [rules.chains[name] for name in rules.inputs]
    families = {family for chain in chains for family in chain.families if chain.policy == "drop" or chain.rules}
    return frozenset(families) & rules.shown


def _ufw_filtered(rules: RuleSet) -> frozenset[int]:
    """ufw writes every rule that names no address twice, unless IPV6=no in /etc/default/ufw: then it lets all of IPv6 through."""
    chain = rules.chains[ufw.CHAIN]
    anywhere = [rule for rule in chain.rules if rule.sources is None and rule.destinations is None]
    if anywhere and not any(6 in rule.families for rule in chain.rules):
        return frozenset((4,))
    return frozenset((4, 6))


def _fate(rules: RuleSet, doubts: dict[Rule, None], family: int, port: int, state: str = "new") -> Fate:
    fate = fate_of(Packet(family, "tcp", port, state), rules)
    doubts.update(dict.fromkeys(fate.doubts))
    return fate


def _open(rules: RuleSet, family: int, port: int) -> bool:
    return fate_of(Packet(family, "tcp", port), rules).verdict == "accept"


def _exposed(rules: RuleSet, ports: Ports, families: frozenset[int], doubts: dict[Rule, None], fixes: Fixes) -> Iterator[Finding]:
    for name, kind, severity, what in _CLOSED:
        for port in getattr(ports, name):
            fates = {family: _fate(rules, doubts, family, port) for family in sorted(families)}
            wide = [family for family, fate in fates.items() if fate.verdict == "accept"]
            if not wide:
                continue
            versions = " and ".join(IP[family] for family in wide)
            by = [fates[family].rule for family in wide]
            text = f"{what} on {port}/tcp is open to the world over {versions}" + ("" if any(by) else ", because nothing closes it")
            fix = fixes.only_admins(port, wide) if name == "ssh" else fixes.close(port, wide)
            yield Finding(kind, severity, f"{port}/tcp", text, _quotes(by), fix)


def _closed(rules: RuleSet, ports: Ports, families: frozenset[int], doubts: dict[Rule, None], fixes: Fixes) -> Iterator[Finding]:
    for port in ports.p2p:
        fates = {family: _fate(rules, doubts, family, port) for family in sorted(families)}
        shut = [family for family, fate in fates.items() if fate.verdict == "drop"]
        if shut:
            versions = " and ".join(IP[family] for family in shut)
            text = f"{port}/tcp, by which other nodes connect, is closed over {versions}: the node has only the peers that it finds itself"
            quotes = _quotes([fates[family].rule for family in shut])
            yield Finding("p2p_closed", "high", f"{port}/tcp", text, quotes, fixes.open(port, shut))


def _unanswered(rules: RuleSet, families: frozenset[int], doubts: dict[Rule, None], fixes: Fixes) -> Iterator[Finding]:
    """A host that drops answers to its own packets has no peers, no DNS and no updates. ufw always lets them in."""
    if rules.syntax == "ufw":
        return
    port = 50_001  # of no service: as the system gives to a connection of its own
    cut = [family for family in sorted(families) if _fate(rules, doubts, family, port, "established").verdict == "drop"]
    if cut:
        versions = " and ".join(IP[family] for family in cut)
        text = f"answers to the host's own connections are dropped over {versions}: no rule accepts the states established and related"
        yield Finding("no_established", "high", "input", text, _policies(rules), fixes.established(cut))


def _before_drop(rules: RuleSet, ports: Ports, families: list[int], fixes: Fixes) -> Iterator[str]:
    """What has to be accepted first, where the policy alone lets it in now: or closing it would lock people out, and the node off."""
    shut = replace(rules, chains={name: _shut(chain) for name, chain in rules.chains.items()})
    if rules.syntax != "ufw":
        if any(fate_of(Packet(family, "tcp", 50_001, "established"), shut).verdict == "drop" for family in families):
            yield fixes.established(families)
        if not any(rule.verdict == "accept" and rule.interfaces == ("lo",) for chain in rules.chains.values() for rule in chain.rules):
            yield fixes.loopback(families)
    for port in ports.p2p:
        if any(fate_of(Packet(family, "tcp", port), shut).verdict == "drop" for family in families):
            yield fixes.open(port, families)
    for port in ports.ssh:
        if not any(_lets_ssh_in(rule, port) for chain in rules.chains.values() for rule in chain.rules):
            yield fixes.admit(port, families)


def _shut(chain: Chain) -> Chain:
    return replace(chain, policy="drop" if chain.policy is not None else None)


def _lets_ssh_in(rule: Rule, port: int) -> bool:
    named = rule.ports is not None and any(first <= port <= last for first, last in rule.ports)
    return rule.verdict == "accept" and (named or (rule.ports is None and rule.sources is not None))


def _no_firewall(rules: RuleSet, fixes: Fixes) -> Finding:
    text = "ufw is not active" if not rules.active else "there are no rules for what comes in"
    quotes = (evidence("listing", "Status: inactive"),) if not rules.active else ()
    return Finding("no_firewall", "high", "input", f"{text}: whatever listens is open to the world", quotes, fixes.begin())


def _shadow(rule: Rule, earlier: Rule, fixes: Fixes) -> Finding:
    same = rule.verdict == earlier.verdict and rule.target == earlier.target
    subject, quotes = f"{rule.chain} {rule.number}", _quotes([rule, earlier])
    text = f"rule {rule.number} of {rule.chain} never acts: rule {earlier.number} before it takes all of its packets" + (
        "" if same else ", and does the opposite with them"
    )
    return Finding("shadowed", "low" if same else "medium", subject, text, quotes, fixes.delete(rule))


def _policies(rules: RuleSet) -> tuple[Evidence, ...]:
    chains = [rules.chains[name] for name in rules.inputs]
    return tuple(evidence(chain.name, f"policy {chain.policy}, {len(chain.rules)} rules") for chain in chains)


def _quotes(rules: Sequence[Rule | None]) -> tuple[Evidence, ...]:
    return tuple(evidence(f"{rule.chain} {rule.number}", rule.text) for rule in dict.fromkeys(rules) if rule is not None)


def _unknown(rules: RuleSet, doubts: Iterable[Rule]) -> Iterator[str]:
    if rules.syntax == "iptables" and rules.shown != frozenset((4, 6)):
        other = "ip6tables-save" if 6 not in rules.shown else "iptables-save"
        yield f"the rules of {IP[6 if 6 not in rules.shown else 4]} are not in the listing; add what `{other}` prints"
    if not rules.policy_shown:
        yield "the listing does not tell the default policy, and deny was taken; give what `ufw status verbose` prints"
    for rule in doubts:
        why = "acts only so often" if rule.limited and not rule.unclear else f"has a condition that is not understood here ({rule.unclear})"
        yield f"rule {rule.number} of {rule.chain} {why}, so it was left out"
