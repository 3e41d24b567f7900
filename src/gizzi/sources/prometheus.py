"""A Prometheus server, or any PromQL engine, read for the whole fleet at once: the queries are as many for 1 validator as for 1,000.

A value is believed only of a target whose latest scrape succeeded and is recent: engines go on giving the last value for minutes after a
target or its scraper died. A target that is down says so (`metrics_up` is no); one that nobody scrapes any more is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from gizzi import Http, Settings, SourceError, Validator, source
from gizzi.readers.promql import Series, UnreadableAnswer, any_of, quoted, vector
from gizzi.sources import metrics, node_exporter
from gizzi.sources._targets import Owners, Target, Targets

MAX_AGE_S = 150.0
"""The oldest scrape that counts: Prometheus advises against intervals above 2 minutes, and a scrape takes its time."""
_AGE_STEP_S = 30.0

UP = "up"
AGES = "time() - timestamp(up)"

_CHANNEL = "substrate_unbounded_channel_size"
_ENDED = "substrate_tasks_ended_total"
HEAVY = frozenset((_CHANNEL, _ENDED))
"""Families of many series a node, of which the server picks the few that count: asked for at the hosts' pace."""

NODES = f"{{__name__=~{any_of((metrics.NAMES - HEAVY) | {UP})}}}"
CHANNELS = f"topk without (entity) (1, {_CHANNEL})"
_LONG_RUNNING = quoted(".+-subsystem|" + "|".join(sorted(task.replace("-", "[-_]") for task in metrics.LONG_RUNNING_TASKS)))
_EVERYWHERE = f'{_ENDED}{{reason="finished",task_name="informant"}}'
TASKS = f'{_ENDED}{{reason="finished",task_name=~{_LONG_RUNNING}}} > 0 or {_ENDED}{{reason="panic"}} > 0 or {_EVERYWHERE}'
"""Tasks that should not have ended, and one that every node has, to tell none ended from not known."""

CPU = 'irate(node_cpu_seconds_total{mode=~"idle|iowait"}[5m])'
CPU_RATIO = f"1 - avg without (cpu) (sum without (mode) ({CPU}))"
_MOST_MOUNTPOINTS = 200

_GIVES_SLOWLY = ("channel_max_size", "channel_max_name", "tasks_ended")
_GIVES = ("metrics_up", "sample_age_s", *(name for name in metrics.GIVES if name not in _GIVES_SLOWLY))

Seen = dict[int, dict[str, Any]]
_T = TypeVar("_T")


def _applies(validator: Validator, settings: Settings) -> bool:
    return settings.prometheus.url is not None


@source("prometheus", scope="fleet", every="collect", applies=_applies, gives=_GIVES)
async def prometheus(validators: Sequence[Validator], http: Http, settings: Settings, memory: dict[str, Any]) -> Seen:
    """Every node's metrics, from the Prometheus server that scrapes them."""
    rows, ages = await query(http, settings, NODES, AGES)
    targets = Targets((row for row in rows if row[0].get("__name__") == UP), ages)
    targets.add(row for row in rows if row[0].get("__name__") != UP)
    node_jobs: set[str | None] = memory.setdefault("node_jobs", set())
    node_jobs.update(target.labels.get("job") for target in targets if target.samples)
    return {number: _node(found) for number, found in _owned(targets, validators, node_jobs).items()}


@source(
    "prometheus_slow",
    scope="fleet",
    every="host",
    reports="prometheus",
    applies=_applies,
    gives=_GIVES_SLOWLY,
)
async def prometheus_slow(validators: Sequence[Validator], http: Http, settings: Settings) -> Seen:
    """What costs the server more or changes slowly: channels, ended tasks, and hosts where it scrapes their node_exporter too.

    A validator with a node_exporter_url of its own is read there.
    """
    up, ages, channels, tasks, hosts, cpu = await query(http, settings, UP, AGES, CHANNELS, TASKS, _hosts_query(validators), CPU_RATIO)
    targets = Targets(up, ages)
    targets.add(channels, _CHANNEL)
    targets.add(tasks, _ENDED)
    seen = {}
    for number, found in _owned(targets, validators).items():
        target = _believed(found)
        seen[number] = metrics.observe(target.samples) if target else {}
    machines = Targets(up, ages)
    machines.add(hosts)
    machines.add(cpu, CPU)
    for validator, target in _hosts(machines, validators):
        seen.setdefault(validator.number, {}).update(_host(target, validator))
    return seen


