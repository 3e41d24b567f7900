"""Judges how a fleet's nodes hang together, by their own peer lists: `review_topology`.

Peers that are not ours stand for the rest of the network: they are one vertex, since they are connected with each other in ways that we
do not see. A node that does not tell its peers has links that nobody told; what they might mend is unknown, and no finding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gizzi.analysis.graph import components, cuts
from gizzi.analysis.report import Evidence, Finding, evidence, report

OUTSIDE = "(outside)"
MOST_PROPOSALS = 50
LABELS = ("cloud", "region")


@dataclass(frozen=True, slots=True)
class PeerView:
    """What one validator's node tells. peers: peer ids; None where it does not tell them. address: its multiaddress without the peer id,
    such as /dns/a.example/tcp/30333; "" where that is not known.
    """

    number: int
    peer_id: str
    peers: frozenset[str] | None
    version: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, slots=True)
class ReservedPeer:
    """A proposal: validator is to keep a connection with peer. option: what to add to its command line."""

    validator: int
    peer: int
    option: str
    why: str


@dataclass(frozen=True, slots=True)
class TopologyReport:
    """clusters: the validators that are connected with each other, the largest first."""

    findings: tuple[Finding, ...]
    proposals: tuple[ReservedPeer, ...]
    clusters: tuple[tuple[int, ...], ...]
    unknown: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "findings": [finding.as_json() for finding in self.findings],
            "proposals": [asdict(proposal) for proposal in self.proposals],
            "clusters": [list(cluster) for cluster in self.clusters],
            "unknown": list(self.unknown),
        }


def review_topology(nodes: Sequence[PeerView], bootnodes: Collection[str] = (), labels: Sequence[str] = LABELS) -> TopologyReport:
    """nodes: those of one chain. bootnodes: peer ids of the chain's, ours or not."""
    net = _Net(nodes, bootnodes)
    graph = net.graph()
    found = [*_islands(net, graph), *_cut_points(net, graph), *_bridges(net, graph), *_version_islands(net), *_labels(net, graph, labels)]
    clusters = tuple(tuple(sorted(part)) for part in net.parts(graph))
    closed = [node.number for node in nodes if node.peers is None]
    unknown = (f"{_list(closed)} did not tell their peers: what depends on their links is unknown",) if closed else ()
    done = report(found, unknown)
    return TopologyReport(done.findings, tuple(_proposals(net, graph)), clusters, done.unknown)


class _Net:
    """The vertices are peer ids, and OUTSIDE."""

    def __init__(self, nodes: Sequence[PeerView], bootnodes: Collection[str]) -> None:
        self.nodes = {node.peer_id: node for node in nodes}
        self.bootnodes = frozenset(bootnodes)

    def graph(self) -> dict[str, set[str]]:
        graph: dict[str, set[str]] = {peer: set() for peer in self.nodes}
        for peer, node in self.nodes.items():
            for other in node.peers or ():
                end = other if other in self.nodes or other in self.bootnodes else OUTSIDE
                if end != peer:
                    graph[peer].add(end)
                    graph.setdefault(end, set()).add(peer)
        if OUTSIDE in graph:
            for bootnode in self.bootnodes & graph.keys() - self.nodes.keys():
                graph[bootnode].add(OUTSIDE)  # it is what bootnodes are for
                graph[OUTSIDE].add(bootnode)
        return graph

    def ours(self, part: Collection[str]) -> list[int]:
        return sorted(self.nodes[peer].number for peer in part if peer in self.nodes)

    def parts(self, graph: Mapping[str, set[str]], without: Collection[str] = ()) -> list[list[int]]:
        """Our validators by connected part, the largest first."""
        found = [self.ours(part) for part in components(graph, without)]
        return sorted((part for part in found if part), key=lambda part: (-len(part), part))

    def cut_off(self, graph: Mapping[str, set[str]], without: Collection[str] = ()) -> list[list[int]]:
        """The parts but the largest: those that are certain, as none of their nodes may have links that nobody told."""
        by_number = {node.number: node for node in self.nodes.values()}
        parts = self.parts(graph, without)
        certain = [part for part in parts if all(by_number[number].peers is not None for number in part)]
        return [part for part in certain if part is not parts[0]] or (certain[:1] if len(parts) > 1 else [])

    def name(self, peer: str) -> str:
        return f"validator {self.nodes[peer].number}" if peer in self.nodes else f"the bootnode {peer[:60]}"

    def evidence(self, numbers: Collection[int]) -> tuple[Evidence, ...]:
        chosen = [node for node in self.nodes.values() if node.number in numbers and node.peers is not None][:5]
        return tuple(evidence(f"{node.number}/system_peers", f"{len(node.peers or ())} peers") for node in chosen)


def _list(numbers: Collection[int]) -> str:
    shown = sorted(numbers)
    names = ", ".join(map(str, shown[:12])) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")
    return f"validator{'s' * (len(shown) > 1)} {names}"


def _islands(net: _Net, graph: Mapping[str, set[str]]) -> Iterator[Finding]:
    for part in net.cut_off(graph):
        text = f"{_list(part)} {'are' if len(part) > 1 else 'is'} not connected with the others"
        yield Finding("island", "critical", _list(part), text, net.evidence(part), "add the reserved peers that are proposed")


def _cut_points(net: _Net, graph: Mapping[str, set[str]]) -> Iterator[Finding]:
    points, _ = cuts(graph)
    before = len(net.parts(graph))
    for point in sorted(points - {OUTSIDE}):
        without = {peer: ends - {point} for peer, ends in graph.items() if peer != point}
        alone = point in net.nodes and not graph[point]
        if alone or len(net.parts(without)) <= before:
            continue
        lost = [part for part in net.cut_off(without) if part not in net.cut_off(graph)]
        if not lost:
            continue
        everyone = [number for part in lost for number in part]
        kind = "bootnode_dependence" if point in net.bootnodes else "cut_point"
        text = f"without {net.name(point)}, {_list(everyone)} would not be connected with the others"
        yield Finding(kind, "high", net.name(point), text, net.evidence(everyone), "add the reserved peers that are proposed")


