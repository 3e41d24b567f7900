"""Side chains against their parent, and hosts that serve several chains."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from gizzi import Chain, ReportItem, Scene, SourceError, Validator, task
from gizzi.readers.jsonrpc import block_number
from gizzi.readers.scale import Cursor
from gizzi.tasks._chain import ChainReader, open_chain, without

STUCK_BLOCKS = 20
"""So many blocks behind what the side chain itself has finalized, its parent does not include it."""
MOST_PARAS = 1_000
LAG_BLOCKS = 100


@task("inclusion")
async def inclusion(scene: Scene) -> list[ReportItem]:
    """Compares each side chain's head and finality with its parent's, and with the head that the parent has included (pallet Paras)."""
    items = [item for chain in scene.chains() if chain.parent is not None for item in _lag(scene, chain)]
    parents = dict.fromkeys(chain.parent for chain in scene.chains() if chain.parent is not None)
    for parent in parents:
        items += await _included(scene, scene.settings.chain(parent), [c for c in scene.chains() if c.parent == parent])
    return items or [ReportItem("none of these chains has a parent", "low")]


def _lag(scene: Scene, chain: Chain) -> list[ReportItem]:
    own, parent = scene.chain(chain.id), scene.chain(chain.parent or "")
    about = f"chain {chain.id}"
    if own.median_height is None or own.median_finalized is None:
        return [ReportItem("its height is unknown", "medium", about)]
    seen = ((f"{chain.id}/heights", f"best {own.median_height}, finalized {own.median_finalized}"),)
    behind = own.median_height - own.median_finalized
    if parent.median_height is None or parent.median_finalized is None:
        return [ReportItem(f"{behind} blocks between head and finality; its parent's height is unknown", "medium", about, seen)]
    parent_behind = parent.median_height - parent.median_finalized
    cause = f"; its parent {chain.parent} lags by {parent_behind} itself, which explains it" if parent_behind > LAG_BLOCKS // 2 else ""
    severity: Any = "low" if behind <= LAG_BLOCKS else "medium" if cause else "high"
    return [ReportItem(f"{behind} blocks between head and finality{cause if behind > LAG_BLOCKS else ''}", severity, about, seen)]


async def _included(scene: Scene, parent: Chain, sides: list[Chain]) -> list[ReportItem]:
    try:
        reader = await open_chain(scene, parent)
        if not reader.runtime.has("Paras", "Heads"):
            return [without(reader, "Paras", "which heads it has included")]
        heads = {keys[0]: head for keys, head in await reader.entries("Paras", "Heads", most=MOST_PARAS)}
    except SourceError as error:
        return [ReportItem(f"which heads it has included is unknown: {error}", "medium", f"chain {parent.id}")]
    return [await _inclusion_of(scene, reader, side, heads) for side in sides]


async def _inclusion_of(scene: Scene, parent: ChainReader, side: Chain, heads: dict[Any, Any]) -> ReportItem:
    about = f"chain {side.id}"
    try:
        own = await open_chain(scene, side)
        number = await own.stored("ParachainInfo", "ParachainId") if own.runtime.has("ParachainInfo", "ParachainId") else None
    except SourceError as error:
        return ReportItem(f"whether its parent includes it is unknown: {error}", "medium", about)
    if not isinstance(number, int):
        return ReportItem("whether its parent includes it is unknown: its runtime does not say which parachain it is", "low", about)
    included = head_number(heads.get(number))
    place = f"Paras.Heads({number})"
    if included is None:
        return ReportItem(f"its parent {parent.chain.id} has no head of parachain {number}", "high", about, ((place, "none"),))
    behind = scene.chain(side.id).median_height
    gap = (behind if behind is not None else own.head) - included
    seen = ((place, f"block {included}"), (f"{side.id}/head", str(behind if behind is not None else own.head)))
    if gap > STUCK_BLOCKS:
        return ReportItem(
            f"its head is {gap} blocks beyond what its parent has included: it moves without being included", "high", about, seen
        )
    return ReportItem(f"included up to block {included}", "low", about, seen)


def head_number(head: Any) -> int | None:
    """The block number in a head as the parent keeps it: the parent's hash, then the number as a compact."""
    if not isinstance(head, str) or not head.startswith("0x") or len(head) < 68:
        return None
    try:
        return block_number(Cursor(bytes.fromhex(head[66:])).compact())
    except (ValueError, SourceError):
        return None


@task("shared_hosts")
async def shared_hosts(scene: Scene) -> list[ReportItem]:
    """Lists hosts that serve several chains, and what a restart of one takes away on each. The guard counts it on all of them."""
    by_host: dict[str, list[Validator]] = defaultdict(list)
    for validator in scene.settings.validators or scene.validators:
        if validator.host is not None:
            by_host[validator.host].append(validator)
    mine = {v.number for v in scene.validators}
    shared = {host: each for host, each in by_host.items() if len({v.chain for v in each}) > 1 and mine & {v.number for v in each}}
    items = [_shared(scene, host, each) for host, each in shared.items()]
    unknown = [v.number for v in scene.validators if v.host is None]
    if unknown:
        items.append(ReportItem(f"{len(unknown)} validators have no `host`, so which others share theirs is unknown", "low"))
    return items or [ReportItem("no host serves several chains", "low")]


def _shared(scene: Scene, host: str, each: list[Validator]) -> ReportItem:
    parts, worst = [], False
    for chain_id in dict.fromkeys(v.chain for v in each):
        chain = scene.chain(chain_id)
        lost = {v.number for v in each if v.chain == chain_id and v.authority}
        room = None if chain.can_lose is None else chain.can_lose - chain.missing_count
        more = len(lost - set(chain.missing))
        worst = worst or (bool(lost) and (room is None or more > room))
        may = "how many it can lose is unknown" if room is None else f"it can lose {max(room, 0)} more"
        parts.append(f"{chain_id}: {len(lost)} authorities ({', '.join(map(str, sorted(lost))) or 'none'}), {may}")
    return ReportItem(f"{host} serves {len(parts)} chains. {'; '.join(parts)}", "medium" if worst else "low", host)
