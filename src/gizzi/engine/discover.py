"""Validators from a Prometheus server: the targets that export a node's metrics, and the dead ones among them.

Numbers are those that people already use where an address or a name ends in one that no other has (`validator-6.example`, `Alice 6`); the
rest are counted in the order of chain, name and address. So the same targets always give the same numbers.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from gizzi.config import Settings, Validator
from gizzi.errors import ConfigError, SourceError
from gizzi.reach import Http
from gizzi.readers.promql import Series, Target, endpoint, host_of, targets
from gizzi.readers.text import one_line
from gizzi.sources.prometheus import ask, query, without_password

BUILD = "substrate_build_info"
ROLES = "substrate_node_roles"
SEEN_WITHIN = "1h"
"""A node that went down so long ago is still discovered by its own metrics; after that by its job, while others of the job are up."""
_AUTHORITY = 4
_LONGEST_NAME = 100
_DEFAULT_CHAIN = "main"
_HAS_PORT = re.compile(r":[0-9]+$")
_NUMBER_AT_THE_END = re.compile(r"(?<![0-9])0*([0-9]{1,5})$")

Place = tuple[str, str]
"""job and instance: what tells one target of a server from another."""


@dataclass(frozen=True)
class Answers:
    """What a server told. targets: None where it has no such API (not every PromQL engine has). The rest: series of the last hour."""

    targets: Sequence[Target] | None
    matching: Sequence[Series]
    builds: Sequence[Series] = ()
    roles: Sequence[Series] = ()


@dataclass(frozen=True)
class _Node:
    """metrics_url: empty where it is not known; its instance label finds it then."""

    place: Place
    metrics_url: str
    chain: str = ""
    name: str = ""
    authority: bool = True
    number: int | None = None


async def discover(settings: Settings, http: Http) -> tuple[Validator, ...]:
    """The validators among the targets of `[prometheus] url`. Raises SourceError, and ConfigError where there are none."""
    match = settings.prometheus.match
    (matching,) = await query(http, settings, f"last_over_time({match}[{SEEN_WITHIN}])")
    older_builds, builds, roles = await query(
        http, settings, f"last_over_time({BUILD}[{SEEN_WITHIN}])", BUILD, f"last_over_time({ROLES}[{SEEN_WITHIN}])"
    )
    found = validators_of(
        Answers(await _targets(http, settings), matching, [*older_builds, *builds], roles), settings.prometheus.chain_label
    )
    if not found:
        url = without_password(settings.prometheus.url or "")
        raise ConfigError(f"[prometheus] url {url}: none of its targets has the metric {match!r}; correct `match`, or list the validators")
    return found


async def _targets(http: Http, settings: Settings) -> list[Target] | None:
    try:
        return await ask(http, settings, "targets", {"state": "active"}, targets)
    except SourceError as error:
        if error.kind in ("http", "unreadable"):
            return None
        raise


def validators_of(answers: Answers, chain_label: str) -> tuple[Validator, ...]:
    """The validators in what a server told, by number."""
    nodes = _described(_nodes(answers), answers, chain_label)
    return tuple(sorted(map(_validator, _numbered(nodes)), key=lambda validator: validator.number))


def _place(labels: Mapping[str, str]) -> Place:
    return labels.get("job", ""), labels.get("instance", "")


def _nodes(answers: Answers) -> list[_Node]:
    """One for each place and each metrics page, whatever the number of jobs that scrape it."""
    matching = {_place(labels) for labels, _ in answers.matching}
    active = answers.targets or ()
    nodes = matching | _dead_among_nodes(active, matching)
    found = [_Node(_place(target.labels), target.scrape_url) for target in active if _place(target.labels) in nodes]
    if not found:
        found = [_Node(place, f"http://{place[1]}/metrics" if _HAS_PORT.search(place[1]) else "") for place in matching if place[1]]
    kept: list[_Node] = []
    places: set[Place] = set()
    pages: set[str] = set()
    for node in sorted(found, key=lambda node: (node.place, node.metrics_url)):
        page = node.metrics_url if endpoint(node.metrics_url) else ""
        if node.place not in places and (not page or page not in pages):
            kept.append(replace(node, metrics_url=page))
            places.add(node.place)
            pages.add(page)
    return kept


def _dead_among_nodes(active: Iterable[Target], matching: set[Place]) -> set[Place]:
    """Targets that are not up, of pools in which whatever is up is a node: nodes that died too long ago to be known by their metrics."""
    pools: dict[str, list[Target]] = {}
    for target in active:
        pools.setdefault(target.pool, []).append(target)
    found: set[Place] = set()
    for members in pools.values():
        up = [target for target in members if target.health == "up"]
        if up and all(_place(target.labels) in matching for target in up):
            found.update(_place(target.labels) for target in members if target.health != "up")
    return found


def _described(nodes: Iterable[_Node], answers: Answers, chain_label: str) -> list[_Node]:
    """With what their series say: chain, name, and whether they vote. A dead one is taken to be of its job's chain, where that is one."""
    chains = {_place(labels): labels[chain_label] for labels, _ in answers.matching if labels.get(chain_label)}
    chains |= {_place(t.labels): t.labels[chain_label] for t in answers.targets or () if t.labels.get(chain_label)}
    names = {_place(labels): labels.get("name", "") for labels, _ in answers.builds}
    roles = {_place(labels): value for labels, value in answers.roles if 0 <= value < 256}
    of_job: dict[str, set[str]] = {}
    for (job, _), chain in chains.items():
        of_job.setdefault(job, set()).add(chain)
    described = []
    for node in nodes:
        usual = of_job.get(node.place[0], set())
        chain = chains.get(node.place) or (min(usual) if len(usual) == 1 else _DEFAULT_CHAIN)
        votes = bool(int(roles.get(node.place, _AUTHORITY)) & _AUTHORITY)
        name = one_line(names.get(node.place, ""), _LONGEST_NAME)
        described.append(replace(node, chain=one_line(chain, _LONGEST_NAME) or _DEFAULT_CHAIN, name=name, authority=votes))
    return described


def _numbered(nodes: Sequence[_Node]) -> list[_Node]:
    wishes = {node.place: _number_in(node) for node in nodes}
    wished = Counter(wishes.values())
    taken = {number for number, times in wished.items() if number is not None and times == 1}
    free = (number for number in count(1) if number not in taken)
    ordered = sorted(nodes, key=lambda node: (node.chain, node.name, node.place))
    return [replace(node, number=wish if (wish := wishes[node.place]) in taken else next(free)) for node in ordered]


def _number_in(node: _Node) -> int | None:
    """The number at the end of its host's own name, else of the node's; None where there is none. An IP address is no name."""
    host = host_of(node.place[1]) or ""
    for name in ("" if _is_ip(host) else host.partition(".")[0], node.name):
        found = _NUMBER_AT_THE_END.search(name)
        if found:
            return int(found[1])
    return None


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _validator(node: _Node) -> Validator:
    instance = node.place[1]
    host = host_of(node.metrics_url)
    is_here = host == "localhost" or (_is_ip(host or "") and ipaddress.ip_address(host or "").is_loopback)
    return Validator.model_validate(
        {
            "number": node.number,
            "name": node.name,
            "chain": node.chain,
            "host": None if is_here else host,
            "metrics_url": node.metrics_url or None,
            "authority": node.authority,
            "labels": {} if instance.lower() == endpoint(node.metrics_url) else {"instance": instance},
        }
    )
