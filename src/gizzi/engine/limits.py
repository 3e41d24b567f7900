"""How many files this process may have open. Every connection to a validator is one."""

from __future__ import annotations

import sys
from typing import Any

A_VALIDATOR = 4
"""Its page, two calls of its RPC at once, and its host."""
SPARE = 100
"""For the store, the pages' readers, and everything else."""


def raise_open_files() -> int | None:
    """Let this process open as many files as it may at all; returns how many, None where the system does not say.

    What systemd and shells give is usually 1,024, enough for some 200 validators; what a process may have is far more.
    """
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return None
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def open_files_check(validators: int) -> dict[str, Any]:
    """Whether the limit, raised, is enough for so many validators."""
    limit, needed = raise_open_files(), validators * A_VALIDATOR + SPARE
    if limit is None or limit >= needed:
        return {"ok": True, "text": "no limit that matters" if limit is None else f"{limit} may be open"}
    told = f"only {limit} may be open, while {validators} validators may take {needed}"
    return {"ok": False, "text": f"{told}; raise the limit (LimitNOFILE= of the unit, or ulimit -n) and start again"}
