"""The watcher's quick look: what a small model is shown of each validator."""

from __future__ import annotations

from gizzi import ReportItem, Scene, Validator, task

SHOWN = ("block_height", "finalized_height", "peers", "syncing", "peer_abuse_lines", "equivocations", "unit_state", "disk_free_bytes")
FEW_PEERS = 8


@task("quick_check")
async def quick_check(scene: Scene) -> list[ReportItem]:
    """What each validator shows now; what stands out by itself is medium. It opens no incident: its words are for a person to read."""
    return [_item(scene, validator) for validator in scene.validators]


def _item(scene: Scene, validator: Validator) -> ReportItem:
    view, chain = scene.view(validator), scene.chain(validator.chain)
    odd = []
    if view.up is not True:
        odd.append("whether it is up is unknown" if view.up is None else "it does not answer")
    if view.peers is not None and 3 <= view.peers < FEW_PEERS and (view.should_have_peers is not False):
        odd.append(f"few peers ({view.peers})")
    if view.peer_abuse_lines:
        odd.append(f"{view.peer_abuse_lines} log lines about misbehaving peers in the last hour")
    if view.version is not None and chain.usual_version is not None and view.version != chain.usual_version:
        odd.append("its version is not the usual one")
    text = "; ".join(odd) or "nothing stands out"
    return ReportItem(text, "medium" if odd else "low", f"validator {validator.number}", scene.evidence(validator, *SHOWN))
