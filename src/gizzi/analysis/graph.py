"""Undirected graphs: what holds them together. Vertices are any hashable values that sort."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

V = TypeVar("V", int, str)
Graph = Mapping[V, set[V]]


def components(graph: Graph[V], without: Collection[V] = ()) -> list[set[V]]:
    """The connected parts after some vertices are taken out, the largest first."""
    seen: set[V] = set(without)
    found = []
    for start in sorted(graph):
        if start in seen:
            continue
        part, todo = {start}, [start]
        seen.add(start)
        while todo:
            for other in graph[todo.pop()]:
                if other not in seen:
                    seen.add(other)
                    part.add(other)
                    todo.append(other)
        found.append(part)
    return sorted(found, key=lambda part: (-len(part), min(part)))


def cuts(graph: Graph[V]) -> tuple[set[V], set[tuple[V, V]]]:
    """(cut points, bridges) by Tarjan's low links, without recursion: what alone holds a connected part together.

    A bridge is a pair with its smaller end first.
    """
    order: dict[V, int] = {}
    low: dict[V, int] = {}
    points: set[V] = set()
    bridges: set[tuple[V, V]] = set()
    for root in sorted(graph):
        if root in order:
            continue
        order[root] = low[root] = len(order)
        stack: list[tuple[V, V | None, Iterable[V]]] = [(root, None, iter(sorted(graph[root])))]
        branches = 0
        while stack:
            at, parent, rest = stack[-1]
            child = next(iter(rest), None)
            if child is not None:
                if child not in order:
                    order[child] = low[child] = len(order)
                    stack.append((child, at, iter(sorted(graph[child]))))
                elif child != parent:
                    low[at] = min(low[at], order[child])
                continue
            stack.pop()
            if parent is None:
                continue
            low[parent] = min(low[parent], low[at])
            if low[at] > order[parent]:
                bridges.add((min(at, parent), max(at, parent)))
            if parent == root:
                branches += 1
            elif low[at] >= order[parent]:
                points.add(parent)
        if branches > 1:
            points.add(root)
    return points, bridges
