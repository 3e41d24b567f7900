"""How often one client may do something: a token bucket each."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 10_000
"""Whoever was heard of longest ago is forgotten first."""


class Buckets:
    """burst: how many at once. every_s: how long until there is room for one more."""

    def __init__(self, burst: int, every_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._every_s = every_s
        self._now = now
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, client: str) -> int:
        """0: go ahead. Otherwise in how many seconds there is room."""
        now = self._now()
        full_at = max(now, self._full_at.get(client, now)) + self._every_s
        wait_s = full_at - now - self._burst * self._every_s
        if wait_s > 1e-9:
            return math.ceil(wait_s)
        self._full_at[client] = full_at
        self._full_at.move_to_end(client)
        if len(self._full_at) > MOST_CLIENTS:
            self._full_at.popitem(last=False)
        return 0