def _bridges(net: _Net, graph: Mapping[str, set[str]]) -> Iterator[Finding]:
    _, bridges = cuts(graph)
    for one, other in sorted(bridges):
        if one not in net.nodes or other not in net.nodes:
            continue
        parted = {peer: set(ends) for peer, ends in graph.items()}
        parted[one].discard(other)
        parted[other].discard(one)
        new = [part for part in net.cut_off(parted) if part not in net.cut_off(graph)]
        if new:
            text = f"one connection, of {net.name(one)} with {net.name(other)}, is all that {_list(new[0])} is joined to the others by"
            a, b = sorted((net.nodes[one].number, net.nodes[other].number))
            yield Finding("bridge", "medium", f"{a}-{b}", text, net.evidence((a, b)), "add the reserved peers that are proposed")


def _version_islands(net: _Net) -> Iterator[Finding]:
    """Nodes of one version that know only each other: the newcomers of an upgrade, or those that missed one."""
    versions: dict[str, set[str]] = {}
    for peer, node in net.nodes.items():
        if node.version is not None:
            versions.setdefault(node.version, set()).add(peer)
    if len(versions) < 2:
        return
    links = {peer: {other for other in ends if other not in net.bootnodes or other in net.nodes} for peer, ends in net.graph().items()}
    for version, group in sorted(versions.items()):
        closed = any(net.nodes[peer].peers is None for peer in group)
        if len(group) < 2 or closed or any(links[peer] - group for peer in group):
            continue
        numbers = net.ours(group)
        text = f"{_list(numbers)}, all of version {version[:60]}, have no connection with a node of another version"
        yield Finding(
            "version_island", "high", version[:60], text, net.evidence(numbers), "bring all to one version, or add reserved peers"
        )


def _labels(net: _Net, graph: Mapping[str, set[str]], labels: Sequence[str]) -> Iterator[Finding]:
    """One cloud or region whose failure stops finality, or parts the others."""
    total = len(net.nodes)
    may_miss = (total - 1) // 3
    for label in labels:
        groups: dict[str, set[str]] = {}
        for peer, node in net.nodes.items():
            if label in node.labels:
                groups.setdefault(node.labels[label], set()).add(peer)
        for value, group in sorted(groups.items()):
            rest = {peer: ends - group for peer, ends in graph.items() if peer not in group}
            parts = net.cut_off(rest) if len(group) < total and len(net.parts(graph)) == 1 else []
            if len(group) > may_miss and total > 3:
                text = (
                    f"{len(group)} of {total} validators share {label} {value[:60]}: finality stops when more than {may_miss} are missing"
                )
            elif parts:
                text = f"without {label} {value[:60]}, {_list(parts[0])} would not be connected with the others"
            else:
                continue
            yield Finding("label_dependence", "medium", f"{label} {value[:60]}", text, net.evidence(net.ours(group)), "")


def _proposals(net: _Net, graph: Mapping[str, set[str]]) -> Iterator[ReservedPeer]:
    """Connections after which nothing that is ours hangs by one node or one connection; each the smallest that helps."""
    new = {peer: set(ends) for peer, ends in graph.items()}
    for _ in range(MOST_PROPOSALS):
        pair = _missing_link(net, new)
        if pair is None:
            return
        one, other, why = pair
        new[one].add(other)
        new[other].add(one)
        node, peer = net.nodes[one], net.nodes[other]
        option = f"--reserved-nodes {peer.address or '/dns/HOST/tcp/30333'}/p2p/{peer.peer_id}"
        yield ReservedPeer(node.number, peer.number, option, why)


def _missing_link(net: _Net, graph: Mapping[str, set[str]]) -> tuple[str, str, str] | None:
    parts = [part for part in components(graph) if net.ours(part)]
    if len(parts) > 1:
        return _pair(net, graph, parts[-1], parts[0], "they are not connected")
    points, bridges = cuts(graph)
    for point in sorted(points - {OUTSIDE}):
        without = {peer: ends - {point} for peer, ends in graph.items() if peer != point}
        parts = [part for part in components(without) if net.ours(part)]
        if len(parts) > 1:
            return _pair(net, graph, parts[-1], parts[0], f"so that they do not depend on {net.name(point)}")
    for one, other in sorted(bridges):
        if one in net.nodes and other in net.nodes:
            without = {peer: ends - {one if peer == other else other if peer == one else ""} for peer, ends in graph.items()}
            parts = [part for part in components(without) if net.ours(part)]
            pair = _pair(net, graph, parts[-1], parts[0], "so that they do not depend on one connection")
            if pair is not None:
                return pair
    return None


def _pair(net: _Net, graph: Mapping[str, set[str]], few: Collection[str], many: Collection[str], why: str) -> tuple[str, str, str] | None:
    """The nodes with the fewest connections, one of either side, in different clouds if they can be."""

    def links(peer: str) -> tuple[int, int]:
        return len(graph[peer]), net.nodes[peer].number

    one = min((peer for peer in few if peer in net.nodes), key=links)
    free = [peer for peer in many if peer in net.nodes and peer not in graph[one]]
    if not free:
        return None
    mine = net.nodes[one].labels
    other = min(free, key=lambda peer: (any(net.nodes[peer].labels.get(k) == v for k, v in mine.items()), *links(peer)))
    return one, other, why
