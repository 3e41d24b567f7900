"""What the kernel says of this machine's clock: lateness and staleness are judged by it."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""
_TIMEX_BYTES = 512
"""More than `struct timex` has; all zero asks and sets nothing."""


def clock_check() -> dict[str, Any]:
    """`ok` is None where the kernel knows of nobody who keeps the clock right (in many virtual machines the host does)."""
    state = _adjtimex()
    if state is None:
        return {"ok": None, "text": "this system does not say whether its clock is right"}
    if state == TIME_ERROR:
        return {"ok": None, "text": "nobody keeps this machine's clock right, says its kernel; install chrony or systemd-timesyncd"}
    return {"ok": True, "text": "synchronised"}


def _adjtimex() -> int | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    state: int = call(ctypes.create_string_buffer(_TIMEX_BYTES))
    return state if state >= 0 else None
