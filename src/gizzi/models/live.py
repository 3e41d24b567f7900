"""The fleet's live status, as a daemon on this machine tells it."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from gizzi.config import Settings

PATIENCE_S = 2.0
LARGEST_BYTES = 8 * 2**20


async def daemon_statuses(settings: Settings) -> list[dict[str, Any]]:
    """The status of every validator; nothing where no daemon answers at [api] listen."""
    token = settings.secret(settings.api.token_env)
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as http, http.get(_url(settings), allow_redirects=False) as got:
            raw = await got.content.read(LARGEST_BYTES) if got.status == 200 else b""
            while raw and (more := await got.content.read(LARGEST_BYTES)) and len(raw) < LARGEST_BYTES:
                raw += more
        found = json.loads(raw) if raw else {}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return []
    statuses = found.get("validators") if isinstance(found, dict) else None
    return [status for status in statuses or () if isinstance(status, dict) and status.keys() >= _FIELDS]


_FIELDS = frozenset(("number", "health", "up", "peers", "block_height", "finalization_lag", "syncing", "reasons"))


def _url(settings: Settings) -> str:
    host, _, port = settings.api.listen.rpartition(":")
    here = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)
    return f"http://{here}:{port}/api/network/status"