def _hosts_query(validators: Iterable[Validator]) -> str:
    """Of a host's many file systems only those that can hold a validator's database."""
    mountpoints = {directory for v in validators for directory in node_exporter.directories_above(v.data_dir)}
    of_interest = f",mountpoint=~{any_of(mountpoints)}" if len(mountpoints) <= _MOST_MOUNTPOINTS else ""
    disks = f"{{__name__=~{any_of(node_exporter.FILE_SYSTEM_NAMES)}{of_interest}}}"
    return f"{{__name__=~{any_of(node_exporter.PLAIN_NAMES)}}} or {disks}"


async def query(http: Http, settings: Settings, *queries: str) -> list[list[Series]]:
    """The answers to instant queries, one after the other, so that the server is never asked for two at once. Raises as `ask`."""
    return [await ask(http, settings, "query", {"query": text}, vector) for text in queries]


async def ask(http: Http, settings: Settings, what: str, params: Mapping[str, str], read: Callable[[object], _T]) -> _T:
    """What `read` makes of the answer of the server's API. Raises SourceError, which names the key and the address."""
    url = settings.prometheus.url or ""
    try:
        return read(await http.get_json(f"{url.rstrip('/')}/api/v1/{what}", params))
    except SourceError as error:
        raise SourceError(error.kind, f"[prometheus] url {without_password(url)}: {error}") from None
    except UnreadableAnswer as error:
        raise SourceError("unreadable", f"[prometheus] url {without_password(url)}: the answer {error}") from None


def without_password(url: str) -> str:
    """The address as messages may show it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(not an address)"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _owned(targets: Targets, validators: Iterable[Validator], node_jobs: Collection[str | None] = ()) -> dict[int, list[Target]]:
    """The targets of each validator's node, the surest only.

    node_jobs: jobs that scrape nodes, whose targets may go by their name labels when they are down.
    """
    owners = Owners(validators)
    found: dict[int, tuple[int, list[Target]]] = {}
    for target in targets:
        owner = owners.by_instance(target.labels)
        if owner is None and (target.samples or target.labels.get("job") in node_jobs):
            owner = owners.by_name(target.labels)
        if owner is not None:
            rank, number = owner
            if number not in found or rank < found[number][0]:
                found[number] = rank, []
            if rank == found[number][0]:
                found[number][1].append(target)
    return {number: same_rank for number, (_, same_rank) in found.items()}


def _is_recent(target: Target) -> bool:
    return target.age_s is not None and target.age_s <= MAX_AGE_S


def _believed(found: Iterable[Target]) -> Target | None:
    """The target whose samples count: of several the newest, and of about equally new ones always the same."""
    usable = [target for target in found if target.answered and target.samples and _is_recent(target)]
    return min(usable, key=lambda target: ((target.age_s or 0.0) // _AGE_STEP_S, sorted(target.labels.items())), default=None)


def _node(found: Sequence[Target]) -> dict[str, Any]:
    """Its observations. A page that answers without one metric of a node is another exporter's: nothing is known."""
    target = _believed(found)
    if target is not None:
        return {"metrics_up": True, "sample_age_s": max(0.0, target.age_s or 0.0), **metrics.observe(target.samples)}
    is_down = any(_is_recent(target) and not target.answered for target in found)
    return {"metrics_up": False} if is_down else {}


def _hosts(machines: Targets, validators: Iterable[Validator]) -> Iterable[tuple[Validator, Target]]:
    """Validators with the node_exporter of their host, where exactly one instance answers there."""
    owners = Owners(validator for validator in validators if validator.node_exporter_url is None)
    found: dict[int, tuple[Validator, list[Target]]] = {}
    for target in machines:
        for validator in owners.at_host_of(target.labels) if target.samples else ():
            found.setdefault(validator.number, (validator, []))[1].append(target)
    for validator, targets in found.values():
        target = _believed(targets) if len({target.labels.get("instance") for target in targets}) == 1 else None
        if target is not None:
            yield validator, target


def _host(target: Target, validator: Validator) -> dict[str, Any]:
    seen = node_exporter.observe(target.samples, validator.data_dir)
    cpu = target.samples.get(CPU)
    if cpu and 0 <= cpu[0][1] <= 1:
        seen["cpu_ratio"] = cpu[0][1]
    return seen
