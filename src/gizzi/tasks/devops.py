"""Tasks of the role devops: disks, peers, upgrades, what breaks next."""

from __future__ import annotations

from functools import partial

from gizzi import Outlook, ReportItem, Scene, SourceError, Validator, beside, task
from gizzi.analysis.disk import DiskHistory, check_disk_space, disk_row
from gizzi.analysis.forecast import finding
from gizzi.analysis.topology import PeerView, review_topology
from gizzi.readers.jsonrpc import system_peer_ids
from gizzi.tasks._findings import items

DAY_S, FORTNIGHT_S = 86_400.0, 14 * 86_400.0


@task("check_disk_space")
async def disk_space(scene: Scene) -> list[ReportItem]:
    """How full every validator's disk is, and how many days it has left."""
    rows = []
    for validator in scene.validators:
        view = scene.view(validator)
        points = (await scene.past(validator, DAY_S)).points("disk_free_bytes")
        longer = (await scene.past(validator, FORTNIGHT_S)).points("disk_free_bytes")
        if longer and points and points[0][0] - longer[0][0] > DAY_S:
            points = longer
        if not points and view.disk_free_bytes is not None:
            points = [(scene.now, float(view.disk_free_bytes))]
        history = DiskHistory(validator.number, points, view.disk_size_bytes, validator.name)
        rows.append(await beside(partial(disk_row, history)))
    report = check_disk_space(rows)
    found = items(report.findings, report.unknown)
    for row in report.rows:
        if row.free_bytes is not None:
            share = f" of {row.size_bytes / 1e9:.0f} GB" if row.size_bytes else ""
            left = f", full in about {row.days:.0f} days" if row.days is not None else ""
            found.append(ReportItem(f"{row.free_bytes / 1e9:.0f} GB{share} free{left}", "low", f"validator {row.number}"))
    return found


@task("optimize_network_topology")
async def topology(scene: Scene) -> list[ReportItem]:
    """Cut points, islands and dependences in the peer graph, chain by chain."""
    found: list[ReportItem] = []
    for chain in scene.chains():
        nodes = [await _peer_view(scene, validator) for validator in scene.validators if validator.chain == chain.id]
        report = review_topology([node for node in nodes if node is not None])
        found += items(report.findings, report.unknown)
        found += [
            ReportItem(
                f"keep a connection between validators {p.validator} and {p.peer}: {p.why}", "low", f"chain {chain.id}", (), p.option
            )
            for p in report.proposals
        ]
        if len(report.clusters) == 1 and not report.findings:
            found.append(ReportItem("all validators that tell their peers hang together, by more than one way", "low", f"chain {chain.id}"))
    return found


async def _peer_view(scene: Scene, validator: Validator) -> PeerView | None:
    try:
        peer_id = str(await scene.rpc(validator, "system_localPeerId"))[:128]
    except SourceError:
        return None
    return PeerView(validator.number, peer_id, await _peers(scene, validator), scene.view(validator).version, validator.labels)


async def _peers(scene: Scene, validator: Validator) -> frozenset[str] | None:
    try:
        return system_peer_ids(await scene.rpc(validator, "system_peers"))
    except SourceError:
        return None


@task("plan_upgrade")
async def upgrade(scene: Scene, version: str | None = None) -> list[ReportItem]:
    """How a rolling upgrade would go: what runs where, and how many may be away at once."""
    found = []
    for chain in scene.chains():
        view = scene.chain(chain.id)
        mine = [validator for validator in scene.validators if validator.chain == chain.id]
        runs = sorted({scene.view(validator).version or "unknown" for validator in mine})
        if view.can_lose is None:
            found.append(ReportItem("how many authorities the chain has is unknown, so no plan is safe", "medium", f"chain {chain.id}"))
            continue
        room = view.can_lose - scene.settings.policy.reserve - view.missing_count
        text = f"{len(mine)} validators run {', '.join(runs)}; {max(room, 0)} of {view.authorities} authorities may be away at once"
        command = f"gizzi workflow run rolling-upgrade --to {version}" if version else None
        found.append(ReportItem(text, "low" if room > 0 else "high", f"chain {chain.id}", (), command if room > 0 else None))
    return found


@task("forecast")
async def forecasts(scene: Scene) -> list[ReportItem]:
    """What breaks next of each validator and chain, and when, with an interval; what does not, and what is not known."""
    outlooks = await scene.foreseen()
    if not outlooks:
        return [ReportItem("no forecast was made lately, so what comes is not known; `gizzi watch` makes them every hour", "low")]
    findings = [found for one in outlooks if (found := finding(one)) is not None]
    told = [ReportItem(one.text(), "low", one.subject, next_at=_next_at(one, scene.now)) for one in outlooks if not one.unknown]
    unknown = [one for one in outlooks if one.unknown]
    if unknown:
        told.append(ReportItem(f"not known yet, for too little history: {len(unknown)} of {len(outlooks)} forecasts", "low"))
    return items(findings) + told


def _next_at(one: Outlook, now: float) -> float | None:
    left_s = one.left_s(now)
    return None if left_s is None else now + left_s
