"""The daemon that watches on this store, asked over its API: where it is stands in the store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from gizzi.clock import Clock
from gizzi.config import Settings
from gizzi.errors import GizziError
from gizzi.store import Store
from gizzi.store.store import LEASE_S

PATIENCE_S = 4.0
LARGEST_BYTES = 32 * 2**20
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


class LinkLost(GizziError):
    """No daemon answers, and why."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """holder: its host and process. url: its API, None where it has said none."""

    holder: str
    url: str | None


async def find_daemon(store: Store, clock: Clock) -> Daemon | None:
    """Who runs the loop on this store; None where nobody does. Raises StoreError."""
    lease = await store.lease()
    if lease is None or clock.now() - lease[1] >= LEASE_S:
        return None
    said = await store.api()
    return Daemon(lease[0], _here(said[1]) if said is not None and said[0] == lease[0] else None)


class Link:
    """Asks one daemon. Use as an async context manager."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None
        self._daemon: Daemon | None = None

    async def __aenter__(self) -> Link:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    @property
    def url(self) -> str | None:
        """Where it was found last."""
        return self._daemon.url if self._daemon else None

    async def get(self, path: str) -> Any:
        """The JSON at that path. Raises LinkLost; the next call looks for the daemon anew, which may have been started again elsewhere."""
        if self._daemon is None:
            self._daemon = await find_daemon(self._store, self._clock)
        daemon = self._daemon
        if daemon is None:
            raise LinkLost("no daemon watches with this store any more")
        if daemon.url is None:
            self._daemon = None
            raise LinkLost(f"the Gizzi that watches with this store ({daemon.holder}) serves no API")
        try:
            return await self._read(daemon.url, path)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._daemon = None
            why = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
            raise LinkLost(f"the daemon at {daemon.url} does not answer: {why}") from None

    async def _read(self, url: str, path: str) -> Any:
        assert self._http is not None
        async with self._http.get(url + path, headers=self._headers(url), allow_redirects=False) as got:
            if got.status != 200:
                raise ValueError(f"status {got.status}")
            raw = bytearray()
            async for piece in got.content.iter_chunked(2**18):
                raw += piece
                if len(raw) > LARGEST_BYTES:
                    raise ValueError(f"more than {LARGEST_BYTES} bytes")
        return json.loads(raw)

    def _headers(self, url: str) -> dict[str, str]:
        """The token goes to this machine, or to where [api] listen says, and nowhere else."""
        host = urlsplit(url).hostname or ""
        token = self._settings.secret(self._settings.api.token_env)
        trusted = _is_loopback(host) or host == self._settings.api.listen.rpartition(":")[0].strip("[]")
        return {"Authorization": f"Bearer {token.get_secret_value()}"} if token is not None and trusted else {}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _here(url: str) -> str:
    """An address that stands for all of this machine's, as one that can be called."""
    parts = urlsplit(url)
    host = _EVERYWHERE.get(parts.hostname or "")
    return url if host is None else f"{parts.scheme}://{host}:{parts.port}"
