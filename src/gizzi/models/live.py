"""The fleet's live status, as a daemon on this machine tells it."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from pydantic import SecretStr

from gizzi.config import Settings

PATIENCE_S = 2.0
LARGEST_BYTES = 8 * 2**20


async def daemon_statuses(settings: Settings) -> list[dict[str, Any]]:
    """The status of every validator; nothing where no daemon answers at [api] listen."""
    found = await daemon_json(settings, "/api/network/status")
    statuses = found.get("validators") if isinstance(found, dict) else None
    return [status for status in statuses or () if isinstance(status, dict) and status.keys() >= _FIELDS]


async def daemon_json(settings: Settings, path: str) -> Any:
    """What the daemon at [api] listen says at that path; None where none answers, or it refuses."""
    token = _reading_token(settings)
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    url = _base(settings) + path
    try:
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as http, http.get(url, allow_redirects=False) as got:
            raw = await got.content.read(LARGEST_BYTES) if got.status == 200 else b""
            while raw and (more := await got.content.read(LARGEST_BYTES)) and len(raw) < LARGEST_BYTES:
                raw += more
        return json.loads(raw) if raw else None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None


def _reading_token(settings: Settings) -> SecretStr | None:
    """A viewer's where there is one: it can do no more than read."""
    names = [token.token_env for token in settings.api.tokens if token.role == "viewer"]
    found = (settings.secret(name) for name in (*names, settings.api.token_env))
    return next((token for token in found if token is not None), None)


_FIELDS = frozenset(("number", "health", "up", "peers", "block_height", "finalization_lag", "syncing", "reasons"))


def _base(settings: Settings) -> str:
    host, _, port = settings.api.listen.rpartition(":")
    here = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)
    return f"http://{here}:{port}"
