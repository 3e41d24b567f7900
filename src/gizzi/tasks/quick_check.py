"""The watcher's quick look: what a small model is shown of each validator."""

from __future__ import annotations

import asyncio
import re

from gizzi import ReportItem, Scene, SourceError, Validator, task
from gizzi.readers.journal import lines, log_command
from gizzi.readers.systemd import UnreadableUnit
from gizzi.readers.text import one_line

SHOWN = ("block_height", "finalized_height", "peers", "syncing", "peer_abuse_lines", "equivocations", "unit_state", "disk_free_bytes")
FEW_PEERS = 8
READ_LINES, SHOWN_LINES = 100, 8
AT_ONCE = 10
ROUTINE = re.compile(r"\bIdle \(|\bImported #|\bPrepared block|\bPre-sealed block|\bStarting consensus session|\bReorg on #")
"""What a well node writes all the time."""


@task("quick_check")
async def quick_check(scene: Scene) -> list[ReportItem]:
    """What each validator shows now, with the latest lines of its log that are not routine; what stands out by itself is medium."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def look(validator: Validator) -> ReportItem:
        async with turn:
            return _item(scene, validator, await _log(scene, validator))

    return list(await asyncio.gather(*map(look, scene.validators)))


async def _log(scene: Scene, validator: Validator) -> tuple[tuple[str, str], ...]:
    """Nothing where it cannot be read: that it cannot is told by a rule."""
    if not validator.unit:
        return ()
    try:
        said = await scene.run(validator, log_command(scene.settings.ssh.manager, validator.unit, lines=READ_LINES))
    except (SourceError, UnreadableUnit):
        return ()
    unusual = dict.fromkeys(one_line(line.message) for line in lines(said) if not ROUTINE.search(line.message))
    return tuple((f"{validator.number}/log", message) for message in list(unusual)[-SHOWN_LINES:] if message)


def _item(scene: Scene, validator: Validator, log: tuple[tuple[str, str], ...]) -> ReportItem:
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
    evidence = (*scene.evidence(validator, *SHOWN), *log)
    return ReportItem(text, "medium" if odd else "low", f"validator {validator.number}", evidence)
