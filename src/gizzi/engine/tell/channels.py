"""Channels as they are configured, and one message to one of them: bounded in time, its failure a text without secrets."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from gizzi.alerts.message import Message
from gizzi.clock import Clock, iso
from gizzi.config import Settings
from gizzi.engine.collect import in_thread
from gizzi.engine.tell.routes import addresses, channel_id
from gizzi.kinds import Notifier
from gizzi.reach import Http
from gizzi.readers.text import one_line
from gizzi.registry import Registry

SEND_S = 20.0
"""How long a channel may take for one message."""
FALLBACK = "apprise"
"""What sends to an address whose scheme names no notifier."""


class Channel:
    """label: what people call it, such as "slack #2", the second channel of the configuration."""

    def __init__(self, url: str, nth: int, notifier: Notifier, given: Mapping[str, Any], *, threads: bool) -> None:
        self.id = channel_id(url)
        self.label = f"{url.partition(':')[0].lower()} #{nth}"
        self.one_by_one = notifier.one_by_one
        self._url = url
        self._notifier = notifier
        self._given = {**given, "url": url}
        self._threads = threads
        self._ended: threading.Event | None = None

    async def send(self, message: Message) -> str | None:
        """None where it went out, else why not."""
        try:
            async with asyncio.timeout(SEND_S):
                error = await self._notifier.tell({**self._given, "message": message}, self._in_thread if self._threads else None)
        except TimeoutError:
            error = f"it took longer than {SEND_S:.0f} s"
        return None if error is None else without_secrets(error, self._url)

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        if self._ended is not None and not self._ended.is_set():
            raise TimeoutError("it is still busy with the message before")
        self._ended, answer = in_thread(call)
        return await answer


def channels_of(settings: Settings, registry: Registry, http: Http, *, threads: bool) -> dict[str, Channel]:
    """By id, in the order of the configuration."""
    given = {"http": http, "settings": settings}
    found = [Channel(url, nth, notifier_for(url, registry), given, threads=threads) for nth, url in enumerate(addresses(settings), 1)]
    return {channel.id: channel for channel in found}


def notifier_for(url: str, registry: Registry) -> Notifier:
    """By the scheme's first part: `webhook` for webhook+https://…; Apprise for whatever no notifier is called."""
    name = re.split(r"[+:]", url.lower(), maxsplit=1)[0]
    return registry.notifiers[name if name in registry.notifiers else FALLBACK]


def without_secrets(text: str, url: str) -> str:
    """A failure's text as one line, without any part of the channel's address that could be a token."""
    parts = sorted({url, *re.split(r"[/:@?&=#+]+", url.partition("://")[2])}, key=len, reverse=True)
    for part in parts:
        if len(part) >= 6:
            text = text.replace(part, "…")
    return one_line(text)


def sample(network: str, clock: Clock) -> Message:
    title = f"Test message of Gizzi, which watches {one_line(network, 60)}"
    return Message(
        title, "If you can read this, the channel works. There is nothing to do.", "low", None, "test", False, iso(clock.now()) or ""
    )
