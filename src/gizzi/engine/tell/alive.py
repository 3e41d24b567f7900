"""The dead man's ping: somebody outside is told again and again that Gizzi is well, and raises the alarm when that ceases."""

from __future__ import annotations

import structlog

from gizzi.engine.own import own_health
from gizzi.engine.tell.channels import without_secrets
from gizzi.engine.watch import Watch
from gizzi.errors import SourceError
from gizzi.sections import Notify

log = structlog.get_logger("gizzi.tell")

UNWELL = frozenset({"late", "store_failing"})
"""What Gizzi itself suffers from. A fleet that does not answer is an incident, and told as one."""


async def ping_while_well(watch: Watch, notify: Notify) -> None:
    """Ask `[notify] dead_man_url` without end, while evaluations are on time and the store can be written."""
    if notify.dead_man_url is None:
        return
    url, failing = notify.dead_man_url.get_secret_value(), False
    while True:
        await watch.clock.sleep(notify.dead_man_every_s)
        health = own_health(watch)
        if health["status"] in UNWELL:
            log.error("dead_man_silent", why="; ".join(health["reasons"]))
            continue
        try:
            await watch.reach.http.get(url)
            failing = False
        except SourceError as error:
            if not failing:
                log.error("dead_man_failed", error=without_secrets(str(error), url))
            failing = True
