"""Peer graphs with planted cut points and islands: all are found, none is invented, and the proposed links mend them."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.analysis.graph import components, cuts
from gizzi.analysis.topology import PeerView, TopologyReport, review_topology

Edges = set[tuple[int, int]]


def views(number: int, edges: Edges, closed: set[int] | None = None, outside: set[int] | None = None) -> list[PeerView]:
    lists: dict[int, set[str]] = {n: set() for n in range(1, number + 1)}
    for a, b in edges:
        lists[a].add(f"peer{b}")
        lists[b].add(f"peer{a}")
    for n in outside or ():
        lists[n] |= {f"stranger{n}-{i}" for i in range(5)}
    closed = closed or set()
    return [PeerView(n, f"peer{n}", None if n in closed else frozenset(peers)) for n, peers in lists.items()]


def kinds(report: TopologyReport, kind: str) -> set[str]:
    return {finding.subject for finding in report.findings if finding.kind == kind}


def reachable(number: int, edges: Edges, without: int = 0) -> list[set[int]]:
    """By brute force: merge until nothing changes."""
    groups = [{n} for n in range(1, number + 1) if n != without]
    for a, b in edges:
        if without in (a, b):
            continue
        ga, gb = (next(g for g in groups if n in g) for n in (a, b))
        if ga is not gb:
            ga |= gb
            groups.remove(gb)
    return groups


def cut_points(number: int, edges: Edges) -> set[int]:
    before = len(reachable(number, edges))
    linked = {n for edge in edges for n in edge}
    return {n for n in linked if len(reachable(number, edges, n)) > before}


def dense(members: list[int], dice: random.Random) -> Edges:
    """A ring, so that no one holds it together, with some chords."""
    ring = list(members)
    dice.shuffle(ring)
    edges = {(a, b) for a, b in zip(ring, [*ring[1:], ring[0]], strict=True) if a != b}
    edges |= {pair for pair in combinations(ring, 2) if dice.random() < 0.2}
    return {(min(a, b), max(a, b)) for a, b in edges}


@pytest.mark.parametrize("seed", range(50))
def test_fifty_graphs_with_planted_cut_points_and_islands(seed: int) -> None:
    dice = random.Random(seed)
    sizes = [dice.randint(3, 8) for _ in range(dice.randint(1, 4))]
    groups, edges, at = [], set(), 0
    for size in sizes:
        members = list(range(at + 1, at + size + 1))
        at += size
        groups.append(members)
        edges |= dense(members, dice)
    planted, joined = set(), 1
    for before, after in pairwise(groups):
        if dice.random() < 0.3:
            continue  # an island
        point = dice.choice(before)
        planted.add(point)
        joined += 1
        ends = dice.sample(after, 2)
        edges |= {(min(point, end), max(point, end)) for end in ends}
    report = review_topology(views(at, edges))
    assert kinds(report, "cut_point") == {f"validator {n}" for n in cut_points(at, edges)}
    assert kinds(report, "cut_point") >= {f"validator {n}" for n in planted}
    parts = reachable(at, edges)
    assert sorted(map(sorted, parts)) == sorted(map(list, report.clusters))
    assert len(kinds(report, "island")) == len(parts) - 1 == len(groups) - joined


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Edges]:
    number = draw(st.integers(2, 12))
    pairs = list(combinations(range(1, number + 1), 2))
    return number, draw(st.sets(st.sampled_from(pairs), max_size=20))


@given(graphs())
def test_cut_points_and_bridges_are_those_of_brute_force(graph: tuple[int, Edges]) -> None:
    number, edges = graph
    linked = {n: {b if a == n else a for a, b in edges if n in (a, b)} for n in range(1, number + 1)}
    points, bridges = cuts(linked)
    assert points == cut_points(number, edges)
    before = len(reachable(number, edges))
    assert bridges == {edge for edge in edges if len(reachable(number, edges - {edge})) > before}
    assert sorted(map(sorted, components(linked))) == sorted(map(sorted, reachable(number, edges)))


@given(graphs())
def test_the_proposals_mend_everything(graph: tuple[int, Edges]) -> None:
    number, edges = graph
    report = review_topology(views(number, edges))
    more = {(min(p.validator, p.peer), max(p.validator, p.peer)) for p in report.proposals}
    assert not more & edges
    after = review_topology(views(number, edges | more))
    assert len(after.clusters) == 1
    assert kinds(after, "cut_point") == set()
    assert number < 3 or kinds(after, "bridge") == set()


@given(graphs(), st.data())
def test_what_a_closed_node_may_hide_is_no_finding(graph: tuple[int, Edges], data: st.DataObject) -> None:
    """Whatever links the closed nodes have among each other, what is said of the others stays true."""
    number, edges = graph
    closed = data.draw(st.sets(st.integers(1, number)))
    told = {edge for edge in edges if not set(edge) <= closed}
    report = review_topology(views(number, told, closed))
    truth = cut_points(number, edges)
    assert kinds(report, "cut_point") <= {f"validator {n}" for n in truth}
    assert len(kinds(report, "island")) <= max(0, len(reachable(number, edges)) - 1) or not closed
    assert bool(report.unknown) == bool(closed)


def test_strangers_are_the_rest_of_the_network() -> None:
    edges = {(1, 2), (2, 3)}
    assert kinds(review_topology(views(3, edges)), "cut_point") == {"validator 2"}
    report = review_topology(views(3, edges, outside={1, 3}))
    assert report.findings == ()
    assert report.proposals == ()


def test_dependence_on_one_bootnode() -> None:
    nodes = [PeerView(n, f"peer{n}", frozenset({"boot"})) for n in range(1, 5)]
    report = review_topology(nodes, bootnodes={"boot"})
    assert kinds(report, "bootnode_dependence") == {"the bootnode boot"}
    assert review_topology(nodes, bootnodes=()).findings == ()  # of a stranger nobody knows that it stands alone


def test_a_version_that_knows_only_itself() -> None:
    edges = {(1, 2), (2, 3), (1, 3), (4, 5)}
    nodes = [
        PeerView(v.number, v.peer_id, v.peers and v.peers | {"boot"}, version="2.0" if v.number > 3 else "1.9") for v in views(5, edges)
    ]
    report = review_topology(nodes, bootnodes={"boot"})
    assert kinds(report, "version_island") == {"1.9", "2.0"}
    joined = [*nodes[:4], PeerView(5, "peer5", frozenset({"peer4", "peer1"}), version="2.0")]
    assert kinds(review_topology(joined), "version_island") == set()


def test_one_cloud_whose_failure_stops_finality() -> None:
    edges = set(combinations(range(1, 8), 2))
    clouds = {n: "azure" if n <= 3 else f"own{n}" for n in range(1, 8)}
    nodes = [PeerView(v.number, v.peer_id, v.peers, labels={"cloud": clouds[v.number]}) for v in views(7, edges)]
    report = review_topology(nodes)
    assert kinds(report, "label_dependence") == {"cloud azure"}
    assert "3 of 7" in report.findings[0].text


def test_a_proposal_says_what_to_add() -> None:
    nodes = [PeerView(n, f"peer{n}", frozenset(), address=f"/dns/v{n}.example/tcp/30333") for n in (1, 2)]
    report = review_topology(nodes)
    assert [p.option for p in report.proposals] == ["--reserved-nodes /dns/v1.example/tcp/30333/p2p/peer1"]
