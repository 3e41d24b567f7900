"""What happens, as a stream that anybody may follow: numbered, replayed from a bounded past, the same bytes for everybody.

A follower costs a number: where in the ring it is. One that falls out of the ring is told to read everything anew.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gizzi.clock import Clock

KEPT = 1000
"""How many events can be replayed."""
MOST_FOLLOWERS = 600
BEAT_S = 10.0
"""A quiet stream says that it lives this often."""
SLOW_S = 20.0
"""Who does not take what was sent for so long is dropped."""
AGAIN_MS = 2000
"""How long a browser waits before it comes back."""
COMMENT = b": alive\n\n"
Write = Callable[[bytes], Awaitable[None]]


class Events:
    """Ids are BOOT-NUMBER: those of an earlier process are recognised, and not mistaken for ours."""

    def __init__(self, clock: Clock, kept: int = KEPT) -> None:
        self._boot = f"{round(clock.now() * 1000):x}"
        self._frames: deque[bytes] = deque(maxlen=kept)
        self._last = 0
        self._news = asyncio.Event()
        self.followers = 0
        self._hung_up = 0

    @property
    def is_full(self) -> bool:
        return self.followers >= MOST_FOLLOWERS

    def publish(self, kind: str, data: Mapping[str, Any]) -> None:
        self._last += 1
        self._frames.append(self._frame(kind, data))
        self._news.set()
        self._news = asyncio.Event()

    def hang_up(self) -> None:
        """Let everybody go who follows now: the server stops."""
        self._hung_up += 1
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, write: Write, last_id: str | None, beat: bytes = COMMENT) -> bool:
        """Write what happens from now on, or after last_id. beat: what a quiet stream says. True once it is hung up, False where the
        follower is too slow."""
        at, begin = self._begin(last_id)
        called_in = self._hung_up
        self.followers += 1
        try:
            await _in_time(write, begin)
            while called_in == self._hung_up:
                news = self._news
                frames = self._after(at)
                if frames is None:
                    at, frames = self._last, [self._reset("you were too slow")]
                else:
                    at += len(frames)
                if frames:
                    await _in_time(write, b"".join(frames))
                    continue
                try:
                    async with asyncio.timeout(BEAT_S):
                        await news.wait()
                except TimeoutError:
                    await _in_time(write, beat)
            return True
        except _TooSlow:
            return False
        finally:
            self.followers -= 1

    def _begin(self, last_id: str | None) -> tuple[int, bytes]:
        """Where to begin, and what to say first: the way to come back, and whether something was missed."""
        retry = f"retry: {AGAIN_MS}\n".encode()
        boot, _, number = (last_id or "").rpartition("-")
        at = int(number) if boot == self._boot and number.isdigit() and len(number) < 16 else -1
        if last_id and (at > self._last or self._after(at) is None):
            return self._last, retry + self._reset("what happened meanwhile is not kept")
        at = at if last_id else self._last
        return at, retry + self._frame("hello", {}, at)

    def _after(self, number: int) -> list[bytes] | None:
        """The frames after that one; None where they are not kept any more."""
        missing = self._last - number
        if number < 0 or missing > len(self._frames):
            return None
        return [self._frames[-place] for place in range(missing, 0, -1)] if missing else []

    def _reset(self, why: str) -> bytes:
        return self._frame("reset", {"why": f"{why}; read everything anew"})

    def _frame(self, kind: str, data: Mapping[str, Any], number: int | None = None) -> bytes:
        text = json.dumps(data, separators=(",", ":"))  # ASCII on one line, whatever is in it
        return f"event: {kind}\nid: {self._boot}-{self._last if number is None else number}\ndata: {text}\n\n".encode()


class _TooSlow(Exception):
    pass


async def _in_time(write: Write, frame: bytes) -> None:
    try:
        async with asyncio.timeout(SLOW_S):
            await write(frame)
    except (TimeoutError, OSError):
        raise _TooSlow from None
